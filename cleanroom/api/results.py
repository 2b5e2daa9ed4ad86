"""A released Arrow table → JSON, CSV, Arrow stream or Parquet. Exact: what JSON numbers cannot hold is a string."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from flask import json

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

SAFE_INTEGER = 2**53
"""Integers of smaller magnitude survive every JSON reader (RFC 8259, section 6)."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_HUGEINT = pa.decimal128(38, 0)  # Arrow has no wider integer, so that engines hand over whole numbers as this
_TYPE_NAMES: Mapping[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.null(): "NULL",
}


def read_result(stored: bytes) -> pa.Table:
    """The table of a stored Arrow IPC stream."""
    with pa.ipc.open_stream(stored) as reader:
        return reader.read_all()


def json_bytes(table: pa.Table) -> bytes:
    """`{"columns": [{"name", "type"}], "rows": [[…]]}`; see docs/http.md for how each type is written."""
    columns = [{"name": field.name, "type": type_name(field.type)} for field in table.schema]
    rows = [[json_value(v) for v in row] for row in _rows(table)]
    return json.dumps({"columns": columns, "rows": rows}).encode()


def csv_bytes(table: pa.Table) -> bytes:
    """RFC 4180 with a header line, UTF-8. Texts are quoted and nothing else is: NULL is an empty field, an empty text "".

    Texts and names that a spreadsheet would run as a formula (=, +, -, @, tab, line break first) begin with an
    apostrophe: they may come from another partner's data. Other values are written as in JSON.
    """
    lines = (",".join(map(_csv_field, row)) for row in (table.column_names, *_rows(table)))
    return "".join(f"{line}\r\n" for line in lines).encode()


def arrow_bytes(table: pa.Table) -> bytes:
    """The Arrow IPC streaming format."""
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def parquet_bytes(table: pa.Table) -> bytes:
    """One Parquet file."""
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


WRITERS: Mapping[str, Callable[[pa.Table], bytes]] = {
    JSON: json_bytes,
    CSV: csv_bytes,
    ARROW: arrow_bytes,
    PARQUET: parquet_bytes,
}


def type_name(arrow: pa.DataType) -> str:
    """The SQL name of an Arrow type, as the catalog writes it."""
    if arrow == _HUGEINT:
        return "HUGEINT"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMP"
    return _TYPE_NAMES.get(arrow, "VARCHAR")


def json_value(value: Any) -> Any:
    """The value for JSON: NULL, booleans and small integers as they are, moments in ISO 8601, decimals as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case Decimal():
            return format(value, "f")
        case datetime.date():
            return value.isoformat()
        case _:
            return str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in table.columns), strict=True)


def _values(column: pa.ChunkedArray) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return [None if v is None else int(v) for v in values] if column.type == _HUGEINT else values


def _csv_field(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            guard = "'" if value.startswith(_FORMULA) else ""
            return '"' + guard + value.replace('"', '""') + '"'
        case bool():
            return "true" if value else "false"
        case _:
            return str(json_value(value))
