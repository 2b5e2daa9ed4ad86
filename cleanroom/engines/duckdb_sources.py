"""Pinned files → views of exactly the declared columns. A file that does not fit its declaration is a SourceError."""
# ruff: noqa: S608 - SQL is written here, from declared names and checked paths

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import duckdb

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import IDENTIFIER
from cleanroom.domain.policy import Dataset, DatasetColumn
from cleanroom.domain.ports import FileSource
from cleanroom.domain.types import DataType, Kind, parse_type
from cleanroom.engines.duckdb_connection import text_literal

_GLOB = frozenset("*?[]{}")
_WIDER = {
    "TINYINT": ("SMALLINT", "INTEGER", "BIGINT"),
    "SMALLINT": ("INTEGER", "BIGINT"),
    "INTEGER": ("BIGINT",),
    "UTINYINT": ("SMALLINT", "INTEGER", "BIGINT"),
    "USMALLINT": ("INTEGER", "BIGINT"),
    "UINTEGER": ("BIGINT",),
    "FLOAT": ("DOUBLE",),
    "TIMESTAMP_S": ("TIMESTAMP",),
    "TIMESTAMP_MS": ("TIMESTAMP",),
}
"""Type in a file → the declared types that hold all its values."""


def create_view(connection: duckdb.DuckDBPyConnection, name: str, source: FileSource) -> None:
    """Afterwards `name` is a view of the dataset's declared columns in their declared types.

    SourceError: source.missing, source.unreadable, or source.schema_changed where any one file does not fit.
    """
    for path in source.paths:
        _check_path(path)
    if not source.paths:
        raise SourceError("A dataset has no files.", "source.missing")
    match source.format:
        case "parquet":
            query = _parquet(connection, name, source)
        case "csv":
            query = _csv(source)
        case _:
            raise SourceError("The files of a dataset are of a format that the engine does not read.")
    connection.execute(f'CREATE VIEW "{name}" AS {query}')


def declared_columns(dataset: Dataset) -> str:
    """The dataset's columns as a column list: "a" BIGINT, …"""
    return ", ".join(f"{_quoted(column.name)} {column.type}" for column in dataset.columns)


def _check_path(path: str) -> None:
    # The engine would expand a pattern again, after the connector proved where each path lies.
    if _GLOB & set(path):
        raise SourceError("A file's name holds characters that the engine reads as a pattern.")
    if not Path(path).is_file():
        raise SourceError("A file of a dataset is missing.", "source.missing")


def _parquet(connection: duckdb.DuckDBPyConnection, name: str, source: FileSource) -> str:
    columns = source.dataset.columns
    key = None if source.key is None else _keep_key(connection, name, source.key)
    kinds = [_parquet_types(connection, _read_parquet([path], key)) for path in source.paths]
    if any(not _fits(found.get(column.name), column.type) for found in kinds for column in columns):
        raise SourceError("A file of a dataset does not have the declared columns.", "source.schema_changed")
    # Files may differ in the types that are widened; each is read in the first one's unless told otherwise.
    uniform = all({c.name: f[c.name] for c in columns} == {c.name: kinds[0][c.name] for c in columns} for f in kinds)
    if uniform:
        chosen = ", ".join(_typed(column, kinds[0][column.name]) for column in columns)
        return f"SELECT {chosen} FROM {_read_parquet(source.paths, key)}"
    parts = (
        f"SELECT {', '.join(_typed(column, found[column.name]) for column in columns)} FROM {_read_parquet([path], key)}"
        for path, found in zip(source.paths, kinds, strict=True)
    )
    return " UNION ALL ".join(parts)


def _keep_key(connection: duckdb.DuckDBPyConnection, name: str, key: str) -> str:
    """The connection knows the key under the view's own name, by which statements refer to it."""
    connection.execute(f"PRAGMA add_parquet_key({text_literal(name)}, {text_literal(key)})")
    return name


def _read_parquet(paths: Sequence[str], key: str | None) -> str:
    files = ", ".join(map(text_literal, paths))
    encrypted = "" if key is None else f", encryption_config = {{footer_key: {text_literal(key)}}}"
    return f"read_parquet([{files}], hive_partitioning = false, union_by_name = false{encrypted})"


def _parquet_types(connection: duckdb.DuckDBPyConnection, files: str) -> dict[str, str]:
    rows = connection.execute(f"DESCRIBE SELECT * FROM {files}").fetchall()
    return {row[0]: row[1] for row in rows}


def _typed(column: DatasetColumn, found: str) -> str:
    name = _quoted(column.name)
    return name if found == str(column.type) else f"TRY_CAST({name} AS {column.type}) AS {name}"


def _fits(found: str | None, declared: DataType) -> bool:
    """Whether every value of the file's type is one of the declared type."""
    if found is None:
        return False
    if found == str(declared) or str(declared) in _WIDER.get(found, ()):
        return True
    read = parse_type(found)
    if read is None or {read.kind, declared.kind} != {Kind.DECIMAL}:
        return False
    scales, digits = (read.scale or 0, declared.scale or 0), (read.precision or 0, declared.precision or 0)
    return scales[0] <= scales[1] and digits[0] - scales[0] <= digits[1] - scales[1]


def _csv(source: FileSource) -> str:
    headers = {_header(path) for path in source.paths}
    declared = {column.name: column for column in source.dataset.columns}
    header = next(iter(headers))
    if len(headers) != 1 or len(set(header)) != len(header) or not set(declared) <= set(header):
        raise SourceError("A file of a dataset does not have the declared columns.", "source.schema_changed")
    # A column that is not declared is skipped over under a name of ours.
    read = [(declared[h].name, declared[h].type) if h in declared else (f" {i}", None) for i, h in enumerate(header)]
    spec = ", ".join(f"{text_literal(name)}: '{kind or Kind.VARCHAR}'" for name, kind in read)
    chosen = ", ".join(_quoted(name) for name in declared)
    return (
        f"SELECT {chosen} FROM read_csv([{', '.join(map(text_literal, source.paths))}], auto_detect = false,"
        f" header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', columns = {{{spec}}},"
        " strict_mode = true, null_padding = false, ignore_errors = false, hive_partitioning = false)"
    )


def _header(path: str) -> tuple[str, ...]:
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        try:
            return tuple(next(csv.reader(file, strict=True), ()))
        except csv.Error:
            raise SourceError("A file of a dataset has no header that reads.", "source.unreadable") from None


def _quoted(name: str) -> str:
    if not IDENTIFIER.match(name):
        raise ValueError("not an identifier")
    return f'"{name}"'
