"""What is asked often is found by an index, however many queries there are: SQLite's own plans say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from cleanroom.domain.query import QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.queue import Queue
from cleanroom.store.quotas import require_room
from cleanroom.store.results import Results
from tests.store.world import NOON, PUBLISHER, RETAIL_MEDIA, Clock, happened, query

Ask = Callable[[Database, Queries, Queue, Results], object]


def minute(database: Database) -> None:
    with database.read() as connection:
        require_room(connection, PUBLISHER, NOON, queued=True)


ASKED: dict[str, Ask] = {
    "whether any waits": lambda _d, _q, queue, _r: queue.requeue(),
    "which were interrupted": lambda _d, _q, queue, _r: queue.interrupted(),
    "which waited too long": lambda _d, _q, queue, _r: queue.overdue(NOON),
    "which results are due": lambda _d, _q, _w, results: results.due(NOON),
    "what a partner asked within the minute": lambda database, _q, _w, _r: minute(database),
    "the last that a partner sees": lambda _d, queries, _w, _r: queries.page(PUBLISHER),
    "those of it that run": lambda _d, queries, _w, _r: queries.page(PUBLISHER, state=QueryState.RUNNING),
    "the last of a collaboration": lambda _d, queries, _w, _r: queries.asked(RETAIL_MEDIA, limit=9),
    "one that a partner sees": lambda _d, queries, _w, _r: queries.get(query("q1").id, PUBLISHER),
}


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.mark.parametrize("asked", ASKED)
def test_no_question_reads_every_query(
    database: Database, log: Log, queries: Queries, results: Results, asked: str
) -> None:
    queries.submit(query("q1"), happened())
    said = list[tuple[str, Any]]()

    def listen(_connection: Connection, _cursor: object, statement: str, values: Any, *_: object) -> None:
        said.append((statement, values))

    event.listen(database._engine, "before_cursor_execute", listen)
    ASKED[asked](database, queries, Queue(database, log, Clock()), results)
    event.remove(database._engine, "before_cursor_execute", listen)
    reads = [(statement, values) for statement, values in said if statement.startswith("SELECT")]
    assert reads
    with database.read() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values).all() for text, values in reads]
    steps = [step[-1] for plan in plans for step in plan]
    assert not [step for step in steps if step.startswith(("SCAN query", "SCAN recent_request"))]
