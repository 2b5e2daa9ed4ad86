"""Limits → a worker process, started warm, with an empty environment and a private folder; ended whole, folder and all."""

from __future__ import annotations

import os
import pickle
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

import structlog

from cleanroom.domain.errors import EngineError
from cleanroom.executor.wire import HEADER_BYTES, Answer, Setup, frame, parse_answer

_log = structlog.get_logger(__name__)
WORKER = (sys.executable, "-I", "-m", "cleanroom.executor.worker")
_POLL_S = 0.2


class Cancelled(EngineError):
    """Somebody asked for the query's end, and the worker is to be killed."""

    code = "engine.cancelled"


class WorkerProcess:
    """One process, for one job. `end` must follow, whatever happened."""

    def __init__(self, setup: Setup, *, scratch: Path, command: tuple[str, ...] = WORKER) -> None:
        """Started and told its setup, not yet ready. The process is the leader of its own session and group."""
        self.scratch = Path(tempfile.mkdtemp(prefix="worker-", dir=scratch))  # mode 0700
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd=self.scratch,
                env=environment(self.scratch),
                start_new_session=True,
            )
        except OSError:
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise EngineError("A worker process could not be started.", "engine.failed") from None
        self._replies = _pipe(self._process.stdout)
        self._requests = _pipe(self._process.stdin)
        self._unsent = bytearray(frame(pickle.dumps(setup, protocol=5)))
        self._received = bytearray()
        self.ready = False
        self._write()

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        # The zombie is left in place: while it is there, no other process can get the group's number.
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None

    def wait_ready(self, timeout_s: float, cancelled: Callable[[], bool]) -> None:
        """Holds: the worker proved its hardening. EngineError "engine.unsafe" where it did not, or not in time."""
        if self.ready:
            return
        try:
            answer = self._receive(time.monotonic() + timeout_s, cancelled, 1 << 20)
        except Cancelled:
            raise
        except EngineError:
            raise EngineError("A worker did not become ready.", "engine.unsafe") from None
        if answer.code is not None:
            _log.error("worker.unsafe", failure=answer.detail)
            raise EngineError("A worker could not prove its hardening.", "engine.unsafe")
        self.ready = True

    def ask(self, job: bytes, deadline: float, cancelled: Callable[[], bool], maximum_bytes: int) -> Answer:
        """The worker's answer to the job. `deadline` is a moment of time.monotonic.

        EngineError: engine.deadline, engine.interrupted (the worker died), engine.result_too_large, engine.failed
        (malformed); Cancelled. After any of them only `end` is left to do.
        """
        self._unsent += frame(job)
        return self._receive(deadline, cancelled, maximum_bytes)

    def end(self) -> None:
        """Holds: no process of the group is left, nor its folder."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self.scratch.exists():
            _log.error("worker.scratch_left")

    def _receive(self, deadline: float, cancelled: Callable[[], bool], maximum_bytes: int) -> Answer:
        with selectors.DefaultSelector() as selector:
            selector.register(self._replies, selectors.EVENT_READ)
            if self._unsent:
                selector.register(self._requests, selectors.EVENT_WRITE)
            while True:
                if cancelled():
                    raise Cancelled("The query was cancelled.")
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    raise EngineError("A worker overran its deadline.", "engine.deadline")
                ready = {key.fd for key, _ in selector.select(min(_POLL_S, left_s))}
                if self._requests in ready and self._write():
                    selector.unregister(self._requests)
                if self._replies in ready and (body := self._read(maximum_bytes)) is not None:
                    return parse_answer(body)

    def _write(self) -> bool:
        """Sends what the pipe takes; whether all is sent."""
        try:
            del self._unsent[: os.write(self._requests, self._unsent)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._unsent.clear()  # the other pipe tells of the end
        return not self._unsent

    def _read(self, maximum_bytes: int) -> bytes | None:
        """The frame's body once it is whole, else None."""
        chunk = os.read(self._replies, 1 << 20)
        if not chunk:
            raise EngineError("A worker ended before it answered.", "engine.interrupted")
        self._received += chunk
        length = int.from_bytes(self._received[:HEADER_BYTES], "big")
        if len(self._received) >= HEADER_BYTES and length > maximum_bytes:
            raise EngineError("A worker's answer is too large.", "engine.result_too_large")
        if len(self._received) < HEADER_BYTES + length:
            return None
        body = bytes(self._received[HEADER_BYTES:])
        self._received.clear()
        return body


def environment(scratch: Path) -> dict[str, str]:
    """All that a worker's environment holds: nothing of the executor's own."""
    return {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        # Arrow's own allocator takes gigabytes of address space at a time, which the limit on memory counts as used.
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }


def _pipe(pipe: IO[bytes] | None) -> int:
    assert pipe is not None
    os.set_blocking(pipe.fileno(), False)
    return pipe.fileno()
