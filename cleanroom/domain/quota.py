"""How much a partner may ask for at a time, so that one does not use up what is there for all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Quota:
    """`per_minute`: submissions and checks; `most_unfinished`: queries that wait or run; `most_running`: those that run."""

    per_minute: int = 600
    most_unfinished: int = 100
    most_running: int = 32
