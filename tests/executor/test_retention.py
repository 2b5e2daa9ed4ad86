"""Results go when their time is over, and not when a clock says so that cannot be believed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import QueryState
from cleanroom.executor.retention import Retention
from cleanroom.store.database import Database
from cleanroom.store.keys import create_key
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.queries import Queries
from cleanroom.store.results import Results, write_result
from tests.store.world import NOON, happened, later, query

KEPT_S = 1000.0
SETTLE_S = 300.0


class World:
    """A result that is kept until later(KEPT_S), and clocks that are moved by hand."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'store.db'}")
        self.database.upgrade()
        self.log = Log(self.database, create_key(folder / "log.key", "x"))
        self.log.create(NOON)
        keys = MasterKeys(folder / "master.key")
        self.results = Results(self.database, self.log, keys)
        self.queries = Queries(self.database, self.log)
        with self.database.begin() as transaction:
            keys.begin(transaction, NOON)
        self.keep("q1", KEPT_S)
        self.running_s = 50.0
        self.ahead_s = 0.0
        self.retention = Retention(self.results, settle_s=SETTLE_S, monotonic=lambda: self.running_s)

    def keep(self, name: str, until_s: float) -> None:
        self.queries.submit(query(name, QueryState.SUCCEEDED), happened())
        with self.database.begin() as transaction:
            write_result(transaction, self.results.seal(QueryId(name), b"arrow", later(until_s)))

    def go(self, seconds: float, step_s: float = 10.0) -> int:
        """Time passes, and the executor sweeps as it does; how many results went."""
        gone = 0
        for _ in range(int(seconds / step_s)):
            self.running_s += step_s
            gone += self.retention.sweep(later(self.running_s + self.ahead_s))
        return gone


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.database.close()


def test_a_result_goes_when_its_time_is_over(world: World) -> None:
    assert world.go(KEPT_S - 60) == 0
    assert world.go(20) == 1
    found = world.queries.get(QueryId("q1"))
    assert found is not None
    assert found.state is QueryState.EXPIRED
    assert world.results.open(QueryId("q1")) is None
    last = world.log.events(after=world.log.size() - 2)[0].event
    assert (last.kind, last.query, last.data["receivers"]) == (EventKind.RESULT_EXPIRED, "q1", ["agency"])
    assert world.go(100) == 0


def test_an_executor_that_just_started_waits_until_it_knows_its_clock(world: World) -> None:
    world.running_s = 5000.0
    assert world.go(SETTLE_S) == 0
    assert world.go(10) == 1


@pytest.mark.parametrize("jump_s", [2000.0, 10.0**9])
def test_a_jump_that_is_set_right_in_time_costs_nothing(world: World, jump_s: float) -> None:
    world.go(400)
    world.ahead_s = jump_s
    assert world.go(SETTLE_S - 10) == 0
    world.ahead_s = 0
    assert world.go(200) == 0
    assert world.results.open(QueryId("q1")) is not None


def test_a_clock_that_keeps_jumping_is_never_believed(world: World) -> None:
    for _ in range(20):
        world.ahead_s = 10.0**6 - world.ahead_s
        assert world.go(SETTLE_S - 10) == 0


def test_a_new_time_that_lasts_is_the_time(world: World) -> None:
    world.go(400)
    world.ahead_s = 2000
    assert world.go(SETTLE_S) == 0
    assert world.go(10) == 1


def test_a_clock_that_is_set_back_keeps_results_longer(world: World) -> None:
    world.ahead_s = -10_000
    assert world.go(KEPT_S + 500) == 0
    assert world.go(10_000) == 1


def test_a_clock_that_is_slewed_is_believed(world: World) -> None:
    for _ in range(200):
        world.ahead_s += 0.005
        world.go(10)
    assert world.results.open(QueryId("q1")) is None


def test_what_an_earlier_version_kept_in_the_clear_is_expired(world: World) -> None:
    world.queries.submit(query("q0", QueryState.SUCCEEDED), happened())
    assert world.go(SETTLE_S + 20) == 1
    found = world.queries.get(QueryId("q0"))
    assert found is not None
    assert found.state is QueryState.EXPIRED
