"""The executors that live, on however many hosts: each stamps its row now and then, and takes it away as it ends."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from sqlalchemy import delete, insert, or_, select, update

from cleanroom.store.database import Database
from cleanroom.store.schema import executor

FORGOTTEN_S = 3600.0
"""For how long an executor that says nothing is still told of."""


@dataclass(frozen=True, slots=True)
class ExecutorRecord:
    name: str
    started_at: datetime.datetime
    seen_at: datetime.datetime


class Executors:
    """Who works on the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def stamp(self, name: str, now: datetime.datetime) -> None:
        """The executor of that name lives; those that have said nothing for long are forgotten."""
        silence = datetime.timedelta(seconds=FORGOTTEN_S)
        silent = or_(executor.c.seen_at < now - silence, executor.c.seen_at > now + silence)
        with self._database.begin() as connection:
            seen = update(executor).where(executor.c.name == name).values(seen_at=now)
            if connection.execute(seen).rowcount == 0:
                connection.execute(insert(executor), {"name": name, "started_at": now, "seen_at": now})
            connection.execute(delete(executor).where(silent, executor.c.name != name))

    def remove(self, name: str) -> None:
        """It has ended."""
        with self._database.begin() as connection:
            connection.execute(delete(executor).where(executor.c.name == name))

    def list(self) -> tuple[ExecutorRecord, ...]:
        """All that are known, by name."""
        with self._database.read() as connection:
            rows = connection.execute(select(executor).order_by(executor.c.name))
            return tuple(ExecutorRecord(row.name, row.started_at, row.seen_at) for row in rows)

    def seen(self, now: datetime.datetime, within_s: float) -> bool:
        """Whether any was alive a moment ago. A moment to come is as far: a clock that was set back revives nobody."""
        near = datetime.timedelta(seconds=within_s)
        return any(abs(now - record.seen_at) <= near for record in self.list())
