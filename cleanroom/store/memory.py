"""The in-memory twins of the policy book and the query log, for `check` and for tests."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from cleanroom.audit.canonical import canonical
from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, PrincipalId, QueryId
from cleanroom.domain.policy import Policy
from cleanroom.domain.query import IdempotencyKey, Principal, QueryRecord
from cleanroom.store.idempotency import mismatch


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
    """Keeps what it is told: `events` in order, `records` by id, and for good what was asked under a key. Has no quota."""

    def __init__(self) -> None:
        self.events: list[LoggedEvent] = []
        self.records: dict[QueryId, QueryRecord] = {}
        self._keys: dict[tuple[PrincipalId, CollaborationName, str], tuple[str, QueryId]] = {}

    def record(self, event: Event) -> LoggedEvent:
        """The event is the last of `events`."""
        number = len(self.events)
        logged = LoggedEvent(number, canonical(event, number), event)
        self.events.append(logged)
        return logged

    def admit(self, principal: Principal, at: datetime.datetime) -> None:
        """Everybody may ask."""

    def checked(self, event: Event) -> None:
        """The event is the last of `events`."""
        self.record(event)

    def earlier(
        self,
        principal: Principal,
        collaboration: CollaborationName,
        key: IdempotencyKey,
        at: datetime.datetime,  # noqa: ARG002 - nothing is forgotten here
    ) -> QueryRecord | None:
        """The query that stands under the key. InvalidInput "idempotency.mismatch"."""
        digest, query = self._keys.get((principal.id, collaboration, key.text), (key.digest, None))
        if digest != key.digest:
            raise mismatch()
        return None if query is None else self.records[query]

    def submit(self, record: QueryRecord, event: Event, key: IdempotencyKey | None = None) -> QueryRecord:
        """The record is in `records`, its event in `events`; or the record that stands under the key, and nothing changed."""
        if key is not None:
            found = self.earlier(record.principal, record.collaboration, key, record.submitted_at)
            if found is not None:
                return found
            self._keys[record.principal.id, record.collaboration, key.text] = (key.digest, record.id)
        self.record(event)
        self.records[record.id] = record
        return record
