"""Executors whose clocks jump by hours, and that die: each query ends once, at most one answer is released, none is lost."""

from __future__ import annotations

import datetime
import random
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import select

from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import FINAL_STATES, QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.queue import LONGEST_LEASE, Queue
from cleanroom.store.schema import result
from tests.store.world import NOON, Clock, happened, query, sealed

QUERIES = 6
STEPS = 80
LEASE = datetime.timedelta(seconds=15)
JUMPS = [datetime.timedelta(hours=h) for h in (-5, -1, 1, 5)] + [datetime.timedelta(minutes=m) for m in (-3, -1, 1, 3)]
ENDS = {EventKind.QUERY_RELEASED, EventKind.QUERY_FAILED, EventKind.QUERY_CANCELLED}


class Executor:
    """What an executor does with the queue, one act at a time, by a clock of its own."""

    def __init__(self, database: Database, log: Log, name: str) -> None:
        self._world = (database, log)
        self._name = name
        self._lives = 0
        self.clock = Clock()
        self.held: dict[QueryId, bool] = {}  # whether it has started
        self.queue = Queue(database, log, self.clock)

    def step(self, dice: random.Random) -> None:
        dice.choice(ACTS)(self, dice)

    def lease(self, _dice: random.Random) -> None:
        record = self.queue.lease(f"{self._name}{self._lives}", self.clock.now() + LEASE)
        if record is not None:
            assert record.id not in self.held
            self.held[record.id] = False

    def start(self, dice: random.Random) -> None:
        for name in self._some(dice):
            self.held[name] = self.queue.started(name, self._event(EventKind.QUERY_STARTED, name)) or self.held[name]

    def renew(self, _dice: random.Random) -> None:
        for name in list(self.held):
            if not self.queue.renew(name, self.clock.now() + LEASE):
                self._drop(name)

    def succeed(self, dice: random.Random) -> None:
        for name in self._some(dice):
            self.queue.succeed(name, sealed(name), 1, self._event(EventKind.QUERY_RELEASED, name))
            self._drop(name)

    def sweep(self, _dice: random.Random) -> None:
        mine = set(self.held)
        self.queue.requeue()
        for record in self.queue.interrupted():
            assert record.id not in mine
            self.queue.fail(record.id, "execution.interrupted", self._event(EventKind.QUERY_FAILED, record.id))

    def jump(self, dice: random.Random) -> None:
        self.clock.at += dice.choice(JUMPS)

    def die(self, _dice: random.Random) -> None:
        """The next one by that name knows nothing of what this one held."""
        self._lives += 1
        self.held.clear()
        self.queue = Queue(*self._world, self.clock)

    def _drop(self, name: QueryId) -> None:
        self.held.pop(name, None)
        self.queue.forget(name)

    def _some(self, dice: random.Random) -> list[QueryId]:
        return dice.sample(sorted(self.held), k=min(1, len(self.held)))

    def _event(self, kind: EventKind, name: QueryId) -> object:
        return happened(kind, at=self.clock.now(), query=name)


ACTS: list[Callable[[Executor, random.Random], None]] = [
    *(Executor.lease, Executor.start, Executor.renew, Executor.succeed) * 2,
    Executor.sweep,
    Executor.jump,
    Executor.die,
]


@pytest.mark.parametrize("seed", range(10))
def test_clocks_that_jump_lose_no_query_and_release_none_twice(
    database: Database, log: Log, queries: Queries, seed: int
) -> None:
    dice = random.Random(seed)
    names = [QueryId(f"q{n}") for n in range(QUERIES)]
    for name in names:
        queries.submit(query(name), happened(EventKind.QUERY_APPROVED, query=name))
    executors = [Executor(database, log, name) for name in "ab"]
    for _ in range(STEPS):
        dice.choice(executors).step(dice)
    last = Executor(database, log, "c")  # the machine's clock is right again, and time goes by
    last.clock.at = NOON
    while any(record.state not in FINAL_STATES for record in queries.page().records):
        last.clock.at += LONGEST_LEASE
        last.sweep(dice)
        last.lease(dice)
        last.start(dice)
        last.succeed(dice)
        assert last.clock.at < NOON + 100 * LONGEST_LEASE
    events = [logged.event for logged in log.events(limit=1000)]
    ended = Counter(event.query for event in events if event.kind in ENDS)
    assert ended == dict.fromkeys(names, 1)
    with database.read() as connection:
        answered = set(connection.execute(select(result.c.query)).scalars())
    for name in names:
        record = queries.get(name)
        assert record is not None
        of_it = [event.kind for event in events if event.query == name]
        assert of_it.count(EventKind.QUERY_STARTED) <= 1
        assert of_it[0] is EventKind.QUERY_APPROVED
        assert of_it[-1] in ENDS
        assert (EventKind.QUERY_RELEASED in of_it) == (record.state is QueryState.SUCCEEDED) == (name in answered)
    assert log.verify().holds
