"""Jobs → answers, each from a worker of its own. Spare workers wait warm; none is used twice, none is left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from cleanroom.domain.errors import EngineError
from cleanroom.executor.process import WORKER, WorkerProcess
from cleanroom.executor.wire import Answer, Job, Setup, job_bytes

_log = structlog.get_logger(__name__)
_HEADER_ROOM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Warmth:
    """`spares`: workers that wait ready. `ready_s`: how long one may take to become so."""

    spares: int = 2
    ready_s: float = 60.0


class Pool:
    """Call `run` from threads that live as long as the pool: a worker dies with the thread that started it.

    `scratch`: the folder in which this pool makes its own, private one.
    """

    def __init__(
        self, setup: Setup, *, scratch: Path, warmth: Warmth = Warmth(), command: tuple[str, ...] = WORKER
    ) -> None:
        self._setup = setup
        self._warmth = warmth
        self._command = command
        self._scratch = ScratchFolder(scratch)
        self._spares: deque[WorkerProcess] = deque()
        self._lock = threading.Lock()
        self._closed = False

    def prove(self, cancelled: Callable[[], bool] = lambda: False) -> None:
        """Holds: a worker stands ready and proved its hardening. EngineError "engine.unsafe"."""
        worker = self._take()
        try:
            worker.wait_ready(self._warmth.ready_s, cancelled)
        except BaseException:
            worker.end()
            raise
        self._give(worker)
        self._refill()

    def run(self, job: Job, *, deadline_s: float, cancelled: Callable[[], bool]) -> Answer:
        """The worker's answer. `cancelled` is asked several times a second; where it says so, or after `deadline_s`, the
        worker's whole group is killed.

        EngineError: engine.deadline, engine.interrupted, engine.unsafe, engine.result_too_large, engine.failed; Cancelled.
        """
        worker = self._take()
        try:
            worker.wait_ready(self._warmth.ready_s, cancelled)
            deadline = time.monotonic() + deadline_s
            most_bytes = self._setup.result_bytes + _HEADER_ROOM_BYTES
            return worker.ask(job_bytes(job), deadline, cancelled, most_bytes)
        finally:
            worker.end()
            self._refill()

    def pids(self) -> tuple[int, ...]:
        """The spare workers' process ids."""
        with self._lock:
            return tuple(worker.pid for worker in self._spares)

    def close(self) -> None:
        """Holds: no spare worker and no folder of the pool is left. Running jobs are their callers' to cancel."""
        with self._lock:
            self._closed = True
            spares = tuple(self._spares)
            self._spares.clear()
        for worker in spares:
            worker.end()
        self._scratch.remove()

    def _take(self) -> WorkerProcess:
        while True:
            with self._lock:
                worker = self._spares.popleft() if self._spares else None
            if worker is None:
                return self._start()
            if worker.alive():
                return worker
            worker.end()

    def _give(self, worker: WorkerProcess) -> None:
        with self._lock:
            if not self._closed:
                self._spares.append(worker)
                return
        worker.end()

    def _refill(self) -> None:
        while True:
            with self._lock:
                if self._closed or len(self._spares) >= self._warmth.spares:
                    return
            try:
                self._give(self._start())
            except (EngineError, OSError) as error:
                _log.error("worker.not_started", failure=type(error).__name__)
                return

    def _start(self) -> WorkerProcess:
        return WorkerProcess(self._setup, scratch=self._scratch.path, command=self._command)


class ScratchFolder:
    """A pool's own folder, mode 0700, locked while the pool lives. What dead pools left beside it is removed."""

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ExitStack() as whole:
            _lock(
                parent, whole, wait=True
            )  # so that no pool takes another's folder, made but not yet locked, for a dead one's
            for left in parent.glob("pool-*"):
                _remove_if_left(left)
            self.path = Path(tempfile.mkdtemp(prefix="pool-", dir=parent))
            self._held = ExitStack()
            _lock(self.path, self._held, wait=False)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()


def _remove_if_left(folder: Path) -> None:
    """A folder that nobody holds locked is a dead pool's."""
    with suppress(OSError), ExitStack() as held:
        _lock(folder, held, wait=False)
        shutil.rmtree(folder, ignore_errors=True)


def _lock(folder: Path, held: ExitStack, *, wait: bool) -> None:
    """Holds until `held` closes: nobody else has the folder locked. BlockingIOError where somebody has and not `wait`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    held.callback(os.close, descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
