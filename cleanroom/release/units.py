"""RawTable → whether each row holds enough people of every source; of one that may have no match, none or enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from cleanroom.domain.steps import RawTable, unit_count_name
from cleanroom.release.thresholds import none_or_reaches, reaches


def demand(raw: RawTable, unit: int) -> Callable[[RawTable, str, int], pa.BooleanArray]:
    """What is asked of a count of this unit: enough, or, where its source is optional, none or enough."""
    return none_or_reaches if raw.step.units[unit] in raw.step.optional else reaches


def rows_allowed(raw: RawTable) -> Iterator[pa.BooleanArray]:
    """For each unit the rows that it allows; one that no key and no predicate depends on allows them all."""
    for unit, field in enumerate(raw.step.units):
        if field not in raw.step.unasked:
            yield demand(raw, unit)(raw, unit_count_name(unit), raw.step.minimum_units)


def cells_allowed(raw: RawTable, needed: int) -> Iterator[pa.BooleanArray]:
    """For each unit the rows in which a cell of all their people may be shown, where it needs so many."""
    for unit in range(len(raw.step.units)):
        yield demand(raw, unit)(raw, unit_count_name(unit), needed)
