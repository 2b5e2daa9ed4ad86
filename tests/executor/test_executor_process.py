"""The executor as its own process: what it leaves when it is asked to stop, and when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.domain.query import QueryState
from tests.executor.homes import (
    BY_REGION,
    JOINED,
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
from tests.executor.processes import children, eventually, running, toy_pool


@pytest.fixture
def room(tmp_path: Path, home_url: str | None) -> Iterator[Room]:
    room = make_room(tmp_path, url=home_url)
    room.write(PEOPLE, people(40_000))
    room.write(VIEWS, views(100_000))
    yield room
    assert room.home.drawers.log.verify().holds
    room.home.close()


@contextmanager
def executor_of(room: Room, *options: str, concurrency: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    own = ("--home", str(room.home.path), "--concurrency", str(concurrency), "--threads", "1")
    command = (sys.executable, "-m", "cleanroom.executor", *own, *options)
    kept = {name: value for name, value in os.environ.items() if name != "CLEANROOM_DATABASE_URL"}
    environment = {**kept, **room.environment, "CLEANROOM_SECRET_SHOP_LAKE": "hunter2"}
    began = room.home.clock.now()
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            assert eventually(lambda: any(e.started_at > began for e in room.home.drawers.executors.list()), 30)
            yield process
        finally:
            process.kill()


SEALED = """
import ctypes, os
from cleanroom.storage.sealing import seal
seal()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), oct(os.umask(0)))  # PR_GET_DUMPABLE
"""


def test_a_sealed_process_is_closed_to_others_of_its_user() -> None:
    told = subprocess.run([sys.executable, "-c", SEALED], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["0", "0o77"]


def test_what_the_executor_writes_is_its_users_alone(room: Room) -> None:
    with executor_of(room):
        written = [path for path in room.home.path.rglob("*") if path.is_file()]
        assert written
        assert {path.stat().st_mode & 0o077 for path in written if path.suffix != ".pub"} == {0}


def state(room: Room, query: str = "q1") -> QueryState:
    return room.query(query).state


def busy(room: Room, process: subprocess.Popen[bytes]) -> tuple[int, ...]:
    """The executor's workers, once one of them computes."""
    room.submit(MONSTROUS)
    assert eventually(lambda: "query.started" in room.kinds())
    assert eventually(lambda: any(room.home.path.glob("scratch/pool-*/worker-*/query-*")))
    return children(process.pid)


@pytest.mark.databases
def test_it_runs_what_is_queued_and_leaves_nothing_behind_on_sigterm(room: Room) -> None:
    with executor_of(room) as process:
        room.submit(BY_REGION, "q1")
        room.submit(JOINED, "q2")
        assert eventually(lambda: state(room, "q2") is QueryState.SUCCEEDED, 20)
        assert state(room, "q1") is QueryState.SUCCEEDED
        workers = children(process.pid)
        assert workers
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert not any(running(pid) for pid in workers)
    assert list(room.home.path.glob("scratch/*")) == []


def test_a_short_query_does_not_wait_for_a_long_one(room: Room) -> None:
    with executor_of(room, concurrency=2) as process:
        busy(room, process)
        room.submit(BY_REGION, "q2")
        assert eventually(lambda: state(room, "q2") is QueryState.SUCCEEDED)
        assert state(room) is QueryState.RUNNING


def test_a_worker_knows_no_secret(room: Room) -> None:
    with executor_of(room) as process:
        workers = busy(room, process)
        assert b"hunter2" in Path(f"/proc/{process.pid}/environ").read_bytes()
        assert workers
        for pid in workers:
            assert b"CLEANROOM" not in Path(f"/proc/{pid}/environ").read_bytes()
            assert b"hunter2" not in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_sigterm_kills_what_outlasts_the_grace_and_says_so(room: Room) -> None:
    with executor_of(room, "--grace-s", "0.5") as process:
        busy(room, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert (state(room), room.query().failure) == (QueryState.FAILED, "execution.interrupted")
    assert room.kinds() == ["query.started", "query.failed"]
    assert list(room.home.path.glob("scratch/*")) == []


@pytest.mark.databases
def test_a_killed_executor_takes_its_workers_along_and_the_next_one_tells_the_tale(room: Room) -> None:
    with executor_of(room, "--lease-s", "1") as process:
        workers = busy(room, process)
        process.kill()
        process.wait()
    assert eventually(lambda: not any(running(pid) for pid in workers))
    assert state(room) is QueryState.RUNNING
    assert room.home.drawers.log.verify().holds
    with executor_of(room, "--lease-s", "1") as process:
        assert eventually(lambda: state(room) is QueryState.FAILED, 20)
        room.submit(BY_REGION, "q2")
        assert eventually(lambda: state(room, "q2") is QueryState.SUCCEEDED, 20)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert room.query().failure == "execution.interrupted"
    assert room.kinds() == ["query.started", "query.failed"]
    assert not room.has_result()
    assert list(room.home.path.glob("scratch/*")) == []


def test_a_home_that_is_not_there_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cleanroom.executor", "--home", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 4
    assert "home.missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_no_worker_proves_its_hardening_nothing_is_leased(room: Room, tmp_path: Path) -> None:
    room.submit(BY_REGION)
    executor = make_executor(room, toy_pool(tmp_path / "scratch", "unsafe"))
    with pytest.raises(EngineError) as failed:
        executor.run(threading.Event())
    assert failed.value.code == "engine.unsafe"
    assert state(room) is QueryState.QUEUED
    assert room.home.drawers.executors.list() == ()
    assert children(os.getpid()) == ()


def test_an_executor_says_that_it_lives_while_it_does_and_takes_its_name_away_as_it_ends(room: Room) -> None:
    executors = room.home.drawers.executors
    stop = threading.Event()
    thread = threading.Thread(target=make_executor(room, make_pool(room)).run, args=(stop,))
    thread.start()
    assert eventually(lambda: len(executors.list()) == 1)
    (first,) = executors.list()
    assert eventually(lambda: executors.list()[0].seen_at > first.seen_at)
    assert executors.list()[0].started_at == first.started_at
    stop.set()
    thread.join()
    assert executors.list() == ()


def test_a_failing_database_does_not_end_the_executor(room: Room) -> None:
    class Queue:
        """Fails the first time that it is asked, as a database does that restarts."""

        asked = 0

        def __getattr__(self, name: str) -> object:
            if name == "lease" and not Queue.asked:
                Queue.asked += 1
                raise ConnectionError("server closed the connection")
            return getattr(room.home.drawers.queue, name)

    stop = threading.Event()
    executor = make_executor(room, make_pool(room), changed={"queue": Queue()})
    thread = threading.Thread(target=executor.run, args=(stop,))
    thread.start()
    room.submit(BY_REGION)
    assert eventually(lambda: state(room) is QueryState.SUCCEEDED)
    stop.set()
    thread.join()
