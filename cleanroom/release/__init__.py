"""RawTable → ReleasedTable. Nothing leaves here but rows and cells that hold enough people of every source; pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import RawTable, ReleasedTable, column_name
from cleanroom.release.conditional import shown_cells
from cleanroom.release.shape import require_shape
from cleanroom.release.thresholds import kept_rows


def release(raw: RawTable) -> ReleasedTable:
    """The keys and measures of the rows that every threshold allows, with the conditional cells that fail set to NULL.

    Hidden counts are dropped, column types stay. Rows are in the order of their keys (NULL last), so that the order in
    which the private step found them tells nothing; withheld values are in no buffer of the answer.
    Raises ValueError where the raw table is not what its step promises: a bug of an engine, never of a query.
    """
    require_shape(raw)
    order = _ordered_by_keys(raw)
    order = order.filter(kept_rows(raw).take(order))
    columns = [_cells(raw, field, order) for field in raw.step.aggregate.fields]
    names = [column_name(field) for field in raw.step.aggregate.fields]
    return ReleasedTable(raw.step.table, pa.table(columns, names=names))


def _ordered_by_keys(raw: RawTable) -> pa.UInt64Array:
    names = [column_name(key) for key in raw.step.aggregate.keys]
    sortable = [name for name in names if not pa.types.is_null(raw.rows.schema.field(name).type)]
    if not sortable:
        return pa.array(range(raw.rows.num_rows), pa.uint64())
    return pc.sort_indices(raw.rows, sort_keys=[(name, "ascending") for name in sortable])


def _cells(raw: RawTable, field: Field, order: pa.UInt64Array) -> pa.Array:
    shown = shown_cells(raw, field)
    if shown is not None:
        # A NULL index takes nothing; masking the values instead would leave them in the buffer, under the NULL.
        order = pc.if_else(shown.take(order), order, pa.scalar(None, pa.uint64()))
    return raw.rows.column(column_name(field)).combine_chunks().take(order)
