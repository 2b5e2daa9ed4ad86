"""The in-memory twins of the policy book and the query log, for `check` and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, QueryId
from cleanroom.domain.policy import Policy
from cleanroom.domain.query import QueryRecord


class MemoryPolicyBook:
    def __init__(self, policies: Iterable[Policy]) -> None: ...

    def policy(self, collaboration: CollaborationName, versions: Mapping[str, int] | None = None) -> Policy | None: ...


class MemoryQueryLog:
    """Keeps what it is told: `events` in order, `records` by id."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.records: dict[QueryId, QueryRecord] = {}

    def record(self, event: Event) -> LoggedEvent: ...

    def submit(self, record: QueryRecord, event: Event) -> None: ...
