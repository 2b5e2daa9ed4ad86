"""Queries and their events ↔ rows, for those who ask and see: implements `ports.QueryLog`."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.identifiers import PartnerName, QueryId
from cleanroom.domain.query import QueryRecord, QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log


@dataclass(frozen=True, slots=True)
class QueryPage:
    """`next_cursor` is None on the last page."""

    records: tuple[QueryRecord, ...]
    next_cursor: str | None


class Queries:
    """Implements `ports.QueryLog`, and what HTTP reads of queries."""

    def __init__(self, database: Database, log: Log) -> None: ...

    def record(self, event: Event) -> LoggedEvent: ...

    def submit(self, record: QueryRecord, event: Event) -> None: ...

    def get(self, query: QueryId, seen_by: PartnerName | None = None) -> QueryRecord | None:
        """The query; None where there is none or where `seen_by` may not see it.

        A partner sees its own queries, those over a dataset of its own, and succeeded ones whose result it receives.
        """
        raise NotImplementedError

    def page(self, seen_by: PartnerName | None = None, *, cursor: str | None = None, limit: int = 50) -> QueryPage:
        """The queries that the partner may see (None: all), newest first. InvalidInput where the cursor is none of ours."""
        raise NotImplementedError

    def request_cancel(self, query: QueryId, event: Event) -> QueryState | None:
        """CANCELLED: it was queued, and `event` is logged. RUNNING: the executor is asked to stop it and will log.

        None: it has ended already, or there is no such query."""
        raise NotImplementedError
