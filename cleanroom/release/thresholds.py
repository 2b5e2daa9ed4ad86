"""RawTable → which rows stay. A row stays only where every source has enough distinct units in it; NULL is not enough."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.steps import RawTable, unit_count_name


def kept_rows(raw: RawTable) -> pa.BooleanArray:
    """TRUE for each row whose counts of `units` all reach the threshold; small groups are dropped."""
    return all_enough(raw, [unit_count_name(unit) for unit in range(len(raw.step.units))])


def all_enough(raw: RawTable, names: list[str]) -> pa.BooleanArray:
    """TRUE for each row where all these hidden counts reach the threshold; never NULL."""
    enough = pa.array([True] * raw.rows.num_rows, pa.bool_())
    for name in names:
        enough = pc.and_(enough, reaches(raw, name))
    return enough


def reaches(raw: RawTable, name: str) -> pa.BooleanArray:
    """TRUE for each row where this hidden count is at least the threshold; NULL counts as not; never NULL."""
    counts = raw.rows.column(name).combine_chunks()
    return pc.fill_null(pc.greater_equal(counts, raw.step.minimum_units), False)
