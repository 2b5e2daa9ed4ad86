"""The queue → ended queries, several at once, until told to stop. Ends what an earlier executor left running."""

from __future__ import annotations

import datetime
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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
    stays this executor's without a sign of life. `heartbeat` is the file that is stamped every `beat_s`."""

    heartbeat: Path
    concurrency: int = 2
    deadline_s: float = 300.0
    lease_s: float = 30.0
    grace_s: float = 10.0
    poll_s: float = 0.1
    beat_s: float = 1.0
    sweep_s: float = 5.0


class Executor:
    """Threads that each take one query at a time to its end."""

    def __init__(self, ports: Ports, pool: Pool, settings: Settings) -> None:
        self._ports = ports
        self._pool = pool
        self._settings = settings
        self._verified = VerifiedClaims()
        self._name = f"executor-{uuid.uuid4().hex[:12]}"
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
        finally:
            self._pool.close()

    def run_one(self) -> bool:
        """Takes the oldest queued query to its end; False where there is none. A LogError comes through."""
        record = self._lease()
        if record is None:
            return False
        self._execute(record)
        return True

    def sweep(self) -> None:
        """Holds: no query is left running under a lease that has ended."""
        for record in self._ports.queue.interrupted():
            event = events.failed(record, "execution.interrupted", self._ports.clock.now())
            self._ports.queue.fail(record.id, "execution.interrupted", event)

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
        execute(record, self._ports, self._pool, self._verified, watch, deadline_s=deadline_s)

    def _attend(self, stop: threading.Event, slots: list[threading.Thread]) -> None:
        swept = float("-inf")
        while all(slot.is_alive() for slot in slots):
            if time.monotonic() - swept >= self._settings.sweep_s:
                self._attempt("sweep.failed", self.sweep)
                swept = time.monotonic()
            self._attempt("heartbeat.failed", lambda: stamp(self._settings.heartbeat, self._ports.clock.now()))
            if stop.wait(self._settings.beat_s):
                return

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


def stamp(heartbeat: Path, now: datetime.datetime) -> None:
    """Holds: the file says, whole, that the executor was alive at `now` (ISO 8601)."""
    draft = heartbeat.with_suffix(".draft")
    draft.write_text(now.isoformat() + "\n", encoding="ascii")
    draft.replace(heartbeat)
