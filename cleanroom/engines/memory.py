"""Steps → tables, the slow and obvious way: the in-memory twin of the real engine, and the measure it is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.ports import Source
from cleanroom.domain.steps import (
    Claim,
    FinalStep,
    PrivateStep,
    RawTable,
    ReleasedResult,
    ReleasedTable,
    column_name,
    hidden_names,
)
from cleanroom.domain.types import BIGINT, DataType
from cleanroom.engines.memory_arrow import arrow_table, read
from cleanroom.engines.memory_private import private_rows
from cleanroom.engines.memory_relations import NamedRow, Tables, rows_of
from cleanroom.engines.memory_values import group_key


class MemoryEngine:
    """Implements `ports.Engine` over plain Python rows.

    `rows` stand in for the sources of the datasets they name: by column name, values of the declared types. They stay
    when the engine is closed; what it read of sources does not.
    """

    def __init__(self, rows: Mapping[DatasetName, Sequence[NamedRow]] | None = None) -> None:
        self._given = dict(rows or {})
        self._read: dict[DatasetName, Sequence[NamedRow]] = {}

    def broken(self, claims: Sequence[Claim], sources: Mapping[DatasetName, Source]) -> tuple[Claim, ...]:
        datasets = self._datasets(sources)
        return tuple(claim for claim in claims if not _holds(claim, _dataset(datasets, claim.dataset)))

    def run_private(self, step: PrivateStep, sources: Mapping[DatasetName, Source]) -> RawTable:
        rows = private_rows(step, Tables(self._datasets(sources), {}))
        columns = [(name, kind, [row[name] for row in rows]) for name, kind in _columns(step)]
        return RawTable(step, arrow_table(columns))

    def run_final(self, step: FinalStep, tables: Mapping[str, ReleasedTable]) -> ReleasedResult:
        released = {name: table.rows.to_pylist() for name, table in tables.items()}
        rows = rows_of(step.relation, Tables({}, released))
        named = zip(step.names, step.relation.fields, strict=True)
        return ReleasedResult(arrow_table([(name, f.type, [row[f.id] for row in rows]) for name, f in named]))

    def close(self) -> None:
        self._read.clear()

    def _datasets(self, sources: Mapping[DatasetName, Source]) -> Mapping[DatasetName, Sequence[NamedRow]]:
        """The rows given and those of the sources, each source read once."""
        for name in sources.keys() - self._given.keys() - self._read.keys():
            self._read[name] = read(sources[name])
        return {**self._read, **self._given}


def _columns(step: PrivateStep) -> Iterator[tuple[str, DataType]]:
    yield from ((column_name(field), field.type) for field in step.aggregate.fields)
    yield from ((name, BIGINT) for name in hidden_names(step))


def _dataset(datasets: Mapping[DatasetName, Sequence[NamedRow]], name: DatasetName) -> Sequence[NamedRow]:
    if name not in datasets:
        raise EngineError("a claim is about a dataset that this query was not given")
    return datasets[name]


def _holds(claim: Claim, rows: Sequence[NamedRow]) -> bool:
    values: list[list[Value]] = [[row[column] for column in claim.columns] for row in rows]
    complete = [tuple(map(group_key, row)) for row in values if None not in row]
    if not claim.unique:
        return len(complete) == len(values)
    return len(set(complete)) == len(complete)
