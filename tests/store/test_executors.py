from __future__ import annotations

import pytest

from cleanroom.store.database import Database
from cleanroom.store.executors import FORGOTTEN_S, ExecutorRecord, Executors
from tests.store.world import NOON, later


@pytest.fixture
def executors(database: Database) -> Executors:
    return Executors(database)


def test_an_executor_is_known_from_its_first_stamp_to_its_end(executors: Executors) -> None:
    assert executors.list() == ()
    executors.stamp("one", NOON)
    executors.stamp("two", later(1))
    executors.stamp("one", later(5))
    assert executors.list() == (ExecutorRecord("one", NOON, later(5)), ExecutorRecord("two", later(1), later(1)))
    executors.remove("one")
    executors.remove("one")
    assert [record.name for record in executors.list()] == ["two"]


def test_any_that_was_seen_a_moment_ago_will_do(executors: Executors) -> None:
    assert not executors.seen(NOON, 30)
    executors.stamp("one", NOON)
    executors.stamp("two", later(-1000))
    assert executors.seen(later(30), 30)
    assert not executors.seen(later(30.1), 30)


def test_a_clock_that_was_set_back_revives_nobody(executors: Executors) -> None:
    executors.stamp("one", later(3600))
    assert not executors.seen(NOON, 30)
    executors.stamp("one", NOON)
    assert executors.seen(NOON, 30)


@pytest.mark.parametrize("away_s", [FORGOTTEN_S + 1, -FORGOTTEN_S - 1])
def test_whoever_says_nothing_for_long_is_forgotten(executors: Executors, away_s: float) -> None:
    executors.stamp("dead", NOON)
    executors.stamp("alive", later(away_s / 2))
    assert len(executors.list()) == 2
    executors.stamp("alive", later(away_s))
    assert [record.name for record in executors.list()] == ["alive"]
