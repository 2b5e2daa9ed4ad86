"""RawTable → which cells stay. A conditional cell stays only where no subtraction of shown cells reaches few people."""

from __future__ import annotations

from itertools import product

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import (
    RawTable,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
)
from cleanroom.release.thresholds import all_enough, reaches


def shown_cells(raw: RawTable, measure: Field) -> pa.BooleanArray | None:
    """TRUE for each row where this measure may be shown; None where the measure has no condition and is left alone.

    The conditional cells of a row stand or fall together on its atoms and on the classes of its distinct values;
    each also needs enough units among its own rows.
    """
    conditions = [cell.condition for cell in raw.step.conditional if cell.measure == measure]
    if not conditions:
        return None
    units = range(len(raw.step.units))
    counts = [atom_minimum_name(unit) for unit in units]
    counts += [cell_count_name(condition, unit) for condition, unit in product(conditions, units)]
    shown = all_enough(raw, counts)
    for distinct, unit in product(raw.step.distinct_measures, units):
        shown = pc.and_(shown, _classes_allow(raw, distinct, unit))
    return shown


def _classes_allow(raw: RawTable, measure: Field, unit: int) -> pa.BooleanArray:
    """Enough units in each class of values, or no value at all: then the minimum is NULL and the count is zero."""
    name = distinct_minimum_name(measure, unit)
    counted = raw.rows.column(column_name(measure)).combine_chunks()
    no_value = pc.and_(pc.is_null(raw.rows.column(name).combine_chunks()), pc.fill_null(pc.equal(counted, 0), False))
    return pc.or_(reaches(raw, name), no_value)
