"""The store → the few figures that a monitor looks at: counted in one reading transaction, which no writer waits for."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import func, select

from cleanroom.domain.query import QueryState
from cleanroom.store.database import Database
from cleanroom.store.schema import executor, log_head, queries


@dataclass(frozen=True, slots=True)
class Figures:
    """`queries`: how many are in each state. `oldest_queued`: when the one that waits longest was asked. `executors`: when each
    was last alive. `log_entries`: how many events the log holds."""

    queries: Mapping[QueryState, int]
    oldest_queued: datetime.datetime | None
    executors: tuple[datetime.datetime, ...]
    log_entries: int


def figures(database: Database) -> Figures:
    """As of one moment. Whose queries they are is not in it."""
    state = queries.c.state
    waiting = select(func.min(queries.c.submitted_at)).where(state == QueryState.QUEUED.value)
    with database.read() as connection:
        counted = {row.state: row.number for row in connection.execute(_BY_STATE)}
        return Figures(
            {each: counted.get(each.value, 0) for each in QueryState},
            connection.execute(waiting).scalar_one(),
            tuple(connection.execute(select(executor.c.seen_at).order_by(executor.c.name)).scalars()),
            connection.execute(select(log_head.c.size)).scalar_one_or_none() or 0,
        )


_BY_STATE = select(queries.c.state, func.count().label("number")).group_by(queries.c.state)
