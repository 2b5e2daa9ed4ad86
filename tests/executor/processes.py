"""What tests of real processes share: a pool of toy workers, an empty plan, and a look at the process table."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.plan import OneRow
from cleanroom.domain.steps import ExecutablePlan, FinalStep
from cleanroom.engines.duckdb import EngineLimits
from cleanroom.executor.confinement import Confinement
from cleanroom.executor.pool import Pool, Warmth
from cleanroom.executor.wire import Job, Setup

TOY = (sys.executable, "-I", str(Path(__file__).with_name("toy_worker.py")))
PLAN = ExecutablePlan((), FinalStep(OneRow(), ()), (), (), 50)


def setup(memory_mb: int = 256, cpu_s: int = 60) -> Setup:
    engine = EngineLimits(memory_mb * 1024**2, 1, 64 * 1024**2)
    confinement = Confinement((memory_mb + 512) * 1024**2, cpu_s, 65 * 1024**2)
    return Setup(os.getpid(), engine, confinement, 1024**2)


def toy_pool(scratch: Path, *arguments: str, spares: int = 1, ready_s: float = 20) -> Pool:
    return Pool(setup(), scratch=scratch, warmth=Warmth(spares, ready_s), command=(*TOY, *arguments))


def job(query: str) -> Job:
    return Job(QueryId(query), PLAN, {})


def never() -> bool:
    return False


def eventually(holds: Callable[[], bool], within_s: float = 30.0) -> bool:
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def running(pid: int) -> bool:
    """Whether the process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> tuple[int, ...]:
    """The process ids whose parent is `pid`, but for the tests' own database."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name, _, rest = (entry / "stat").read_text().rpartition(")")
            except (FileNotFoundError, ProcessLookupError):
                continue
            fields = rest.split()
            if int(fields[1]) == pid and fields[0] != "Z" and not name.endswith("(postgres"):
                found.append(int(entry.name))
    return tuple(found)
