"""RawTable → ReleasedTable. Nothing leaves here but rows and cells that hold enough people of every source; pure."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.expression import Field
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import RawTable, ReleasedTable, column_name, pooled_name
from cleanroom.release.blank import with_blanks
from cleanroom.release.rows import kept_rows, shown_cells
from cleanroom.release.shape import require_shape


def release(raw: RawTable) -> ReleasedTable:
    """The keys and measures of the rows that every threshold allows, with the cells that fail one set to NULL.

    Hidden counts are dropped, column types stay. Rows are in the order of their keys (NULL last, pooled groups after
    all), so that the order in which the private step found them tells nothing; withheld values are in no buffer of the
    answer. Where `small_groups` is BLANK, each public group that is not shown has a row of NULLs.
    Raises ValueError where the raw table is not what its step promises: a bug of an engine, never of a query.
    """
    require_shape(raw)
    order = _by_keys(raw, raw.rows)
    order = order.filter(kept_rows(raw).take(order))
    names = [column_name(field) for field in raw.step.aggregate.fields]
    rows = pa.table([_cells(raw, field, order) for field in raw.step.aggregate.fields], names=names)
    if raw.step.small_groups is SmallGroups.BLANK:
        rows = with_blanks(raw.step, rows)
        rows = rows.take(_by_keys(raw, rows)).combine_chunks()
    return ReleasedTable(raw.step.table, rows)


def _by_keys(raw: RawTable, rows: pa.Table) -> pa.UInt64Array:
    names = [column_name(key) for key in raw.step.aggregate.keys]
    sortable = [name for name in names if not pa.types.is_null(rows.schema.field(name).type)]
    if raw.step.small_groups is SmallGroups.POOL:
        sortable.append(pooled_name())  # a group whose keys are NULL and the pool differ in this alone
    if not sortable:
        return pa.array(range(rows.num_rows), pa.uint64())
    return pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in sortable])


def _cells(raw: RawTable, field: Field, order: pa.UInt64Array) -> pa.Array:
    if field in raw.step.aggregate.measures:
        # A NULL index takes nothing; masking the values instead would leave them in the buffer, under the NULL.
        order = pc.if_else(shown_cells(raw, field).take(order), order, pa.scalar(None, pa.uint64()))
    return raw.rows.column(column_name(field)).combine_chunks().take(order)
