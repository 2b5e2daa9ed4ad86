"""RawTable → nothing, or ValueError. A raw table has exactly the columns and types that its step promises."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from cleanroom.domain.steps import RawTable, column_name, hidden_names
from cleanroom.release.pool import require_pool
from cleanroom.release.step import require_step

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
    """Every threshold of the step can be checked. Raises ValueError where the step asks for what cannot be, where a hidden
    count is missing, of another type than BIGINT or there twice, and where a column's type could carry values of rows
    that are withheld."""
    require_step(raw.step)
    for name in hidden_names(raw.step):
        if not pa.types.is_int64(_type_of(raw.rows, name)):
            raise ValueError(f"the hidden count {name} is not a BIGINT")
    for field in raw.step.aggregate.fields:
        kind = _type_of(raw.rows, column_name(field))
        # A dictionary, for one, holds the values of all rows, whichever of them are kept.
        if not any(is_flat(kind) for is_flat in _FLAT):
            raise ValueError(f"the column {column_name(field)} has the type {kind}, which is never released")
    require_pool(raw)


def _type_of(rows: pa.Table, name: str) -> pa.DataType:
    found = rows.schema.get_all_field_indices(name)
    if len(found) != 1:
        raise ValueError(f"the raw table has {len(found)} columns {name}, not one")
    return rows.schema.field(found[0]).type
