"""What the operator sets of the HTTP server, as one value. The command line reads it; nothing here reads the environment."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Limits of the server. `most_waiting` requests may wait for their query at a time; others are answered at once.

    `metrics_token` opens /metrics, and nothing else; None: nobody may look.
    """

    body_limit_bytes: int = 256 * 1024
    wait_limit_s: int = 60
    poll_interval_s: float = 0.05
    most_waiting: int = 12
    heartbeat_limit_s: float = 30.0
    page_size: int = 50
    replay_limit_s: float = 5.0
    metrics_token: str | None = field(default=None, repr=False)
