"""RawTable → which conditional cells stay: only those where no subtraction of shown cells reaches few people."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import (
    RawTable,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
    unit_count_name,
)
from cleanroom.release.thresholds import counts, is_none, reaches
from cleanroom.release.units import demand


def conditions_of(raw: RawTable, measure: Field) -> tuple[int, ...]:
    """The conditions that the measure's cells depend on."""
    return tuple(cell.condition for cell in raw.step.conditional if cell.measure == measure)


def cells_allowed(raw: RawTable, measure: Field, needed: int) -> Iterator[pa.BooleanArray]:
    """Unit by unit the rows in which this conditional measure may be shown, where its cells need so many.

    The conditional cells of a row stand or fall together on its atoms and on the classes of its distinct values;
    each also needs enough units among its own rows.
    """
    for unit in range(len(raw.step.units)):
        yield _atoms_allow(raw, unit, needed)
        for condition in conditions_of(raw, measure):
            yield demand(raw, unit)(raw, cell_count_name(condition, unit), needed)
        for distinct in raw.step.distinct_measures:
            yield _classes_allow(raw, distinct, unit, needed)


def _atoms_allow(raw: RawTable, unit: int, needed: int) -> pa.BooleanArray:
    """Enough units in each atom that has one; an optional unit that nobody in the row has is in no atom either."""
    name = atom_minimum_name(unit)
    enough = reaches(raw, name, needed)
    if raw.step.units[unit] not in raw.step.optional:
        return enough
    nobody = pc.and_(pc.is_null(counts(raw, name)), is_none(raw, unit_count_name(unit)))
    return pc.or_(enough, nobody)


def _classes_allow(raw: RawTable, measure: Field, unit: int, needed: int) -> pa.BooleanArray:
    """Enough units in each class of values that has one, or no class at all: then the minimum is NULL.

    Without a value nothing is counted; an optional unit may be missing from all rows that have one.
    """
    name = distinct_minimum_name(measure, unit)
    none = pc.is_null(counts(raw, name))
    if raw.step.units[unit] not in raw.step.optional:
        none = pc.and_(none, is_none(raw, column_name(measure)))
    return pc.or_(reaches(raw, name, needed), none)
