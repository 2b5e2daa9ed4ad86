"""Steps → tables, by DuckDB: partner data is read through one hardened connection, the last step runs in another."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from cleanroom.domain.errors import EngineError, SourceError
from cleanroom.domain.expression import Field
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import ReleasedScan, relations
from cleanroom.domain.ports import Source
from cleanroom.domain.steps import (
    Claim,
    FinalStep,
    PrivateStep,
    RawTable,
    ReleasedResult,
    ReleasedTable,
    column_name,
)
from cleanroom.domain.types import Kind
from cleanroom.engines.duckdb_connection import EngineLimits, lock, open_closed, open_reader
from cleanroom.engines.duckdb_errors import failures_as_codes
from cleanroom.engines.duckdb_hardening import prove
from cleanroom.engines.duckdb_opinion import Twin, columns_read, require_reads_only
from cleanroom.engines.duckdb_sources import create_view, declared_columns
from cleanroom.sql.render import render_claim, render_final, render_private

__all__ = ["DuckDBEngine", "EngineLimits", "prove"]

_BATCH_ROWS = 65_536


class DuckDBEngine:
    """One query's engine. Spills into a folder of its own under `scratch`, which `close` removes."""

    def __init__(self, limits: EngineLimits, *, scratch: Path) -> None:
        self._limits = limits
        self._folder = Path(tempfile.mkdtemp(prefix="query-", dir=scratch))
        self._reader: duckdb.DuckDBPyConnection | None = None
        self._sources: dict[DatasetName, Source] = {}

    def broken(self, claims: Sequence[Claim], sources: Mapping[DatasetName, Source]) -> tuple[Claim, ...]:
        """The claims that do not hold on these snapshots."""
        if not claims:
            return ()
        with failures_as_codes(reads_files=True):
            reader = self._open(sources)
            return tuple(claim for claim in claims if not self._holds(reader, claim))

    def run_private(self, step: PrivateStep, sources: Mapping[DatasetName, Source]) -> RawTable:
        """The step's columns for every group that could be released. SourceError or EngineError otherwise."""
        with failures_as_codes(reads_files=True):
            reader = self._open(sources)
            names = self._names()
            read = columns_read(step)
            if not set(read) <= set(names):
                raise SourceError("A dataset of the query has no source.", "source.missing")
            sql = render_private(step, names)
            twins = {names[d]: Twin(declared_columns(sources[d].dataset), columns) for d, columns in read.items()}
            require_reads_only(sql, twins)
            return RawTable(step, _fetch(reader, sql, self._limits.max_result_rows))

    def run_final(self, step: FinalStep, tables: Mapping[str, ReleasedTable]) -> ReleasedResult:
        """The step's answer over `tables` alone, its columns named for the analyst."""
        with failures_as_codes(reads_files=False):
            connection = open_closed(self._limits)
            try:
                names = {table: f"r{i}" for i, table in enumerate(sorted(tables))}
                wide = _huge_columns(step)
                twins = {names[n]: _load(connection, names[n], t.rows, wide) for n, t in tables.items()}
                lock(connection)
                sql = render_final(step, names)
                require_reads_only(sql, twins, released=True)
                rows = _fetch(connection, sql, self._limits.max_result_rows)
            finally:
                connection.close()
        return ReleasedResult(rows.rename_columns(list(step.names)))

    def close(self) -> None:
        """Afterwards nothing of the query is left, in memory or on disk."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self, sources: Mapping[DatasetName, Source]) -> duckdb.DuckDBPyConnection:
        """The connection over exactly these sources, made where there is none yet."""
        if self._reader is not None and self._sources == dict(sources):
            return self._reader
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._sources = dict(sources)
        files = [path for source in sources.values() for path in source.paths]
        encrypted = any(source.key is not None for source in sources.values())
        reader = open_reader(self._limits, self._folder / "spill", files, encrypted=encrypted)
        try:
            for dataset, name in self._names().items():
                create_view(reader, name, sources[dataset])
        except BaseException:
            reader.close()
            raise
        self._reader = reader
        return reader

    def _names(self) -> dict[DatasetName, str]:
        return {dataset: f"t{i}" for i, dataset in enumerate(sorted(self._sources))}

    def _holds(self, reader: duckdb.DuckDBPyConnection, claim: Claim) -> bool:
        source = self._sources.get(claim.dataset)
        if source is None:
            raise SourceError("A dataset of the query has no source.", "source.missing")
        name = self._names()[claim.dataset]
        sql = render_claim(claim, name, source.dataset)
        twin = Twin(declared_columns(source.dataset), frozenset(claim.columns))
        require_reads_only(sql, {name: twin})
        return reader.execute(sql).fetchall() == [(True,)]


def _huge_columns(step: FinalStep) -> frozenset[str]:
    """Columns that Arrow carries as decimals of 38 digits and that the plan computes with as HUGEINT."""
    fields: list[Field] = []
    for relation in relations(step.relation):
        if isinstance(relation, ReleasedScan):
            fields.extend(relation.fields)
    return frozenset(column_name(field) for field in fields if field.type.kind is Kind.HUGEINT)


def _load(connection: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, wide: frozenset[str]) -> Twin:
    """Copies released rows into a real table, in an order that says nothing of how they were computed."""
    integer = pa.decimal128(38, 0)
    columns = ", ".join(
        f'CAST("{f.name}" AS HUGEINT) AS "{f.name}"' if f.name in wide and f.type == integer else f'"{f.name}"'
        for f in rows.schema
    )
    connection.register("incoming", rows)
    connection.execute(f'CREATE TABLE "{name}" AS SELECT {columns} FROM incoming ORDER BY ALL')  # noqa: S608
    connection.unregister("incoming")
    described = connection.execute(f'DESCRIBE "{name}"').fetchall()
    return Twin(", ".join(f'"{row[0]}" {row[1]}' for row in described), frozenset(row[0] for row in described))


def _fetch(connection: duckdb.DuckDBPyConnection, sql: str, max_rows: int) -> pa.Table:
    """All rows of the query. EngineError engine.result_too_large: there are more than `max_rows`."""
    reader = connection.sql(sql).to_arrow_reader(_BATCH_ROWS)
    batches, count = [], 0
    for batch in reader:
        count += batch.num_rows
        if count > max_rows:
            reader.close()
            raise EngineError("The answer has more rows than one may have.", "engine.result_too_large")
        batches.append(batch)
    return pa.Table.from_batches(batches, reader.schema)
