"""RawTable → whether each row and cell can stand beside the releases of the same people under other keys.

What is left of a total when every shown row beneath it is taken away is nobody or enough; where two sets of keys cross,
nothing of either is withheld.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import (
    RawTable,
    column_name,
    distinct_counts,
    remainder_name,
    shared_minimum_name,
    withheld_beside_name,
)
from cleanroom.release.thresholds import counts, is_none, none_or_reaches, reaches


def rows_allowed(raw: RawTable) -> Iterator[pa.BooleanArray]:
    """The rows that the finer sets of keys allow, unit by unit, and those beside."""
    if raw.step.finer:
        for unit in range(len(raw.step.units)):
            yield none_or_reaches(raw, remainder_name(unit), raw.step.minimum_units)
    if raw.step.beside:
        yield is_none(raw, withheld_beside_name())


def cells_allowed(raw: RawTable, measure: Field, needed: int) -> Iterator[pa.BooleanArray]:
    """The rows in which the cell may be shown, where it needs so many units, beside the cells under the other keys.

    Of a COUNT(DISTINCT) over finer sets, unit by unit: values in exactly the same groups have enough, or none is counted.
    """
    if needed > raw.step.minimum_units and (raw.step.finer or raw.step.beside):
        # What is left of the cell was not counted to its own number: only the finest cells of such a column are shown.
        yield pa.array([False] * raw.rows.num_rows, pa.bool_())
    if raw.step.finer and measure in distinct_counts(raw.step):
        for unit in range(len(raw.step.units)):
            name = shared_minimum_name(measure, unit)
            no_value = pc.and_(pc.is_null(counts(raw, name)), is_none(raw, column_name(measure)))
            yield pc.or_(reaches(raw, name, raw.step.minimum_units), no_value)
