"""One query from the queue to its end: the real store, broker, engine and worker processes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from sqlalchemy import text

from cleanroom import broker
from cleanroom.domain.errors import LogError
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, QueryId
from cleanroom.domain.policy import Connection, ConnectionType, Policy
from cleanroom.domain.query import QueryRecord, QueryState
from cleanroom.domain.steps import ExecutablePlan
from cleanroom.executor import events
from cleanroom.executor.pool import Pool
from cleanroom.store.queue import Queue
from cleanroom.store.results import result_digest
from tests.arrow import arrow_bytes
from tests.executor.homes import (
    BY_REGION,
    JOINED,
    MONSTROUS,
    PEOPLE,
    ROOM,
    SHOP,
    SPENT,
    VIEWS,
    Room,
    later,
    make_executor,
    make_pool,
    make_room,
    people,
    views,
)
from tests.executor.processes import children, eventually, running


@pytest.fixture
def room(tmp_path: Path, home_url: str | None) -> Iterator[Room]:
    room = make_room(tmp_path, url=home_url)
    yield room
    verification = room.home.drawers.log.verify()
    room.home.close()
    assert verification.holds
    assert children(os.getpid()) == ()
    assert list(room.home.path.glob("scratch/*")) == []


@pytest.fixture
def pool(room: Room) -> Iterator[Pool]:
    pool = make_pool(room)
    yield pool
    pool.close()


@pytest.fixture
def crowded(room: Room) -> Room:
    """A room in which MONSTROUS has 4·10^9 rows to count."""
    room.write(PEOPLE, people(40_000))
    room.write(VIEWS, views(100_000, 40_000))
    return room


def ended(room: Room) -> tuple[str, str | None]:
    record = room.query()
    assert (record.state is QueryState.SUCCEEDED) == room.has_result()
    return record.state.value, record.failure


@pytest.mark.databases
def test_a_released_result_holds_no_small_group_and_the_log_holds_its_digest(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    assert make_executor(room, pool).run_one()
    assert room.rows() == [{"region": "north", "people": 495}, {"region": "south", "people": 495}]
    assert room.query().row_count == 2
    assert room.kinds() == ["query.started", "query.released"]
    assert room.log()[-1][1] == {
        "columns": 2,
        "digest": result_digest(room.stored()),
        "partner": room.query().principal.partner,
        "receivers": ["media", "shop"],
    }


def test_what_the_log_says_of_a_release_tells_nothing_of_the_result_to_whoever_guesses_it(
    room: Room, pool: Pool
) -> None:
    executor = make_executor(room, pool)
    digests = []
    for query in ("q1", "q2"):
        room.submit(BY_REGION, query)
        assert executor.run_one()
        digest = room.log(query)[-1][1]["digest"]
        guessed = pa.ipc.open_stream(room.stored(query)).read_all().replace_schema_metadata(None)
        assert result_digest(arrow_bytes(guessed)) != digest
        assert result_digest(room.stored(query)) == digest
        digests.append(digest)
    assert digests[0] != digests[1]


def test_datasets_of_two_partners_are_joined(room: Room, pool: Pool) -> None:
    room.submit(JOINED)
    make_executor(room, pool).run_one()
    assert sorted(row["n"] for row in room.rows()) == [1000, 1000]


def test_csv_files_of_a_pattern_are_read_as_one_dataset(room: Room, pool: Pool) -> None:
    folder = room.data / "shop/people"
    folder.mkdir()
    for part in range(3):
        rows = "".join(f"{part * 100 + i},north,1,2\n" for i in range(100))
        (folder / f"{part}.csv").write_text("person,region,bucket,amount\n" + rows)
    (room.data / "shop/current").symlink_to("people")
    room.redeclare(PEOPLE, source="current/*.csv")
    room.submit(BY_REGION)
    make_executor(room, pool).run_one()
    assert room.rows() == [{"region": "north", "people": 300}]


def test_queries_run_in_the_order_of_their_submission_until_there_is_none(room: Room, pool: Pool) -> None:
    executor = make_executor(room, pool)
    room.submit(BY_REGION, "q1")
    room.submit(JOINED, "q2")
    assert [executor.run_one() for _ in range(3)] == [True, True, False]
    assert room.query("q2").state is QueryState.SUCCEEDED


def no_file(path: Path) -> None:
    path.unlink()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def no_parquet(path: Path) -> None:
    path.write_text("person,region\n17,Bonn\n")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def linked_out(path: Path) -> None:
    path.rename(path.parents[2] / "elsewhere.parquet")
    path.symlink_to(path.parents[2] / "elsewhere.parquet")


def of_the_other_partner(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.parents[1] / "media/views.parquet")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (no_file, "source.missing"),
        (truncated, "source.unreadable"),
        (no_parquet, "source.unreadable"),
        (empty, "source.unreadable"),
        (linked_out, "source.outside_root"),
        (of_the_other_partner, "source.outside_root"),
        (fifo, "source.unreadable"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_spoiled_source_fails_with_its_code_and_no_other_word(
    room: Room, pool: Pool, spoil: Callable[[Path], None], code: str
) -> None:
    spoil(room.data / "shop/people.parquet")
    room.submit(BY_REGION)
    make_executor(room, pool).run_one()
    assert ended(room) == ("failed", code)
    assert room.log()[1:] == [("query.failed", {"code": code, "partner": "media"})]


def test_a_source_of_another_schema_fails(room: Room, pool: Pool) -> None:
    columns = {name: values for name, values in people().items() if name != "region"}
    room.write(PEOPLE, columns)
    room.submit(BY_REGION)
    make_executor(room, pool).run_one()
    assert ended(room) == ("failed", "source.schema_changed")


def test_a_root_that_is_admitted_to_another_partner_is_not_read(room: Room, pool: Pool) -> None:
    roots = {SHOP: (str(room.data / "media"),)}
    room.submit(BY_REGION)
    make_executor(room, pool, changed={"roots": lambda partner: roots.get(partner, ())}).run_one()
    assert ended(room) == ("failed", "source.outside_root")


@pytest.mark.parametrize(
    "name", ["CLEANROOM_SECRET_SHOP_LAKE", "CLEANROOM_SECRET_MEDIA_LAKE", "CLEANROOM_DATABASE_URL"]
)
def test_a_secret_that_is_not_there_or_not_the_partners_fails(tmp_path: Path, name: str) -> None:
    connection = Connection(
        ConnectionName("shop"), SHOP, ConnectionType.FILES, {"root": str(tmp_path / "data/shop")}, f"env:{name}"
    )
    room = make_room(tmp_path)
    pool = make_pool(room, spares=0)
    room.submit(BY_REGION)

    class Book:
        def connection(self, asked: ConnectionName) -> Connection:
            return connection

    secrets = {"CLEANROOM_SECRET_MEDIA_LAKE": "hunter2", "CLEANROOM_DATABASE_URL": "sqlite://"}
    make_executor(room, pool, changed={"connections": Book(), "secrets": secrets}).run_one()
    assert ended(room) == ("failed", "source.secret_missing")
    pool.close()
    room.home.close()


@pytest.mark.databases
def test_a_broken_promise_is_told_to_its_owner_alone(room: Room, pool: Pool) -> None:
    rows = people()
    room.write(PEOPLE, {**rows, "person": [*rows["person"][:-1], 0]})
    room.submit(SPENT)
    make_executor(room, pool).run_one()
    assert ended(room) == ("failed", "source.claim_broken")
    assert room.kinds() == ["query.started", "claim.broken", "query.failed"]
    assert room.log()[1][1] == {"columns": ["person"], "promise": "unique"}
    events = [entry.event for entry in room.home.drawers.log.events(limit=1000)]
    (broken,) = (event for event in events if event.kind is EventKind.CLAIM_BROKEN)
    assert (broken.datasets, broken.collaboration) == ((PEOPLE,), None)


def test_a_claim_is_checked_once_for_each_snapshot(room: Room, pool: Pool) -> None:
    executor = make_executor(room, pool)
    for query in ("q1", "q2"):
        room.submit(SPENT, query)
        executor.run_one()
    assert room.query("q2").state is QueryState.SUCCEEDED
    rows = people()
    room.write(PEOPLE, {**rows, "person": [*rows["person"][:-1], 0]})
    room.submit(SPENT, "q3")
    executor.run_one()
    assert room.query("q3").failure == "source.claim_broken"


def test_a_query_that_overruns_its_deadline_fails(crowded: Room, pool: Pool) -> None:
    crowded.submit(MONSTROUS)
    make_executor(crowded, pool, deadline_s=1).run_one()
    assert ended(crowded) == ("failed", "engine.deadline")
    assert crowded.kinds() == ["query.started", "query.failed"]


def test_a_query_that_needs_more_memory_than_it_may_fails(crowded: Room) -> None:
    pool = make_pool(crowded, memory_mb=10, spares=0)
    crowded.submit(JOINED)
    make_executor(crowded, pool).run_one()
    pool.close()
    assert ended(crowded) == ("failed", "engine.memory")


def in_the_middle(room: Room, pool: Pool, act: Callable[[int], None], **settings: float) -> float:
    """Runs the queued query, lets `act` loose on its worker's pid once it computes; how long it ran on after, in seconds."""
    executor = make_executor(room, pool, **settings)  # type: ignore[arg-type]
    pool.prove()
    worker = pool.pids()[0]
    thread = threading.Thread(target=executor.run_one)
    thread.start()
    assert eventually(lambda: "query.started" in room.kinds())
    assert eventually(lambda: bool(list(Path(f"/proc/{worker}/cwd").resolve().glob("query-*"))))
    time.sleep(0.3)
    act(worker)
    acted = time.monotonic()
    thread.join()
    assert not running(worker)
    return time.monotonic() - acted


def test_a_worker_that_is_killed_fails_its_query(crowded: Room, pool: Pool) -> None:
    crowded.submit(MONSTROUS)
    in_the_middle(crowded, pool, lambda worker: os.kill(worker, signal.SIGKILL))
    assert ended(crowded) == ("failed", "engine.interrupted")
    assert crowded.kinds() == ["query.started", "query.failed"]


@pytest.mark.databases
def test_a_running_query_is_cancelled_at_once(crowded: Room, pool: Pool) -> None:
    crowded.submit(MONSTROUS)
    event = Event(EventKind.QUERY_CANCELLED, later(0), query=QueryId("q1"))
    took_s = in_the_middle(crowded, pool, lambda _: crowded.home.drawers.queries.request_cancel(QueryId("q1"), event))
    assert took_s < 3  # a second, and what a busy machine adds
    assert ended(crowded) == ("cancelled", None)
    assert crowded.kinds() == ["query.started", "query.cancel_requested", "query.cancelled"]


def test_a_source_that_changes_while_it_is_read_is_not_released(room: Room, pool: Pool) -> None:
    room.write(PEOPLE, people(400))
    room.write(VIEWS, views(100_000))
    room.submit(MONSTROUS)
    in_the_middle(room, pool, lambda _: os.utime(room.data / "shop/people.parquet"))
    assert ended(room) == ("failed", "source.changed")


def test_a_query_whose_lease_is_lost_is_stopped_and_nothing_is_written_of_it(crowded: Room, pool: Pool) -> None:
    def steal(_: int) -> None:
        with crowded.home.database.begin() as transaction:
            transaction.execute(text("UPDATE query SET lease_holder = 'another'"))

    crowded.submit(MONSTROUS)
    in_the_middle(crowded, pool, steal, lease_s=1)
    assert crowded.query().state is QueryState.RUNNING
    assert crowded.kinds() == ["query.started"]
    assert not crowded.has_result()


def forbid(room: Room, kind: EventKind) -> None:
    """From now on the database refuses every entry of the log of that kind."""
    refuse = f"""CREATE TRIGGER refuse BEFORE INSERT ON log_entry
        WHEN instr(CAST(NEW.canonical AS TEXT), '"{kind.value}"') BEGIN SELECT RAISE(ABORT, 'full'); END"""
    if room.url is not None:
        refuse = f"""ALTER TABLE log_entry ADD CONSTRAINT refuse
            CHECK (position('"{kind.value}"'::bytea IN canonical) = 0) NOT VALID"""
    with room.home.database.begin() as transaction:
        transaction.exec_driver_sql(refuse)


@pytest.mark.databases
def test_where_the_start_cannot_be_logged_nothing_runs(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    forbid(room, EventKind.QUERY_STARTED)
    pool.prove()
    before = pool.pids()
    with pytest.raises(LogError):
        make_executor(room, pool).run_one()
    assert pool.pids() == before
    assert (room.query().state, room.has_result(), room.kinds()) == (QueryState.RUNNING, False, [])


@pytest.mark.databases
def test_where_the_release_cannot_be_logged_nothing_is_released(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    forbid(room, EventKind.QUERY_RELEASED)
    with pytest.raises(LogError):
        make_executor(room, pool).run_one()
    assert (room.query().state, room.has_result(), room.kinds()) == (QueryState.RUNNING, False, ["query.started"])


def left_by_the_dead(room: Room, *, begun: bool) -> None:
    """The query is leased, and started where it had `begun`, by an executor that is no more."""
    dead = Queue(room.home.database, room.home.drawers.log, room.home.clock)
    record = dead.lease("dead", later(60))
    assert record is not None
    if begun:
        assert dead.started(record.id, events.started(record, later(0)))
    assert dead.renew(record.id, later(-1))


@pytest.mark.databases
def test_what_an_earlier_executor_left_running_fails_and_says_so(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    left_by_the_dead(room, begun=True)
    make_executor(room, pool).sweep()
    assert ended(room) == ("failed", "execution.interrupted")
    assert room.log()[1:] == [("query.failed", {"code": "execution.interrupted", "partner": "media"})]


@pytest.mark.databases
def test_what_an_earlier_executor_had_not_begun_runs_after_all(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    left_by_the_dead(room, begun=False)
    executor = make_executor(room, pool)
    executor.sweep()
    assert room.query().state is QueryState.QUEUED
    assert executor.run_one()
    assert room.kinds() == ["query.started", "query.released"]


@pytest.mark.parametrize("begun", [True, False])
def test_what_was_to_stop_as_its_executor_died_is_cancelled(room: Room, pool: Pool, begun: bool) -> None:
    room.submit(BY_REGION)
    left_by_the_dead(room, begun=begun)
    event = Event(EventKind.QUERY_CANCELLED, later(0), query=QueryId("q1"))
    room.home.drawers.queries.request_cancel(QueryId("q1"), event)
    make_executor(room, pool).sweep()
    assert ended(room) == ("cancelled", None)
    assert room.kinds() == [*["query.started"] * begun, "query.cancel_requested", "query.cancelled"]


def test_a_query_that_is_cancelled_as_it_is_leased_never_starts(room: Room, pool: Pool) -> None:
    def prepare(record: QueryRecord, policy: Policy) -> ExecutablePlan:
        event = Event(EventKind.QUERY_CANCELLED, later(0), query=record.id)
        room.home.drawers.queries.request_cancel(record.id, event)
        return broker.prepare(record, policy)

    room.submit(BY_REGION)
    make_executor(room, pool, changed={"prepare": prepare}).run_one()
    assert ended(room) == ("cancelled", None)
    assert room.kinds() == ["query.cancel_requested", "query.cancelled"]


@pytest.mark.databases
def test_a_query_that_waited_too_long_fails_and_says_so(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION, "q1")
    executor = make_executor(room, pool, queue_deadline_s=0.2)
    executor.sweep()
    assert room.query().state is QueryState.QUEUED
    time.sleep(0.2)
    executor.sweep()
    assert ended(room) == ("failed", "queue.deadline")
    assert room.log() == [("query.failed", {"code": "queue.deadline", "partner": "media"})]
    assert not executor.run_one()


def test_a_sweep_leaves_alone_what_the_executor_itself_runs_whatever_the_clock_says(room: Room, pool: Pool) -> None:
    def prepare(record: QueryRecord, policy: Policy) -> ExecutablePlan:
        room.home.drawers.queue.renew(record.id, later(-3600))
        executor.sweep()
        room.home.drawers.queue.renew(record.id, later(60))
        return broker.prepare(record, policy)

    room.submit(BY_REGION)
    executor = make_executor(room, pool, changed={"prepare": prepare})
    executor.run_one()
    assert ended(room) == ("succeeded", None)


def test_what_another_executor_is_running_is_left_alone(room: Room, pool: Pool) -> None:
    room.submit(BY_REGION)
    assert room.home.drawers.queue.lease("alive", later(60))
    make_executor(room, pool).sweep()
    assert room.query().state is QueryState.RUNNING


def test_a_query_that_its_pinned_rules_refuse_does_not_start(room: Room, pool: Pool) -> None:
    sql = "SELECT region, COUNT(person) AS n FROM shop.people GROUP BY region"
    room.submit(sql)
    with room.home.database.begin() as transaction:
        transaction.execute(text("UPDATE query SET sql = 'SELECT person FROM shop.people'"))
    make_executor(room, pool).run_one()
    assert ended(room) == ("failed", "query.not_approved")
    assert room.kinds() == ["query.failed"]


def test_a_collaboration_that_is_not_there_fails(room: Room, pool: Pool) -> None:
    class Book:
        def policy(self, collaboration: CollaborationName, versions: object = None) -> Policy | None:
            assert collaboration == ROOM
            return None

    room.submit(BY_REGION)
    make_executor(room, pool, changed={"book": Book()}).run_one()
    assert ended(room) == ("failed", "execution.policy_missing")


def test_a_bug_is_a_code_and_no_text(room: Room, pool: Pool) -> None:
    def prepare(record: QueryRecord, policy: Policy) -> ExecutablePlan:
        raise ZeroDivisionError("user 17 lives in Bonn")

    room.submit(BY_REGION)
    make_executor(room, pool, changed={"prepare": prepare}).run_one()
    assert ended(room) == ("failed", "execution.failed")
    assert room.log() == [("query.failed", {"code": "execution.failed", "partner": "media"})]
