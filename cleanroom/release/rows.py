"""RawTable → which rows stay, and of a measure which cells. Every rule has to allow a row, and every rule its cell."""

from __future__ import annotations

import pyarrow as pa

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import RawTable
from cleanroom.release import conditional, grains, pool, removals, units
from cleanroom.release.thresholds import everything


def kept_rows(raw: RawTable) -> pa.BooleanArray:
    """TRUE for each row that may leave; never NULL."""
    rules = (units, removals, grains, pool)
    return everything(raw, (allowed for rule in rules for allowed in rule.rows_allowed(raw)))


def shown_cells(raw: RawTable, measure: Field) -> pa.BooleanArray:
    """TRUE for each row in which this measure's cell may be shown, if the row is; never NULL."""
    needed = units_needed(raw, measure)
    allowed = list(grains.cells_allowed(raw, measure, needed))
    if conditional.conditions_of(raw, measure):
        allowed += conditional.cells_allowed(raw, measure, needed)
    elif needed > raw.step.minimum_units:
        allowed += units.cells_allowed(raw, needed)
    return everything(raw, allowed)


def units_needed(raw: RawTable, measure: Field) -> int:
    """How many units each cell of the measure has to describe: the step's number, or its column's own if that is more."""
    return max(raw.step.minimum_units, *(number for field, number in raw.step.cell_minimums if field == measure), 0)
