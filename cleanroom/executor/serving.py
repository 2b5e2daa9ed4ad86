"""Pipes → the life of a worker process: set up, confined, proven, one job answered, gone."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable
from typing import BinaryIO

from cleanroom.executor.confinement import confine
from cleanroom.executor.wire import Answer, Job, Setup, answer_bytes, frame, read_frame

MAXIMUM_JOB_BYTES = 64 * 1024 * 1024


def serve(*, prepare: Callable[[Setup], None], answer: Callable[[Setup, Job], Answer]) -> None:
    """Reads a Setup, confines the process, prepares, says so, answers one Job, exits. Never returns."""
    requests, replies = _take_pipes()
    setup = pickle.loads(read_frame(requests.read, MAXIMUM_JOB_BYTES) or b"N.")  # noqa: S301 - the executor's own pipe
    if not isinstance(setup, Setup):
        os._exit(2)
    _send(replies, _ready(setup, prepare))
    job = pickle.loads(read_frame(requests.read, MAXIMUM_JOB_BYTES) or b"N.")  # noqa: S301 - the executor's own pipe
    if not isinstance(job, Job):
        os._exit(0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # from here on a library's complaint could hold data
    threading.Thread(target=_die_with, args=(requests,), daemon=True).start()
    _send(replies, answer(setup, job))
    os._exit(0)


def _ready(setup: Setup, prepare: Callable[[Setup], None]) -> Answer:
    try:
        confine(setup.confinement, executor=setup.executor)
        prepare(setup)
    except Exception as error:
        return Answer("engine.unsafe", type(error).__name__)
    return Answer(None)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output as our own, with nothing left in their place that a stray print could reach."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    return requests, replies


def _send(replies: BinaryIO, answer: Answer) -> None:
    replies.write(frame(answer_bytes(answer)))
    replies.flush()


def _die_with(requests: BinaryIO) -> None:
    """The executor says no more after a job: the end of its pipe is its own end."""
    requests.read(1)
    os.killpg(0, signal.SIGKILL)
