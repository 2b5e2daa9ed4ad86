"""Rows ↔ Arrow tables. Files are read once into plain Python values of the types that their owner declared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from cleanroom.domain.errors import SourceError
from cleanroom.domain.expression import Value
from cleanroom.domain.policy import DatasetColumn
from cleanroom.domain.ports import FileSource
from cleanroom.domain.types import DataType, Kind
from cleanroom.engines.memory_casts import cast
from cleanroom.engines.memory_relations import NamedRow

_ARROW = {
    Kind.BOOLEAN: pa.bool_(),
    Kind.TINYINT: pa.int8(),
    Kind.SMALLINT: pa.int16(),
    Kind.INTEGER: pa.int32(),
    Kind.BIGINT: pa.int64(),
    Kind.HUGEINT: pa.decimal128(38, 0),
    Kind.FLOAT: pa.float32(),
    Kind.DOUBLE: pa.float64(),
    Kind.VARCHAR: pa.string(),
    Kind.DATE: pa.date32(),
    Kind.TIMESTAMP: pa.timestamp("us"),
    Kind.NULL: pa.null(),
}


def arrow_type(kind: DataType) -> pa.DataType:
    """The Arrow type that stands for a column type; HUGEINT, which Arrow has not, is a decimal without fraction."""
    return pa.decimal128(kind.precision, kind.scale) if kind.kind is Kind.DECIMAL else _ARROW[kind.kind]


def arrow_table(columns: Sequence[tuple[str, DataType, Iterable[Value]]]) -> pa.Table:
    """A table of these columns: name, type and values."""
    arrays = [pa.array(_exact(kind, values), arrow_type(kind)) for _, kind, values in columns]
    return pa.table(arrays, names=[name for name, _, _ in columns])


def _exact(kind: DataType, values: Iterable[Value]) -> list[Value]:
    if kind.kind is not Kind.HUGEINT:
        return list(values)
    return [Decimal(value) if isinstance(value, int) else value for value in values]


def read(source: FileSource) -> list[NamedRow]:
    """Every row of the source's files, declared columns only.

    Raises SourceError: source.unreadable where a file cannot be read, source.schema_changed where it lacks a declared
    column or holds a value that the declared type does not.
    """
    return [row for path in source.paths for row in _rows(_file(source.format, path), source.dataset.columns)]


def _file(file_format: str, path: str) -> pa.Table:
    try:
        if file_format == "parquet":
            return pyarrow.parquet.ParquetFile(path).read()
        return _csv(path)
    except (OSError, pa.ArrowException) as error:
        raise SourceError("a file of the dataset cannot be read") from error


def _csv(path: str) -> pa.Table:
    """All columns as text, an empty field as NULL: the declared types decide what the text means."""
    with pyarrow.csv.open_csv(path) as reader:
        names = reader.schema.names
    text = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    return pyarrow.csv.read_csv(path, convert_options=text)


def _rows(table: pa.Table, columns: Sequence[DatasetColumn]) -> list[NamedRow]:
    if missing := [column for column in columns if table.schema.get_all_field_indices(column.name) == []]:
        raise SourceError(f"the dataset's files lack the declared column {missing[0].name}", "source.schema_changed")
    values = [_declared(table.column(column.name), column) for column in columns]
    return [dict(zip((c.name for c in columns), row, strict=True)) for row in zip(*values, strict=True)]


def _declared(found: pa.ChunkedArray, column: DatasetColumn) -> list[Value]:
    if pa.types.is_timestamp(found.type):
        found = found.cast(pa.timestamp("us"), safe=False)
    raw = found.to_pylist()
    values = [cast(value, column.type) for value in raw]
    if any(value is None and was is not None for value, was in zip(values, raw, strict=True)):
        raise SourceError(f"a value of the column {column.name} is not of its declared type", "source.schema_changed")
    return values
