"""The database goes away under a running server, the disk is full, two do the same at once: a clear error, nothing lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from werkzeug.test import TestResponse

from cleanroom.api.app import create_app
from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import open_home
from cleanroom.cli.application import apply_folder
from cleanroom.domain.errors import CleanroomError, Conflict
from cleanroom.domain.query import QueryState, Role
from tests import postgresql as real
from tests.cli.commands import POLICIES
from tests.cli.test_serving import serving
from tests.executor.homes import (
    BY_REGION,
    MEDIA,
    MONSTROUS,
    PEOPLE,
    VIEWS,
    Room,
    make_executor,
    make_pool,
    make_room,
    people,
    views,
)
from tests.executor.processes import eventually

ASK = "/v1/collaborations/room/queries"
SUBMITTED = ("query.approved",)


@dataclass(frozen=True)
class House:
    """A room behind its HTTP door, with a token of an analyst."""

    room: Room
    client: Callable[..., TestResponse]

    def ask(self, sql: str = BY_REGION, **headers: str) -> TestResponse:
        return self.client("POST", ASK, json={"sql": sql}, headers=headers)

    def get(self, path: str) -> TestResponse:
        return self.client("GET", path)

    def state(self, query: str) -> str:
        return str(self.get(f"/v1/queries/{query}").json.get("state"))


def open_door(room: Room) -> House:
    with room.home.database.begin() as transaction:
        drawer = room.home.drawers.tokens
        token, _ = drawer.create(transaction, MEDIA, (Role.ANALYST, Role.DATA_OWNER), at=room.home.clock.now())
    app = create_app(room.home, ApiSettings(poll_interval_s=0.05, heartbeat_limit_s=5))

    def client(method: str, path: str, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        sent = {"Authorization": f"Bearer {token}"} | {n.replace("_", "-"): v for n, v in (headers or {}).items()}
        return app.test_client().open(path, method=method, headers=sent, buffered=True, **options)

    return House(room, client)


@contextmanager
def working(room: Room, *, lease_s: float = 30) -> Iterator[None]:
    """An executor works on the room's queue for the length of the block."""
    stop = threading.Event()
    executor = make_executor(room, make_pool(room), lease_s=lease_s)
    thread = threading.Thread(target=executor.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def server() -> Iterator[real.Server]:
    """A PostgreSQL that may be stopped."""
    try:
        with real.serving() as running:
            yield running
    except real.Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture
def house(tmp_path: Path, home_url: str | None) -> Iterator[House]:
    room = make_room(tmp_path, url=home_url)
    yield open_door(room)
    room.home.close()


def assert_down(answer: TestResponse, *codes: str) -> None:
    assert answer.status_code == 503
    assert answer.json["code"] in codes
    assert set(answer.json) == {"type", "title", "status", "code", "detail", "request_id"}


@pytest.mark.parametrize("outage", [real.signal.SIGINT, real.signal.SIGQUIT], ids=["shut down", "crashed"])
def test_a_database_that_goes_away_for_a_moment_costs_nothing(
    server: real.Server, tmp_path: Path, outage: real.signal.Signals
) -> None:
    room = make_room(tmp_path, url=server.url(server.create()))
    room.write(PEOPLE, people(40_000))
    room.write(VIEWS, views(100_000, 40_000))
    house = open_door(room)
    with working(room):
        long = house.ask(MONSTROUS).json["id"]
        assert eventually(lambda: "query.started" in room.kinds(long))
        waiting = house.ask().json["id"]
        server.stop(outage)
        assert_down(house.ask(), "store.unavailable")
        assert_down(house.get(f"/v1/queries/{long}"), "store.unavailable")
        assert_down(house.client("POST", f"/v1/queries/{long}:cancel"), "store.unavailable")
        down = house.get("/readyz")
        assert (down.status_code, down.json["checks"]["database"]) == (503, "down")
        assert house.get("/healthz").status_code == 200
        time.sleep(2)
        server.start()
        assert eventually(lambda: house.get("/readyz").status_code == 200)
        assert house.state(long) == "running"  # it outlived the outage
        assert house.client("POST", f"/v1/queries/{long}:cancel").status_code == 202
        assert eventually(lambda: house.state(long) == "cancelled")
        assert eventually(lambda: house.state(waiting) == "succeeded")
        assert house.ask(Prefer="wait=20").json["state"] == "succeeded"
    assert room.kinds(long) == ["query.started", "query.cancel_requested", "query.cancelled"]
    assert room.kinds(waiting) == ["query.started", "query.released"]
    assert room.home.drawers.log.verify().holds
    room.home.close()


def test_an_answer_waits_for_a_database_that_is_away(server: real.Server, tmp_path: Path) -> None:
    room = make_room(tmp_path, url=server.url(server.create()))
    query = room.submit(BY_REGION).id
    away = threading.Event()

    class Queue:
        """Takes the database away once, just as the answer is there."""

        def __getattr__(self, name: str) -> Any:
            if name == "succeed" and not away.is_set():
                server.stop()
                away.set()
            return getattr(room.home.drawers.queue, name)

    pool = make_pool(room)
    running = threading.Thread(target=make_executor(room, pool, changed={"queue": Queue()}).run_one)
    running.start()
    assert away.wait(30)
    time.sleep(1)
    server.start()
    running.join()
    pool.close()
    assert room.query(query).state is QueryState.SUCCEEDED
    assert room.kinds(query) == ["query.started", "query.released"]
    assert room.has_result(query)
    assert room.home.drawers.log.verify().holds
    room.home.close()


def test_whoever_waits_for_an_answer_while_the_database_goes_learns_the_query_s_id(
    server: real.Server, tmp_path: Path
) -> None:
    room = make_room(tmp_path, url=server.url(server.create()))
    house = open_door(room)
    answers: list[TestResponse] = []
    asking = threading.Thread(target=lambda: answers.append(house.ask(Prefer="wait=30")))
    asking.start()
    assert eventually(lambda: bool(room.home.drawers.queries.page().records))
    time.sleep(1)  # it waits by now
    server.stop()
    asking.join()
    assert answers[0].status_code == 202
    server.start()
    assert house.state(answers[0].json["id"]) == "queued"
    room.home.close()


@pytest.mark.long
def test_a_server_of_real_processes_outlives_ten_seconds_without_its_database(
    server: real.Server, tmp_path: Path
) -> None:
    room = make_room(tmp_path, url=server.url(server.create()))
    with room.home.database.begin() as transaction:
        drawer = room.home.drawers.tokens
        token, _ = drawer.create(transaction, MEDIA, (Role.ANALYST,), at=room.home.clock.now())
    log = tmp_path / "log"
    with serving(room.home.path, token, log, **room.environment) as running:
        import httpx

        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=running.url, headers=headers, timeout=60) as client:
            ids = [client.post(ASK, json={"sql": BY_REGION}).json()["id"] for _ in range(5)]
            server.stop(real.signal.SIGQUIT)
            end = time.monotonic() + 10
            while time.monotonic() < end:
                answer = client.post(ASK, json={"sql": BY_REGION})
                assert (answer.status_code, answer.json()["code"]) == (503, "store.unavailable")
                assert client.get("/readyz").status_code == 503
                time.sleep(0.5)
            assert set(running.children()) == {"cleanroom.api", "cleanroom.executor"}
            server.start()
            assert eventually(lambda: client.get("/readyz").status_code == 200)
            assert client.post(ASK, json={"sql": BY_REGION}, headers={"Prefer": "wait=30"}).status_code == 201
            for query in ids:
                assert eventually(lambda query=query: room.query(query).state is QueryState.SUCCEEDED)
                assert room.kinds(query)[-1] == "query.released"
        for child in [running.process.pid, *running.children().values()]:
            assert server.password.encode() not in Path(f"/proc/{child}/cmdline").read_bytes()
    assert server.password not in log.read_text()
    assert room.home.drawers.log.verify().holds
    room.home.close()


@contextmanager
def full_disk(room: Room) -> Iterator[None]:
    """SQLite finds no room for another page for the length of the block."""

    def limit(connection: Any, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}").close()

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", limit)
    try:
        room.home.database.close()  # connections from now on are made under the limit
        yield
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", limit)
        room.home.database.close()


def test_on_a_full_disk_requests_fail_whole_and_the_server_goes_on_when_there_is_room(house: House) -> None:
    drawers = house.room.home.drawers
    with full_disk(house.room):
        answers = [house.ask() for _ in range(30)]  # what fits in pages that are there already is accepted
        refused = [answer for answer in answers if answer.status_code != 202]
        assert refused
        for answer in refused:
            assert_down(answer, "store.full", "log.unwritable")
        accepted = {answer.json["id"] for answer in answers if answer.status_code == 202}
        assert house.get("/v1/queries?limit=100").status_code == 200
        assert {record.id for record in drawers.queries.page(limit=100).records} == accepted
        assert drawers.log.verify().holds
    after = house.ask()
    assert after.status_code == 202
    announced = [e.event.query for e in drawers.log.events(limit=1000) if e.event.kind.value in SUBMITTED]
    assert set(announced) == {*accepted, after.json["id"]}
    assert drawers.log.verify().holds


def together(count: int, act: Callable[[int], object]) -> list[object]:
    """What each of so many threads got from the act, or the error that it raised, all begun at one moment."""
    barrier, got = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            got.append(act(number))
        except CleanroomError as error:
            got.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return got


@pytest.mark.databases
def test_of_two_cancels_at_once_one_ends_the_query_and_the_other_is_told(house: House) -> None:
    for _ in range(5):
        query = house.ask().json["id"]
        answers = together(2, lambda _, query=query: house.client("POST", f"/v1/queries/{query}:cancel").status_code)
        assert sorted(answers) == [202, 409]
        assert house.room.kinds(query) == ["query.cancelled"]
    assert house.room.home.drawers.log.verify().holds


@pytest.mark.databases
def test_a_submission_that_is_sent_twice_at_once_is_one_query(house: House) -> None:
    for number in range(3):
        key = f"key-{number}"
        answers = together(3, lambda _, key=key: house.ask(Idempotency_Key=key))
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len({answer.json["id"] for answer in answers if answer.status_code == 202}) == 1
    assert len(house.room.home.drawers.queries.page().records) == 3


@pytest.mark.databases
def test_of_two_applies_at_once_each_holds_or_is_told_of_the_other(house: House) -> None:
    room = house.room
    homes = [open_home(room.home.path, room.url) for _ in range(2)]
    got = together(2, lambda number: apply_folder(homes[number], POLICIES, prune=False))
    assert all(not isinstance(one, CleanroomError) or isinstance(one, Conflict) for one in got), got
    assert any(not isinstance(one, CleanroomError) for one in got)
    written = [e.event.data["name"] for e in room.home.drawers.log.events(limit=1000) if "version" in e.event.data]
    assert len(written) == len(set(written))  # each document once: the second apply found it there
    assert room.home.drawers.log.verify().holds
    for home in homes:
        home.close()
