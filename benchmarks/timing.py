"""Ways of doing one thing → the median time of each, taken in turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

Way = Callable[[], object]


def taken_ms(way: Way) -> float:
    """How long it takes once, in milliseconds."""
    started = time.perf_counter()
    way()
    return (time.perf_counter() - started) * 1000


def medians_ms(ways: Mapping[str, Way], repeats: int) -> dict[str, float]:
    """The median of `repeats` runs of each way, in turns; a first turn is not counted."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats + 1):
        for name, way in ways.items():
            times[name].append(taken_ms(way))
    return {name: statistics.median(found[1:]) for name, found in times.items()}
