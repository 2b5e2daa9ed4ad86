from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import select

from cleanroom.domain.errors import LogError
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import FINAL_STATES, QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.queue import Queue
from cleanroom.store.results import Results, result_digest
from cleanroom.store.schema import result
from tests.store.world import Clock, happened, later, query, sealed

Q1 = QueryId("q1")
END: dict[str, Callable[[Queue], bool]] = {
    "succeed": lambda queue: queue.succeed(Q1, sealed(), 3, happened(EventKind.QUERY_RELEASED)),
    "fail": lambda queue: queue.fail(Q1, "engine.deadline", happened(EventKind.QUERY_FAILED)),
    "cancelled": lambda queue: queue.cancelled(Q1, happened(EventKind.QUERY_CANCELLED)),
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(database: Database, log: Log, clock: Clock) -> Queue:
    return Queue(database, log, clock)


@pytest.fixture
def other(database: Database, log: Log, clock: Clock) -> Queue:
    """Another executor, even one that goes by the same name."""
    return Queue(database, log, clock)


def _run(queues: Queries, queue: Queue) -> None:
    queues.submit(query("q1"), happened())
    assert queue.lease("one", later(60)) is not None
    assert queue.started(Q1, happened(EventKind.QUERY_STARTED))


def has_result(database: Database) -> bool:
    with database.read() as connection:
        return connection.execute(select(result)).first() is not None


def test_the_oldest_query_is_leased_first(queries: Queries, queue: Queue) -> None:
    for name in ("q3", "q1", "q2"):
        queries.submit(query(name), happened())
    queries.submit(query("q0", QueryState.REJECTED), happened())
    leased = [queue.lease("one", later(60)) for _ in range(4)]
    assert [record and record.id for record in leased] == ["q3", "q1", "q2", None]
    assert {record.state for record in leased if record} == {QueryState.RUNNING}


def test_many_threads_lease_each_query_once(database: Database, log: Log, queries: Queries, clock: Clock) -> None:
    for n in range(20):
        queries.submit(query(f"q{n}"), happened())
    taken: list[str] = []

    def take_all(name: str) -> None:
        mine = Queue(database, log, clock)
        while record := mine.lease(name, later(60)):
            taken.append(record.id)

    threads = [threading.Thread(target=take_all, args=(f"w{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"q{n}" for n in range(20))


def test_a_released_query_has_its_result_and_event(results: Results, queries: Queries, queue: Queue, log: Log) -> None:
    _run(queries, queue)
    body = results.seal(Q1, b"arrow", later(99))
    assert queue.succeed(Q1, body, 3, happened(EventKind.QUERY_RELEASED, at=later(9)))
    found, opened = queries.get(Q1), results.open(Q1)
    assert found is not None
    assert opened is not None
    assert (found.state, found.row_count, found.finished_at) == (QueryState.SUCCEEDED, 3, later(9))
    assert found.expires_at == later(99)
    assert (tuple(opened.chunks()), opened.size_bytes, opened.digest) == ((b"arrow",), 5, result_digest(b"arrow"))
    kinds = [logged.event.kind for logged in log.events(after=1)]
    assert kinds == [EventKind.QUERY_STARTED, EventKind.QUERY_RELEASED]


def test_a_failed_query_says_why(queries: Queries, queue: Queue) -> None:
    _run(queries, queue)
    assert END["fail"](queue)
    found = queries.get(Q1)
    assert found is not None
    assert (found.state, found.failure) == (QueryState.FAILED, "engine.deadline")


def test_a_query_may_fail_before_it_starts(queries: Queries, queue: Queue) -> None:
    queries.submit(query("q1"), happened())
    queue.lease("one", later(60))
    assert END["fail"](queue)


def test_a_release_whose_event_cannot_be_written_is_no_release(
    database: Database, queries: Queries, queue: Queue
) -> None:
    _run(queries, queue)
    with pytest.raises(LogError):
        queue.succeed(Q1, sealed(), 3, happened(data={"n": 2**60}))
    found = queries.get(Q1)
    assert found is not None
    assert found.state is QueryState.RUNNING
    assert not has_result(database)
    assert END["fail"](queue)


@pytest.mark.parametrize("second", END)
@pytest.mark.parametrize("first", END)
def test_a_query_ends_once(
    database: Database, queries: Queries, queue: Queue, log: Log, first: str, second: str
) -> None:
    _run(queries, queue)
    assert END[first](queue)
    before, size = queries.get(Q1), log.size()
    assert not END[second](queue)
    assert (queries.get(Q1), log.size()) == (before, size)
    assert has_result(database) is (first == "succeed")


@pytest.mark.parametrize("end", END)
@pytest.mark.parametrize("state", [QueryState.QUEUED, *sorted(FINAL_STATES)])
def test_what_does_not_run_does_not_end(queries: Queries, queue: Queue, log: Log, state: QueryState, end: str) -> None:
    queries.submit(query("q1", state), happened())
    assert not END[end](queue)
    assert not queue.started(Q1, happened())
    assert not queue.renew(Q1, later(100))
    assert queries.get(Q1) == query("q1", state)
    assert log.size() == 2


@pytest.mark.parametrize("end", END)
def test_another_executor_does_not_end_a_query_under_a_living_lease(
    queries: Queries, queue: Queue, other: Queue, log: Log, end: str
) -> None:
    _run(queries, queue)
    size = log.size()
    assert not END[end](other)
    assert not other.started(Q1, happened())
    assert not other.renew(Q1, later(100))
    assert log.size() == size


def test_a_query_starts_once(queries: Queries, queue: Queue, log: Log) -> None:
    _run(queries, queue)
    assert not queue.started(Q1, happened())
    assert log.size() == 3


def test_a_query_does_not_start_under_a_lease_that_has_run_out(queries: Queries, queue: Queue, clock: Clock) -> None:
    queries.submit(query("q1"), happened())
    queue.lease("one", later(60))
    clock.at = later(61)
    assert not queue.started(Q1, happened())


def test_what_never_started_is_not_released(database: Database, queries: Queries, queue: Queue) -> None:
    queries.submit(query("q1"), happened())
    queue.lease("one", later(60))
    assert not END["succeed"](queue)
    assert not has_result(database)


def test_an_interrupted_query_is_ended_by_whoever_finds_it(
    queries: Queries, queue: Queue, other: Queue, clock: Clock
) -> None:
    _run(queries, queue)
    clock.at = later(60)
    assert other.interrupted() == ()
    assert not END["fail"](other)
    clock.at = later(61)
    assert [record.id for record in other.interrupted()] == [Q1]
    assert not END["succeed"](other)
    assert END["fail"](other)
    assert other.interrupted() == ()
    assert not END["succeed"](queue)


def test_a_renewed_lease_is_not_interrupted(queries: Queries, queue: Queue, other: Queue, clock: Clock) -> None:
    _run(queries, queue)
    assert queue.renew(Q1, later(120))
    clock.at = later(61)
    assert other.interrupted() == ()
    assert not END["fail"](other)
    assert END["succeed"](queue)


def test_the_executor_hears_that_it_should_stop(queries: Queries, queue: Queue) -> None:
    _run(queries, queue)
    assert not queue.cancel_requested(Q1)
    queries.request_cancel(Q1, happened())
    assert queue.cancel_requested(Q1)
    assert END["cancelled"](queue)
    assert not queue.cancel_requested(QueryId("none"))
