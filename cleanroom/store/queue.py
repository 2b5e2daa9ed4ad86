"""Queued queries → one executor each: implements `ports.QueryQueue`."""

from __future__ import annotations

import datetime

from cleanroom.domain.events import Event
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.ports import Clock
from cleanroom.domain.query import QueryRecord
from cleanroom.store.database import Database
from cleanroom.store.log import Log


class Queue:
    """One executor's view of the queue: it remembers which leases it took itself.

    Every change holds only while the query runs under this object's lease, or under one that has ended (so that
    whoever finds an interrupted query can end it); otherwise it answers False and nothing is written.
    """

    def __init__(self, database: Database, log: Log, clock: Clock) -> None: ...

    def lease(self, worker: str, until: datetime.datetime) -> QueryRecord | None:
        """Takes the oldest queued query, now running under this lease, or None."""
        raise NotImplementedError

    def renew(self, query: QueryId, until: datetime.datetime) -> bool: ...

    def cancel_requested(self, query: QueryId) -> bool: ...

    def started(self, query: QueryId, event: Event) -> bool:
        """Once only, under a lease of this object's own that has not ended."""
        raise NotImplementedError

    def succeed(self, query: QueryId, result: bytes, row_count: int, event: Event) -> bool:
        """State, result and event in one transaction; only under a lease of this object's own."""
        raise NotImplementedError

    def fail(self, query: QueryId, code: str, event: Event) -> bool: ...

    def cancelled(self, query: QueryId, event: Event) -> bool: ...

    def interrupted(self) -> tuple[QueryRecord, ...]:
        """Queries that are running under a lease that has ended, by `clock`."""
        raise NotImplementedError
