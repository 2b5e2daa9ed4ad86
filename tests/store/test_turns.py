"""Partners take turns at the queue, and what nobody started goes back to it."""

from __future__ import annotations

import pytest

from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import QueryState
from cleanroom.domain.quota import Quota
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.queue import Queue
from cleanroom.store.quotas import Quotas
from tests.store.world import ANALYST, NOON, PUBLISHER, RUTH, Clock, happened, later, query

Q1 = QueryId("q1")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(database: Database, log: Log, clock: Clock) -> Queue:
    return Queue(database, log, clock)


@pytest.fixture
def other(database: Database, log: Log, clock: Clock) -> Queue:
    return Queue(database, log, clock)


def leased(queue: Queue) -> str | None:
    record = queue.lease("one", later(60))
    return None if record is None else record.id


def test_a_partner_that_asks_much_does_not_keep_another_waiting(queries: Queries, queue: Queue) -> None:
    for name in ("p1", "p2", "p3", "p4"):
        queries.submit(query(name, principal=ANALYST), happened())
    for name in ("r1", "r2"):
        queries.submit(query(name, principal=RUTH), happened())
    assert [leased(queue) for _ in range(7)] == ["p1", "r1", "p2", "r2", "p3", "p4", None]


def test_whoever_was_served_longest_ago_is_next_though_its_query_is_younger(queries: Queries, queue: Queue) -> None:
    for name in ("p1", "p2"):
        queries.submit(query(name, principal=ANALYST), happened())
    assert leased(queue) == "p1"
    assert queue.fail(QueryId("p1"), "engine.failed", happened())
    queries.submit(query("r1", principal=RUTH), happened())
    assert leased(queue) == "r1"
    assert queue.fail(QueryId("r1"), "engine.failed", happened())
    assert leased(queue) == "p2"


def test_no_more_run_of_a_partner_at_once_than_its_quota_says(
    database: Database, log: Log, queries: Queries, queue: Queue
) -> None:
    Quotas(database, log).set(PUBLISHER, Quota(most_running=1), NOON)
    for name in ("p1", "p2"):
        queries.submit(query(name), happened())
    queries.submit(query("r1", principal=RUTH), happened())
    assert [leased(queue) for _ in range(3)] == ["p1", "r1", None]
    assert queue.fail(QueryId("p1"), "engine.failed", happened())
    assert leased(queue) == "p2"


def test_what_was_leased_but_never_started_waits_again(
    queries: Queries, queue: Queue, other: Queue, clock: Clock, log: Log
) -> None:
    queries.submit(query("q1"), happened())
    assert leased(queue) == "q1"
    clock.at = later(60)
    assert other.requeue() == 0
    clock.at = later(61)
    assert other.requeue() == 1
    assert queries.get(Q1) == query("q1")
    assert not queue.started(Q1, happened(EventKind.QUERY_STARTED))
    record = other.lease("two", later(120))
    assert record is not None
    assert not queue.started(Q1, happened(EventKind.QUERY_STARTED))
    assert not queue.fail(Q1, "engine.failed", happened())
    assert other.started(Q1, happened(EventKind.QUERY_STARTED))
    assert log.size() == 3


def test_what_was_started_does_not_wait_again(queries: Queries, queue: Queue, other: Queue, clock: Clock) -> None:
    queries.submit(query("q1"), happened())
    leased(queue)
    assert queue.started(Q1, happened(EventKind.QUERY_STARTED))
    clock.at = later(61)
    assert other.requeue() == 0
    assert [record.id for record in other.interrupted()] == ["q1"]


def test_what_somebody_asked_to_stop_does_not_wait_again(
    queries: Queries, queue: Queue, other: Queue, clock: Clock
) -> None:
    queries.submit(query("q1"), happened())
    leased(queue)
    queries.request_cancel(Q1, happened())
    assert not queue.started(Q1, happened(EventKind.QUERY_STARTED))
    clock.at = later(61)
    assert other.requeue() == 0
    assert [record.id for record in other.interrupted()] == ["q1"]
    assert other.cancelled(Q1, happened(EventKind.QUERY_CANCELLED))


@pytest.mark.parametrize("begun", [True, False])
def test_what_an_executor_runs_itself_is_not_interrupted_until_it_lets_go(
    queries: Queries, queue: Queue, clock: Clock, begun: bool
) -> None:
    queries.submit(query("q1"), happened())
    leased(queue)
    if begun:
        assert queue.started(Q1, happened(EventKind.QUERY_STARTED))
    clock.at = later(7200)
    assert queue.requeue() == 0
    assert queue.interrupted() == ()
    queue.forget(Q1)
    assert queue.requeue() == (0 if begun else 1)
    assert len(queue.interrupted()) == (1 if begun else 0)


def test_an_executor_does_not_lease_what_a_thread_of_its_own_still_holds(
    queries: Queries, queue: Queue, other: Queue, clock: Clock
) -> None:
    queries.submit(query("q1"), happened())
    leased(queue)
    clock.at = later(61)
    assert other.requeue() == 1
    assert leased(queue) is None
    queue.forget(Q1)
    assert leased(queue) == "q1"


def test_a_clock_that_was_set_back_keeps_no_dead_lease_alive(
    queries: Queries, queue: Queue, other: Queue, clock: Clock
) -> None:
    queries.submit(query("q1"), happened())
    leased(queue)
    clock.at = later(-7200)
    assert other.requeue() == 1


def test_what_waits_too_long_is_given_up_once(queries: Queries, queue: Queue, log: Log) -> None:
    queries.submit(query("q1"), happened())
    queries.submit(query("q2", submitted_at=later(10)), happened())
    assert [record.id for record in queue.overdue(later(10))] == ["q1"]
    assert queue.give_up(Q1, "queue.deadline", happened(EventKind.QUERY_FAILED, at=later(9)))
    assert not queue.give_up(Q1, "queue.deadline", happened(EventKind.QUERY_FAILED))
    found = queries.get(Q1)
    assert found is not None
    assert (found.state, found.failure, found.finished_at) == (QueryState.FAILED, "queue.deadline", later(9))
    assert log.size() == 4
    leased(queue)
    assert not queue.give_up(QueryId("q2"), "queue.deadline", happened(EventKind.QUERY_FAILED))
