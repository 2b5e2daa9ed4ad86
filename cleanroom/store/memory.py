"""The in-memory twins of the policy book and the query log, for `check` and for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cleanroom.audit.canonical import canonical
from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, QueryId
from cleanroom.domain.policy import Policy
from cleanroom.domain.query import QueryRecord


class MemoryPolicyBook:
    """Policies that do not change."""

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._policies = {policy.collaboration.name: policy for policy in policies}

    def policy(self, collaboration: CollaborationName, versions: Mapping[str, int] | None = None) -> Policy | None:
        """The policy; None where there is none, or where `versions` are not its own."""
        found = self._policies.get(collaboration)
        if found is None or (versions is not None and dict(versions) != dict(found.versions)):
            return None
        return found


class MemoryQueryLog:
    """Keeps what it is told: `events` in order, `records` by id."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.records: dict[QueryId, QueryRecord] = {}

    def record(self, event: Event) -> LoggedEvent:
        """The event is the last of `events`."""
        number = len(self.events)
        logged = LoggedEvent(number, canonical(event, number), event)
        self.events.append(logged)
        return logged

    def submit(self, record: QueryRecord, event: Event) -> None:
        """The record is in `records`, its event in `events`."""
        self.record(event)
        self.records[record.id] = record
