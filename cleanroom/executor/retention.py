"""Results whose time is over → gone, once the clock that says so can be believed."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from cleanroom.domain.events import EventKind
from cleanroom.domain.query import QueryRecord
from cleanroom.store.results import Results, shredded

_STEP_S = 2.0


class Retention:
    """Shreds on time, and not before.

    What is shredded does not come back, so that a clock that jumps must not decide it: a result goes when its moment is
    over by a clock that has gone steadily, held against the time since the machine started, for `settle_s`. Until then it
    is only not answered any more (the door sees to that), which a clock set right undoes.
    """

    def __init__(
        self, results: Results, *, settle_s: float = 300.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._results = results
        self._settle_s = settle_s
        self._monotonic = monotonic
        self._offset_s = float("inf")
        self._steady_since_s = 0.0

    def sweep(self, now: datetime.datetime) -> int:
        """How many results were shredded; each has its event, in the same transaction."""
        if not self._steady(now):
            return 0
        due = self._results.due(now)
        gone = [record for record in due if self._shred(record, now)]
        if gone:
            self._results.scrub()
        return len(gone)

    def _shred(self, record: QueryRecord, now: datetime.datetime) -> bool:
        return self._results.shred(record.id, shredded(record, EventKind.RESULT_EXPIRED, now))

    def _steady(self, now: datetime.datetime) -> bool:
        elapsed_s = self._monotonic()
        offset_s = now.timestamp() - elapsed_s
        if abs(offset_s - self._offset_s) > _STEP_S:
            self._offset_s, self._steady_since_s = offset_s, elapsed_s
        return elapsed_s - self._steady_since_s >= self._settle_s
