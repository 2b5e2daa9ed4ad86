"""Commands → processes that are kept alive together and ended together, and that do not outlive this one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

from cleanroom.domain.errors import OperationError

_log = structlog.get_logger(__name__)
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Child:
    """A process to be: what to call it, its command line and its whole environment."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]


class Family:
    """Children that run together. One that ends is started again, unless it ends `most_deaths` times within `within_s`."""

    def __init__(
        self, children: tuple[Child, ...], *, grace_s: float, most_deaths: int = 5, within_s: float = 60.0
    ) -> None:
        self._grace_s = grace_s
        self._children = children
        self._most_deaths = most_deaths
        self._within_s = within_s
        self._running: list[subprocess.Popen[bytes]] = []
        self._deaths: dict[str, list[float]] = {child.name: [] for child in children}

    def start(self) -> None:
        """Every child has been started."""
        for child in self._children:
            self._running.append(_spawn(child))

    def ready(self, url: str, timeout_s: float) -> bool:
        """Whether the server at `url` says that it is ready, within the time and while every child lives."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and all(p.poll() is None for p in self._running):
            if _answers(f"{url}/readyz"):
                return True
            time.sleep(_POLL_S)
        return False

    def watch(self) -> str:
        """Returns only when a child cannot be kept alive: its name."""
        while True:
            for place, child in enumerate(self._children):
                status = self._running[place].poll()
                if status is not None:
                    _log.error("serve.child_ended", child=child.name, status=status)
                    _end_group(self._running[place])  # what it started would still hold the port
                    if self._gives_up(child):
                        return child.name
                    self._running[place] = _spawn(child)
            time.sleep(_POLL_S)

    def stop(self) -> None:
        """No child runs: each was asked to end, and killed where it did not within the grace."""
        for process in self._running:
            process.terminate()
        deadline = time.monotonic() + self._grace_s
        for process in self._running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                _end_group(process)
                process.wait()
        self._running.clear()

    def _gives_up(self, child: Child) -> bool:
        now = time.monotonic()
        deaths = [at for at in self._deaths[child.name] if now - at < self._within_s] + [now]
        self._deaths[child.name] = deaths
        return len(deaths) >= self._most_deaths


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Nothing runs that the child started in its own process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def usable_port(host: str, port: int) -> int:
    """The port, on which nobody listens at the moment; one that the system chooses where it is 0.

    OperationError serve.address where the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
            return int(listener.getsockname()[1])
    except (OSError, UnicodeError):
        message = (
            f"Nothing can listen at {host}, port {port}: the port is taken, or the address is none of this machine's."
        )
        raise OperationError(message, "serve.address") from None


def _spawn(child: Child) -> subprocess.Popen[bytes]:
    lifeline = (sys.executable, "-I", str(Path(__file__).with_name("lifeline.py")), str(os.getpid()))
    try:
        return subprocess.Popen(  # noqa: S603 - commands of our own
            (*lifeline, *child.command),
            env=dict(child.environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C reaches the parent alone, which ends its children in order
        )
    except OSError:
        raise OperationError(f"The {child.name} cannot be started.", "serve.child_failed") from None


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
