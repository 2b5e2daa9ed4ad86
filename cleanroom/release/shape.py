"""RawTable → nothing, or ValueError. A raw table has exactly the columns and types that its step promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from cleanroom.domain.steps import (
    PrivateStep,
    RawTable,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
    unit_count_name,
)

_FLAT: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_null,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_date,
    pa.types.is_timestamp,
)


def require_shape(raw: RawTable) -> None:
    """Every threshold of the step can be checked. Raises ValueError where a hidden count is missing, of another type
    than BIGINT or there twice, and where a column's type could carry values of rows that are withheld."""
    _require_step(raw.step)
    for name in hidden_names(raw.step):
        if not pa.types.is_int64(_type_of(raw.rows, name)):
            raise ValueError(f"the hidden count {name} is not a BIGINT")
    for field in raw.step.aggregate.fields:
        kind = _type_of(raw.rows, column_name(field))
        # A dictionary, for one, holds the values of all rows, whichever of them are kept.
        if not any(is_flat(kind) for is_flat in _FLAT):
            raise ValueError(f"the column {column_name(field)} has the type {kind}, which is never released")


def hidden_names(step: PrivateStep) -> Iterator[str]:
    """The names of the hidden counts that the step's raw table must have."""
    for unit in range(len(step.units)):
        yield unit_count_name(unit)
        if step.conditions:
            yield atom_minimum_name(unit)
            yield from (cell_count_name(condition, unit) for condition in range(len(step.conditions)))
            yield from (distinct_minimum_name(measure, unit) for measure in step.distinct_measures)


def _require_step(step: PrivateStep) -> None:
    if not step.units:
        raise ValueError("a private step protects at least one unit")
    if step.minimum_units < 1:
        raise ValueError("a threshold is at least one unit")
    measures = (*(cell.measure for cell in step.conditional), *step.distinct_measures)
    if any(measure not in step.aggregate.measures for measure in measures):
        raise ValueError("a conditional cell or distinct count is no measure of its step")
    if any(not 0 <= cell.condition < len(step.conditions) for cell in step.conditional):
        raise ValueError("a conditional cell names no condition of its step")


def _type_of(rows: pa.Table, name: str) -> pa.DataType:
    found = rows.schema.get_all_field_indices(name)
    if len(found) != 1:
        raise ValueError(f"the raw table has {len(found)} columns {name}, not one")
    return rows.schema.field(found[0]).type
