"""Queries and their events ↔ rows, for those who ask and see: implements `ports.QueryLog`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.events import Event, EventKind, LoggedEvent
from cleanroom.domain.identifiers import PartnerName, QueryId
from cleanroom.domain.query import QueryRecord, QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.query_rows import record_of, row_of, sights_of
from cleanroom.store.schema import queries, query_sight

_LONGEST_CURSOR = 18  # digits: within 64 bits


@dataclass(frozen=True, slots=True)
class QueryPage:
    """`next_cursor` is None on the last page."""

    records: tuple[QueryRecord, ...]
    next_cursor: str | None


class Queries:
    """Implements `ports.QueryLog`, and what HTTP reads of queries."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    def record(self, event: Event) -> LoggedEvent:
        """The event is in the log."""
        return self._log.record(event)

    def submit(self, record: QueryRecord, event: Event) -> None:
        """The query is stored, rejected or queued, and the event that announces it in the log, or neither."""
        with self._database.begin() as connection:
            logged = self._log.append(connection, event)
            connection.execute(insert(queries), row_of(record, logged.number))
            connection.execute(insert(query_sight), sights_of(record))

    def get(self, query: QueryId, seen_by: PartnerName | None = None) -> QueryRecord | None:
        """The query; None where there is none or where `seen_by` may not see it.

        A partner sees its own queries, those over a dataset of its own, and succeeded ones whose result it receives.
        """
        with self._database.read() as connection:
            row = connection.execute(select(queries).where(queries.c.id == query, *_seen(seen_by))).first()
        return None if row is None else record_of(row)

    def page(self, seen_by: PartnerName | None = None, *, cursor: str | None = None, limit: int = 50) -> QueryPage:
        """The queries that the partner may see (None: all), newest first. InvalidInput where the cursor is none of ours."""
        older = () if cursor is None else (queries.c.position < _position(cursor),)
        rows = select(queries).where(*_seen(seen_by), *older).order_by(queries.c.position.desc()).limit(limit + 1)
        with self._database.read() as connection:
            found = connection.execute(rows).all()
        more = len(found) > limit
        shown = found[:limit]
        return QueryPage(tuple(record_of(row) for row in shown), str(shown[-1].position) if more and shown else None)

    def request_cancel(self, query: QueryId, event: Event) -> QueryState | None:
        """CANCELLED: it was queued, and `event` is logged. RUNNING: the executor is asked to stop it and will log that;
        who asked for it first is logged here.

        None: it has ended already, or there is no such query.
        """
        with self._database.begin() as connection:
            values = {"state": QueryState.CANCELLED.value, "cancel_requested": True, "finished_at": event.at}
            if _move(connection, query, QueryState.QUEUED, values):
                self._log.append(connection, event)
                return QueryState.CANCELLED
            running = (queries.c.id == query, queries.c.state == QueryState.RUNNING.value)
            asked = connection.execute(select(queries.c.cancel_requested).where(*running)).scalar_one_or_none()
            if asked is False and _move(connection, query, QueryState.RUNNING, {"cancel_requested": True}):
                self._log.append(connection, replace(event, kind=EventKind.QUERY_CANCEL_REQUESTED))
            if asked is not None:
                return QueryState.RUNNING
        return None


def _move(connection: Connection, query: QueryId, state: QueryState, values: dict[str, object]) -> bool:
    at = (queries.c.id == query, queries.c.state == state.value)
    return connection.execute(update(queries).where(*at).values(values)).rowcount == 1


def _seen(partner: PartnerName | None) -> tuple[ColumnElement[bool], ...]:
    if partner is None:
        return ()
    related = select(query_sight.c.query).where(query_sight.c.partner == partner)
    involved = queries.c.id.in_(related.where(query_sight.c.relation.in_(("runner", "owner"))))
    received = queries.c.id.in_(related.where(query_sight.c.relation == "receiver"))
    return (or_(involved, received & (queries.c.state == QueryState.SUCCEEDED.value)),)


def _position(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR):
        problem = Problem("input.cursor", "This cursor is not one that an earlier page gave.", field="cursor")
        raise InvalidInput((problem,))
    return int(cursor)
