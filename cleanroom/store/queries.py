"""Queries and their events ↔ rows, for those who ask and see: implements `ports.QueryLog`."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, Connection, Subquery, Text, cast, exists, insert, select, update

from cleanroom.domain.errors import Conflict, InvalidInput, Problem
from cleanroom.domain.events import Event, EventKind, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, QueryId
from cleanroom.domain.query import FINAL_STATES, RELEASED_STATES, IdempotencyKey, Principal, QueryRecord, QueryState
from cleanroom.store.database import Database
from cleanroom.store.idempotency import keep, query_under
from cleanroom.store.log import Log
from cleanroom.store.membership import has_departed
from cleanroom.store.query_rows import record_of, row_of, sights_of
from cleanroom.store.quotas import count_request, require_room
from cleanroom.store.schema import queries, query_sight

_LONGEST_CURSOR = 18  # digits: within 64 bits
_LAST = 10**_LONGEST_CURSOR
_FEW = frozenset(QueryState) - FINAL_STATES  # found among all faster than among what a partner sees


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

    def admit(self, principal: Principal, at: datetime.datetime) -> None:
        """Raises QuotaExceeded where the partner has asked for as much as it may; a look, without the write lock."""
        with self._database.read() as connection:
            require_room(connection, principal.partner, at, queued=False)

    def checked(self, event: Event) -> None:
        """The event of a check is in the log and counts for its partner. QuotaExceeded, and it is not."""
        assert event.partner is not None
        with self._database.begin() as connection:
            require_room(connection, event.partner, event.at, queued=False)
            logged = self._log.append(connection, event)
            count_request(connection, event.partner, logged.number, event.at)

    def earlier(
        self, principal: Principal, collaboration: CollaborationName, key: IdempotencyKey, at: datetime.datetime
    ) -> QueryRecord | None:
        """The query that stands under the key. InvalidInput "idempotency.mismatch"."""
        with self._database.read() as connection:
            found = query_under(connection, principal.id, collaboration, key, at)
            return None if found is None else _get(connection, found)

    def submit(self, record: QueryRecord, event: Event, key: IdempotencyKey | None = None) -> QueryRecord:
        """The query that stands: this one, stored with the event that announces it; or the one that stands under the key.

        Writers wait for one another, so that what is looked up first still holds as it is written. Conflict
        "collaboration.moved" where its runner or an owner left since it was judged: what stops a leaver's queries missed it.
        """
        who, at = record.principal, record.submitted_at
        with self._database.begin() as connection:
            if key is not None:
                found = query_under(connection, who.id, record.collaboration, key, at)
                if found is not None:
                    return _get(connection, found)
            require_room(connection, who.partner, at, queued=record.state is QueryState.QUEUED)
            if has_departed(connection, record):
                raise Conflict("A member left while the query was judged; ask again.", "collaboration.moved")
            logged = self._log.append(connection, event)
            connection.execute(insert(queries), row_of(record, logged.number))
            connection.execute(insert(query_sight), sights_of(record, logged.number))
            count_request(connection, who.partner, logged.number, at)
            if key is not None:
                keep(connection, who.id, record.collaboration, key, record.id, at)
        return record

    def get(self, query: QueryId, seen_by: PartnerName | None = None) -> QueryRecord | None:
        """The query; None where there is none or where `seen_by` may not see it.

        A partner sees its own queries, those over a dataset of its own, and those whose result it receives, once there was one.
        """
        with self._database.read() as connection:
            row = connection.execute(select(queries).where(queries.c.id == query, *_seen(seen_by))).first()
        return None if row is None else record_of(row)

    def page(
        self,
        seen_by: PartnerName | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
        state: QueryState | None = None,
        collaboration: CollaborationName | None = None,
    ) -> QueryPage:
        """The queries that the partner may see (None: all), newest first; those of one state or collaboration where named.

        InvalidInput where the cursor is none of ours.
        """
        before = _LAST if cursor is None else position_of(cursor)
        wanted = [] if state is None else [queries.c.state == state.value]
        wanted += [] if collaboration is None else [queries.c.collaboration == collaboration]
        if seen_by is None or state in _FEW:
            rows = select(queries).where(queries.c.position < before, *_seen(seen_by), *wanted)
        else:
            seen = _positions(seen_by, before, wanted, limit + 1)
            rows = select(queries).join(seen, queries.c.position == seen.c.position)
        with self._database.read() as connection:
            found = connection.execute(rows.order_by(queries.c.position.desc()).limit(limit + 1)).all()
        more = len(found) > limit
        shown = found[:limit]
        return QueryPage(tuple(record_of(row) for row in shown), str(shown[-1].position) if more and shown else None)

    def asked(
        self, collaboration: CollaborationName, dataset: DatasetName | None = None, *, limit: int
    ) -> tuple[QueryRecord, ...]:
        """The last queries that were asked there, rejected ones too, the newest first; those over one dataset where named."""
        over = () if dataset is None else (cast(queries.c.datasets, Text).contains(f'"{dataset}"', autoescape=True),)
        rows = select(queries).where(queries.c.collaboration == collaboration, *over)
        with self._database.read() as connection:
            found = connection.execute(rows.order_by(queries.c.position.desc()).limit(limit))
            records = tuple(record_of(row) for row in found)
        return tuple(r for r in records if dataset is None or dataset in r.datasets)

    def request_cancel(self, query: QueryId, event: Event) -> QueryState | None:
        """CANCELLED: it was queued, and `event` is logged. RUNNING: the executor is asked to stop it and will log that;
        who asked for it first is logged here.

        None: it has ended already, or there is no such query.
        """
        with self._database.begin() as connection:
            return stop(connection, self._log, query, event)


def stop(connection: Connection, log: Log, query: QueryId, event: Event) -> QueryState | None:
    """As `Queries.request_cancel`, in the caller's own transaction."""
    values = {"state": QueryState.CANCELLED.value, "cancel_requested": True, "finished_at": event.at}
    if _move(connection, query, QueryState.QUEUED, values):
        log.append(connection, event)
        return QueryState.CANCELLED
    running = (queries.c.id == query, queries.c.state == QueryState.RUNNING.value)
    asked = connection.execute(select(queries.c.cancel_requested).where(*running)).scalar_one_or_none()
    if asked is False and _move(connection, query, QueryState.RUNNING, {"cancel_requested": True}):
        log.append(connection, replace(event, kind=EventKind.QUERY_CANCEL_REQUESTED))
    return None if asked is None else QueryState.RUNNING


def _get(connection: Connection, query: QueryId) -> QueryRecord:
    return record_of(connection.execute(select(queries).where(queries.c.id == query)).one())


def _move(connection: Connection, query: QueryId, state: QueryState, values: dict[str, object]) -> bool:
    at = (queries.c.id == query, queries.c.state == state.value)
    return connection.execute(update(queries).where(*at).values(values)).rowcount == 1


def _seen(partner: PartnerName | None) -> tuple[ColumnElement[bool], ...]:
    if partner is None:
        return ()
    own = (query_sight.c.partner == partner, query_sight.c.query == queries.c.id)
    return (exists().where(*own, _shows()),)


def _positions(partner: PartnerName, before: int, wanted: Sequence[ColumnElement[bool]], limit: int) -> Subquery:
    """Where the last of those that the partner sees stand, read along what it sees."""
    place = query_sight.c.position
    own = (query_sight.c.partner == partner, place < before, query_sight.c.query == queries.c.id)
    return select(place).distinct().where(*own, _shows(), *wanted).order_by(place.desc()).limit(limit).subquery()


def _shows() -> ColumnElement[bool]:
    """As whom one sees a query: a receiver does once there was a result."""
    released = queries.c.state.in_([state.value for state in RELEASED_STATES])
    return (query_sight.c.relation != "receiver") | released


def position_of(cursor: str) -> int:
    """The place in the log where a page ended. InvalidInput where the cursor is none of ours."""
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= _LONGEST_CURSOR):
        problem = Problem("input.cursor", "This cursor is not one that an earlier page gave.", field="cursor")
        raise InvalidInput((problem,))
    return int(cursor)
