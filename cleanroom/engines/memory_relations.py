"""Relation and tables → rows. Each operator by its definition; a row maps field ids to values."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import AggregateCall, Field, SourceColumn, Value, WindowCall
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    Limit,
    OneRow,
    Project,
    Relation,
    ReleasedScan,
    Scan,
    SetOperation,
    Sort,
    Window,
    units_of,
)
from cleanroom.domain.steps import column_name
from cleanroom.engines.memory_aggregates import aggregate
from cleanroom.engines.memory_casts import cast, conform
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_joins import joined
from cleanroom.engines.memory_sets import combined
from cleanroom.engines.memory_values import group_key
from cleanroom.engines.memory_windows import ordered, windowed

NamedRow: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Tables:
    """What scans may read: datasets by their column names, released tables by their `column_name`s."""

    datasets: Mapping[DatasetName, Sequence[NamedRow]]
    released: Mapping[str, Sequence[NamedRow]]


def rows_of(relation: Relation, tables: Tables) -> list[Row]:
    """The relation's rows. Raises EngineError where it reads a table that `tables` has not."""
    match relation:
        case Scan():
            return _scanned(relation, tables)
        case ReleasedScan(table=table, fields=fields):
            found = _table(tables.released, table)
            return [{f.id: cast(row[column_name(f)], f.type) for f in fields} for row in found]
        case OneRow():
            return [{}]
        case Filter(input=below, predicate=predicate):
            return [row for row in rows_of(below, tables) if evaluate(predicate, row) is True]
        case Project(input=below, fields=fields):
            # The input's columns stay below the new ones: the hidden units travel with every row.
            return [{**row, **{f.id: _computed(f, row) for f in fields}} for row in rows_of(below, tables)]
        case Join(left=left, right=right):
            return joined(relation, rows_of(left, tables), rows_of(right, tables))
        case SetOperation(inputs=inputs):
            return combined(relation, [rows_of(below, tables) for below in inputs])
        case Aggregate(keys=keys):
            groups = grouped(keys, rows_of(relation.input, tables))
            units = () if relation.released else units_of(relation)
            return [{**aggregated_row(relation, key, rows), **_owner(units, rows)} for key, rows in groups]
        case Window(input=below, calls=calls):
            return _with_windows(calls, rows_of(below, tables))
        case Sort(input=below, keys=order):
            return ordered(rows_of(below, tables), order)
        case Limit(input=below, count=count, offset=offset):
            return rows_of(below, tables)[offset : None if count is None else offset + count]
        case _ as never:
            assert_never(never)


def grouped(keys: Sequence[Field], rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """The key values and the rows of each group; without keys one group, even of no rows."""
    groups: dict[Hashable, tuple[Row, list[Row]]] = {} if keys else {(): ({}, [])}
    for row in rows:
        values = {key.id: _computed(key, row) for key in keys}
        name = tuple(group_key(value) for value in values.values())
        groups.setdefault(name, (values, []))[1].append(row)
    return list(groups.values())


def aggregated_row(relation: Aggregate, key: Row, members: Sequence[Row]) -> Row:
    """One group's row: its key values and its measures."""
    return {**key, **{measure.id: _measured(measure, members) for measure in relation.measures}}


def _owner(units: Sequence[Field], members: Sequence[Row]) -> Row:
    """The hidden units of a group of one person's rows. Raises EngineError where it has several of one, or no row at all."""
    return {unit.id: _only([member[unit.id] for member in members]) for unit in units}


def _only(values: Sequence[Value]) -> Value:
    if len({group_key(value) for value in values}) != 1:
        raise EngineError("a group of one person's rows does not belong to one person")
    return values[0]


def _table(tables: Mapping[str, Sequence[NamedRow]], name: str) -> Sequence[NamedRow]:
    if name not in tables:
        raise EngineError("a relation reads a table that this step was not given")
    return tables[name]


def _scanned(scan: Scan, tables: Tables) -> list[Row]:
    """The owner's rows: the row filter first, then without rows that belong to nobody known."""
    columns = {f.id: _source_column(f) for f in scan.fields}
    named = _table({str(name): rows for name, rows in tables.datasets.items()}, scan.dataset)
    rows = [{f.id: conform(row[columns[f.id]], f.type) for f in scan.fields} for row in named]
    if scan.row_filter is not None:
        predicate = scan.row_filter
        rows = [row for row in rows if evaluate(predicate, row) is True]
    return [row for row in rows if all(row[unit.id] is not None for unit in scan.units)]


def _source_column(field: Field) -> str:
    if not isinstance(field.origin, SourceColumn):
        raise EngineError("a scan's field comes from no column of its dataset")
    return field.origin.column


def _computed(field: Field, row: Row) -> Value:
    if field.id in row:  # passed on as it is
        return row[field.id]
    if isinstance(field.origin, SourceColumn | AggregateCall | WindowCall):
        raise EngineError("a computed field that is no expression cannot be run")
    return conform(evaluate(field.origin, row), field.type)


def _measured(measure: Field, rows: Sequence[Row]) -> Value:
    if not isinstance(measure.origin, AggregateCall):
        raise EngineError("a measure that is no aggregate cannot be run")
    return conform(aggregate(measure.origin, rows), measure.type)


def _with_windows(calls: Sequence[Field], rows: Sequence[Row]) -> list[Row]:
    columns: dict[int, list[Value]] = {}
    for field in calls:
        if not isinstance(field.origin, WindowCall):
            raise EngineError("a window's field that is no window call cannot be run")
        columns[field.id] = [conform(value, field.type) for value in windowed(field.origin, rows)]
    return [{**row, **{name: column[at] for name, column in columns.items()}} for at, row in enumerate(rows)]
