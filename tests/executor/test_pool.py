"""A pool of real processes: what it answers, what it kills, and that nothing is left."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.executor.pool import Pool, Warmth
from cleanroom.executor.process import Cancelled, environment
from tests.executor.processes import children, eventually, job, never, running, setup, toy_pool


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


@pytest.fixture
def pool(scratch: Path) -> Iterator[Pool]:
    pool = toy_pool(scratch)
    yield pool
    pool.close()
    assert children(os.getpid()) == ()
    assert list(scratch.iterdir()) == []


def failure(pool: Pool, query: str, deadline_s: float = 20.0) -> str:
    with pytest.raises(EngineError) as failed:
        pool.run(job(query), deadline_s=deadline_s, cancelled=never)
    return failed.value.code


def said(pool: Pool, query: str) -> bytes:
    answer = pool.run(job(query), deadline_s=20, cancelled=never)
    assert answer.code is None
    return answer.result


def test_a_job_is_answered_and_every_answer_comes_from_a_process_of_its_own(pool: Pool) -> None:
    assert [said(pool, "say:one"), said(pool, "say:two")] == [b"one", b"two"]


def test_spares_wait_ready_before_they_are_needed(pool: Pool) -> None:
    pool.prove()
    spare = pool.pids()
    assert len(spare) == 1
    said(pool, "say:one")
    assert not running(spare[0])
    assert len(pool.pids()) == 1


def test_a_spare_that_died_is_replaced_unnoticed(pool: Pool) -> None:
    pool.prove()
    spare = pool.pids()[0]
    os.kill(spare, signal.SIGKILL)
    os.waitid(os.P_PID, spare, os.WEXITED | os.WNOWAIT)
    assert said(pool, "say:one") == b"one"


@pytest.mark.parametrize("query", ["sleep", "stop", "child"])
def test_a_worker_that_overruns_its_deadline_is_killed_with_its_children(pool: Pool, query: str) -> None:
    started = time.monotonic()
    assert failure(pool, query, deadline_s=0.5) == "engine.deadline"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("query", ["sleep", "stop", "child"])
def test_a_cancelled_query_ends_at_once(pool: Pool, query: str) -> None:
    pool.prove()
    moment = time.monotonic() + 0.3
    with pytest.raises(Cancelled):
        pool.run(job(query), deadline_s=20, cancelled=lambda: time.monotonic() > moment)
    assert time.monotonic() - moment < 3  # a second, and what a busy machine adds


@pytest.mark.parametrize(
    "query", [f"die:{int(n)}" for n in (signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT)] + ["exit"]
)
def test_a_worker_that_dies_is_an_interruption(pool: Pool, query: str) -> None:
    assert failure(pool, query) == "engine.interrupted"


def test_a_worker_that_somebody_kills_in_the_middle_is_an_interruption(pool: Pool) -> None:
    pool.prove()
    victim = pool.pids()[0]
    threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()
    assert failure(pool, "sleep") == "engine.interrupted"


def test_an_answer_larger_than_the_limit_is_not_taken(pool: Pool) -> None:
    assert failure(pool, "huge") == "engine.result_too_large"


def test_memory_beyond_the_limit_is_refused_to_the_worker(pool: Pool) -> None:
    assert failure(pool, "hog") == "engine.interrupted"


def test_a_worker_names_only_known_codes_and_class_names(pool: Pool) -> None:
    answer = pool.run(job("malformed:user 17 lives in Bonn"), deadline_s=20, cancelled=never)
    assert (answer.code, answer.detail) == ("engine.failed", "")
    assert pool.run(job("code:whatever.else"), deadline_s=20, cancelled=never).code == "engine.failed"
    assert pool.run(job("code:source.changed"), deadline_s=20, cancelled=never).code == "source.changed"


def test_the_environment_of_a_worker_holds_nothing_of_the_executors(
    scratch: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEANROOM_SECRET_SHOP_LAKE", "hunter2")
    monkeypatch.setenv("CLEANROOM_DATABASE_URL", "postgresql://u:p@db/clean")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    pool.prove()
    held = Path(f"/proc/{pool.pids()[0]}/environ").read_bytes()
    assert b"hunter2" not in held
    assert {entry.partition(b"=")[0].decode() for entry in held.split(b"\0") if entry} == environment(scratch).keys()
    assert dict(ast.literal_eval(said(pool, "environment").decode())).keys() == environment(scratch).keys()
    assert not any("CLEANROOM" in name or "PYTHON" in name for name in environment(scratch))


def test_a_worker_is_confined(pool: Pool) -> None:
    limits = ast.literal_eval(said(pool, "limits").decode())
    wanted = setup().confinement
    assert limits["RLIMIT_CORE"] == (0, 0)
    assert limits["RLIMIT_DATA"] == (wanted.data_bytes,) * 2
    assert limits["RLIMIT_CPU"] == (wanted.cpu_s,) * 2
    assert limits["RLIMIT_FSIZE"] == (wanted.file_bytes,) * 2
    assert limits["RLIMIT_NOFILE"][0] <= wanted.open_files


def test_a_worker_has_a_private_folder_a_session_of_its_own_and_silent_standard_streams(
    scratch: Path, pool: Pool
) -> None:
    pool.prove()
    pid = pool.pids()[0]
    assert os.getsid(pid) == os.getpgid(pid) == pid
    folder = Path(f"/proc/{pid}/cwd").readlink()
    assert folder.is_relative_to(scratch)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert ast.literal_eval(said(pool, "descriptors").decode()) == ["/dev/null"] * 3


def test_what_a_worker_spilled_goes_with_it(scratch: Path, pool: Pool) -> None:
    pool.prove()
    folder = Path(f"/proc/{pool.pids()[0]}/cwd").readlink()
    thread = threading.Thread(target=failure, args=(pool, "spill", 1.5))
    thread.start()
    assert eventually((folder / "spilled").exists)
    thread.join()
    assert not folder.exists()


def test_stray_output_does_not_disturb_the_answer(scratch: Path) -> None:
    pool = toy_pool(scratch, "noisy")
    try:
        assert said(pool, "say:one") == b"one"
    finally:
        pool.close()


@pytest.mark.parametrize(("behaviour", "ready_s"), [("unsafe", 20), ("slow", 0.5)])
def test_a_worker_that_does_not_prove_its_hardening_gets_no_job(scratch: Path, behaviour: str, ready_s: float) -> None:
    pool = toy_pool(scratch, behaviour, ready_s=ready_s)
    try:
        with pytest.raises(EngineError) as failed:
            pool.prove()
        assert failed.value.code == "engine.unsafe"
        assert failure(pool, "say:one") == "engine.unsafe"
    finally:
        pool.close()
    assert children(os.getpid()) == ()


def test_an_executor_that_cannot_start_a_process_says_so(scratch: Path) -> None:
    pool = Pool(setup(), scratch=scratch, warmth=Warmth(1), command=("/no/such/program",))
    assert failure(pool, "say:one") == "engine.failed"
    pool.close()
    assert list(scratch.iterdir()) == []


PARENT = """
import sys, time, threading
from pathlib import Path
from tests.executor.processes import toy_pool, job, never
pool = toy_pool(Path(sys.argv[1]), spares=2)
pool.prove()
if sys.argv[2] == "busy":
    threading.Thread(target=lambda: pool.run(job(sys.argv[3]), deadline_s=60, cancelled=never)).start()
    time.sleep(0.5)
print(*pool.pids(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("work", [("idle", ""), ("busy", "sleep"), ("busy", "spill")])
def test_workers_do_not_outlive_a_killed_executor_and_their_folders_go_with_the_next(
    scratch: Path, work: tuple[str, str]
) -> None:
    command = [sys.executable, "-c", PARENT, str(scratch), *work]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        workers = children(parent.pid)
        assert len(workers) >= 2
        parent.kill()
    assert eventually(lambda: not any(running(pid) for pid in workers))
    assert list(scratch.glob("pool-*/worker-*"))
    toy_pool(scratch).close()
    assert list(scratch.iterdir()) == []


def test_a_living_pools_folder_is_left_alone_by_another(scratch: Path, pool: Pool) -> None:
    pool.prove()
    toy_pool(scratch).close()
    assert said(pool, "say:one") == b"one"
