"""The queue → ended queries, several at once, until told to stop. Ends what an earlier executor left running."""

from __future__ import annotations

import datetime
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from cleanroom.domain.query import QueryRecord
from cleanroom.executor import events
from cleanroom.executor.claims import VerifiedClaims
from cleanroom.executor.execution import Ports, Watch, execute
from cleanroom.executor.pool import Pool
from cleanroom.executor.process import Cancelled

_log = structlog.get_logger(__name__)
_FAILURE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`deadline_s` bounds one query's run, `grace_s` what running queries get after a stop, `lease_s` how long a query
    stays this executor's without a sign of life, `queue_deadline_s` how long one may wait. The executor says every
    `beat_s` that it lives, and looks every `sweep_s` for what others left."""

    concurrency: int = 2
    deadline_s: float = 300.0
    lease_s: float = 15.0
    grace_s: float = 10.0
    queue_deadline_s: float = 3600.0
    poll_s: float = 0.1
    beat_s: float = 5.0
    sweep_s: float = 2.0


class Executor:
    """Threads that each take one query at a time to its end."""

    def __init__(self, ports: Ports, pool: Pool, settings: Settings) -> None:
        self._ports = ports
        self._pool = pool
        self._settings = settings
        self._verified = VerifiedClaims()
        self._name = f"{socket.gethostname()[:100]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._leasing = threading.Lock()
        self._killing = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Works until `stop` is set, then finishes or kills what runs within the grace, and leaves no process behind.

        EngineError "engine.unsafe" before anything is leased, where no worker can prove its hardening.
        """
        try:
            with suppress(Cancelled):  # stopped before it began
                self._pool.prove(stop.is_set)
            slots = [
                threading.Thread(target=self._slot, args=(stop,), name=f"slot-{number}")
                for number in range(self._settings.concurrency)
            ]
            for slot in slots:
                slot.start()
            try:
                self._attend(stop, slots)
            finally:
                stop.set()
                self._finish(slots)
                self._attempt("farewell.failed", lambda: self._ports.executors.remove(self._name))
        finally:
            self._pool.close()

    def run_one(self) -> bool:
        """Takes the query whose turn it is to its end; False where none waits. A LogError comes through."""
        record = self._lease()
        if record is None:
            return False
        self._execute(record)
        return True

    def sweep(self) -> None:
        """Holds: no query is left running under a lease that has ended, and none waits beyond the queue's deadline.

        What never started waits again; what somebody had asked to stop is cancelled; the rest has failed.
        """
        queue, now = self._ports.queue, self._ports.clock.now()
        queue.requeue()
        for record in queue.interrupted():
            if record.cancel_requested:
                queue.cancelled(record.id, events.cancelled(record, now))
            else:
                queue.fail(record.id, "execution.interrupted", events.failed(record, "execution.interrupted", now))
        for record in queue.overdue(now - datetime.timedelta(seconds=self._settings.queue_deadline_s)):
            queue.give_up(record.id, "queue.deadline", events.failed(record, "queue.deadline", now))
        self._ports.idempotency.sweep(now)
        self._ports.retention.sweep(now)

    def _slot(self, stop: threading.Event) -> None:
        while not stop.is_set():
            if not self._attempt("slot.failed", lambda: self._next(stop)):
                stop.wait(_FAILURE_PAUSE_S)

    def _next(self, stop: threading.Event) -> None:
        with self._leasing:  # one idle thread asks the queue, not all
            record = None if stop.is_set() else self._lease()
            if record is None:
                stop.wait(self._settings.poll_s)
                return
        self._execute(record)

    def _lease(self) -> QueryRecord | None:
        until = self._ports.clock.now() + datetime.timedelta(seconds=self._settings.lease_s)
        return self._ports.queue.lease(self._name, until)

    def _execute(self, record: QueryRecord) -> None:
        watch = Watch(record, self._ports, self._settings.lease_s, self._killing.is_set)
        deadline_s = self._settings.deadline_s
        try:
            with structlog.contextvars.bound_contextvars(query=record.id):
                execute(record, self._ports, self._pool, self._verified, watch, deadline_s=deadline_s)
        finally:
            self._ports.queue.forget(record.id)

    def _attend(self, stop: threading.Event, slots: list[threading.Thread]) -> None:
        swept = beaten = float("-inf")
        pause_s = min(self._settings.sweep_s, self._settings.beat_s)
        while all(slot.is_alive() for slot in slots):
            if time.monotonic() - swept >= self._settings.sweep_s:
                self._attempt("sweep.failed", self.sweep)
                swept = time.monotonic()
            if time.monotonic() - beaten >= self._settings.beat_s:
                self._attempt("heartbeat.failed", self._beat)
                beaten = time.monotonic()
            if stop.wait(pause_s):
                return

    def _beat(self) -> None:
        self._ports.executors.stamp(self._name, self._ports.clock.now())

    def _finish(self, slots: list[threading.Thread]) -> None:
        end = time.monotonic() + self._settings.grace_s
        for slot in slots:
            slot.join(max(0.0, end - time.monotonic()))
        self._killing.set()
        for slot in slots:
            slot.join()

    def _attempt(self, message: str, action: Callable[[], None]) -> bool:
        try:
            action()
        except Exception as error:
            _log.error(message, failure=type(error).__name__, code=getattr(error, "code", None))
            return False
        return True
