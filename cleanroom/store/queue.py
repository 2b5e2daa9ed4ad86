"""Queued queries → one executor each, partners in turn: implements `ports.QueryQueue`."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, or_, select, update

from cleanroom.domain.events import Event
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.ports import Clock
from cleanroom.domain.query import QueryRecord, QueryState
from cleanroom.domain.sealed import SealedResult
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.query_rows import record_of
from cleanroom.store.results import write_result
from cleanroom.store.schema import queries
from cleanroom.store.turns import partners_in_turn, take_turn

LONGEST_LEASE = datetime.timedelta(minutes=10)


class Queue:
    """One executor's view of the queue: it remembers which leases it took itself, until it is told to forget them.

    Every change holds only while the query runs under this object's lease, or (to end it without a result) under one
    that has run out, so that whoever finds an interrupted query can end it. Otherwise it answers False and writes nothing.
    A lease has run out when its time is over, and also when it ends later than any can: the clock was set back since.
    """

    def __init__(self, database: Database, log: Log, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._holders: dict[QueryId, str] = {}

    def lease(self, worker: str, until: datetime.datetime) -> QueryRecord | None:
        """Takes a queued query, now running under this lease, or None. `worker` is unique among executors.

        It is the oldest of the partner with the fewest running queries, and among those of the one served longest ago;
        never of one that has as many running as its quota lets it.
        """
        if not self._any_queued():  # asked often: without the write lock first
            return None
        with self._database.begin() as connection:
            row = self._next(connection)
            if row is None:
                return None
            values = {"state": QueryState.RUNNING.value, "lease_holder": worker, "lease_until": until}
            connection.execute(update(queries).where(queries.c.id == row.id).values(values))
            take_turn(connection, row.partner)
            leased = connection.execute(select(queries).where(queries.c.id == row.id)).one()
        self._holders[leased.id] = worker
        return record_of(leased)

    def forget(self, query: QueryId) -> None:
        """This object does nothing more with the query: whoever finds its lease run out may end it."""
        self._holders.pop(query, None)

    def renew(self, query: QueryId, until: datetime.datetime) -> bool:
        """The lease of this object's own lasts until then; False where it is lost."""
        with self._database.begin() as connection:
            return _change(connection, query, self._mine(query), {"lease_until": until})

    def cancel_requested(self, query: QueryId) -> bool:
        """Whether somebody asked to stop it."""
        with self._database.read() as connection:
            asked = select(queries.c.cancel_requested).where(queries.c.id == query)
            return bool(connection.execute(asked).scalar_one_or_none())

    def started(self, query: QueryId, event: Event) -> bool:
        """Durable before any byte is read. Once only, under a lease of this object's own that has not run out, and not
        where somebody asked to stop it before."""
        lives = self._mine(query) & (queries.c.lease_until >= self._clock.now())
        fresh = queries.c.started_at.is_(None) & queries.c.cancel_requested.is_(False)
        with self._database.begin() as connection:
            if not _change(connection, query, lives & fresh, {"started_at": event.at}):
                return False
            self._log.append(connection, event)
            return True

    def succeed(self, query: QueryId, result: SealedResult, row_count: int, event: Event) -> bool:
        """State, result and event in one transaction; only where it was started under a lease of this object's own, and
        nobody asked to stop it: a member that leaves stops what would be released of its data."""
        held = self._mine(query) & queries.c.started_at.is_not(None) & queries.c.cancel_requested.is_(False)
        values = {"state": QueryState.SUCCEEDED.value, "row_count": row_count}
        return self._end(query, event, held, values, result)

    def fail(self, query: QueryId, code: str, event: Event) -> bool:
        """It failed for the reason `code`."""
        return self._end(query, event, self._free(query), {"state": QueryState.FAILED.value, "failure": code})

    def cancelled(self, query: QueryId, event: Event) -> bool:
        """It was stopped because somebody asked."""
        return self._end(query, event, self._free(query), {"state": QueryState.CANCELLED.value})

    def requeue(self) -> int:
        """Queries whose lease has run out before they started wait again, in their old place: nothing of them was read.

        Those that somebody asked to stop are left to `interrupted`. How many wait again.
        """
        unread = self._lost() & queries.c.started_at.is_(None) & queries.c.cancel_requested.is_(False)
        with self._database.read() as connection:
            if connection.execute(select(queries.c.id).where(unread).limit(1)).first() is None:
                return 0
        values = {"state": QueryState.QUEUED.value, "lease_holder": None, "lease_until": None}
        with self._database.begin() as connection:
            return connection.execute(update(queries).where(unread).values(values)).rowcount

    def interrupted(self) -> tuple[QueryRecord, ...]:
        """Queries that are running under a lease that has run out, by the clock, the oldest first.

        Those that this object leased itself are not among them: it runs them, whatever the clock says.
        """
        with self._database.read() as connection:
            rows = connection.execute(select(queries).where(self._lost()).order_by(queries.c.position))
            return tuple(record_of(row) for row in rows)

    def overdue(self, since: datetime.datetime) -> tuple[QueryRecord, ...]:
        """Queries that have waited since before then, the oldest first."""
        waiting = (queries.c.state == QueryState.QUEUED.value, queries.c.submitted_at < since)
        with self._database.read() as connection:
            rows = connection.execute(select(queries).where(*waiting).order_by(queries.c.position))
            return tuple(record_of(row) for row in rows)

    def give_up(self, query: QueryId, code: str, event: Event) -> bool:
        """It waited in vain, and has failed for the reason `code`; False where it waits no more."""
        waiting = (queries.c.id == query, queries.c.state == QueryState.QUEUED.value)
        values = {"state": QueryState.FAILED.value, "failure": code, "finished_at": event.at}
        with self._database.begin() as connection:
            if connection.execute(update(queries).where(*waiting).values(values)).rowcount != 1:
                return False
            self._log.append(connection, event)
            return True

    def _next(self, connection: Connection) -> Any:
        """The row that is to be leased, locked, or None."""
        held = tuple(self._holders)  # a thread of ours may still be at work on what others gave back
        queued = (queries.c.state == QueryState.QUEUED.value, queries.c.id.not_in(held))
        for partner in partners_in_turn(connection):
            oldest = select(queries).where(*queued, queries.c.partner == partner).order_by(queries.c.position).limit(1)
            row = connection.execute(oldest.with_for_update(skip_locked=True)).first()
            if row is not None:
                return row
        return None

    def _lost(self) -> ColumnElement[bool]:
        """Runs under a lease that has run out and is none of this object's."""
        running = queries.c.state == QueryState.RUNNING.value
        return running & self._run_out() & queries.c.id.not_in(tuple(self._holders))

    def _run_out(self) -> ColumnElement[bool]:
        now = self._clock.now()
        return or_(queries.c.lease_until < now, queries.c.lease_until > now + LONGEST_LEASE)

    def _any_queued(self) -> bool:
        with self._database.read() as connection:
            queued = select(queries.c.id).where(queries.c.state == QueryState.QUEUED.value).limit(1)
            return connection.execute(queued).first() is not None

    def _end(
        self,
        query: QueryId,
        event: Event,
        held: ColumnElement[bool],
        values: dict[str, Any],
        result: SealedResult | None = None,
    ) -> bool:
        final = {**values, "finished_at": event.at, "lease_holder": None, "lease_until": None}
        with self._database.begin() as connection:
            if not _change(connection, query, held, final):
                return False
            if result is not None:
                write_result(connection, result)
            self._log.append(connection, event)
        self.forget(query)
        return True

    def _mine(self, query: QueryId) -> ColumnElement[bool]:
        return queries.c.lease_holder == self._holders.get(query, "")

    def _free(self, query: QueryId) -> ColumnElement[bool]:
        return or_(self._mine(query), self._run_out())


def _change(connection: Connection, query: QueryId, held: ColumnElement[bool], values: dict[str, Any]) -> bool:
    running = (queries.c.id == query, queries.c.state == QueryState.RUNNING.value, held)
    return connection.execute(update(queries).where(*running).values(values)).rowcount == 1
