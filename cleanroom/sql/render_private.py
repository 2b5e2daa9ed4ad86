"""Private step → one DuckDB query: the release aggregate with the hidden counts that decide what may leave."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from cleanroom.domain.expression import (
    AggregateCall,
    Column,
    Expression,
    Field,
    SourceColumn,
    WindowCall,
    fields_of,
    inputs,
)
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Filter, Join, Project, Relation, Scan
from cleanroom.domain.policy import Dataset
from cleanroom.domain.steps import Claim, PrivateStep, column_name, unit_count_name
from cleanroom.sql.render_aggregate import release_aggregate
from cleanroom.sql.render_conditional import render_conditional
from cleanroom.sql.render_expression import comparable, render_expression
from cleanroom.sql.render_text import name_of, quoted

Tables = Mapping[DatasetName, str]


def render_private(step: PrivateStep, tables: Tables) -> str:
    """One SELECT with exactly the columns that `PrivateStep` documents, over `tables` (dataset → table name).

    Where there are no conditions it is one plain aggregate with COUNT(DISTINCT unit) beside the measures. Groups of
    fewer units than `minimum_units`, which `release` would drop, are left out.
    ValueError: a plan that no approval lets through.
    """
    keys = [(column_name(key), render_expression(key_expression(key))) for key in step.aggregate.keys]
    source = rows(step.aggregate.input, frozenset(_used(step)), tables)
    if step.conditions:
        return render_conditional(step, keys, source)
    measures = [(column_name(m), _measure(m)) for m in step.aggregate.measures]
    counts = [(unit_count_name(j), f"count(DISTINCT {name_of(unit)})") for j, unit in enumerate(step.units)]
    outputs = ", ".join(f"{text} AS {quoted(name)}" for name, text in (*keys, *measures, *counts))
    if not keys:
        return f"SELECT {outputs} FROM ({source})"
    # Said here for speed; `release` decides.
    enough = " AND ".join(f"({count} >= {int(step.minimum_units)})" for _, count in counts)
    group = ", ".join(str(i + 1) for i in range(len(keys)))
    return f"SELECT {outputs} FROM ({source}) GROUP BY {group}{f' HAVING {enough}' if enough else ''}"


def render_claim(claim: Claim, table: str, dataset: Dataset) -> str:
    """One boolean: whether the table keeps the promise. ValueError: about columns that the dataset does not declare."""
    if not claim.columns or any(dataset.column(name) is None for name in claim.columns):
        raise ValueError("a claim about columns that are not declared")
    names = [quoted(name) for name in claim.columns]
    if not claim.unique:
        return f"SELECT (count(*) = count({names[0]})) FROM {quoted(table)}"
    present = " AND ".join(f"({name} IS NOT NULL)" for name in names)
    groups = f"SELECT count(*) AS n FROM {quoted(table)} WHERE {present} GROUP BY {', '.join(names)}"
    return f"SELECT (coalesce(max(n), 1) = 1) FROM ({groups})"


def key_expression(field: Field) -> Expression:
    """What a key or projected field is computed from; a field read from below stands for itself."""
    if isinstance(field.origin, SourceColumn | AggregateCall | WindowCall):
        return Column(field)
    return field.origin


def _measure(field: Field) -> str:
    call = cast(AggregateCall, field.origin)
    argument = "" if call.argument is None else render_expression(call.argument)
    return release_aggregate(call, argument, "" if call.condition is None else render_expression(call.condition))


def _used(step: PrivateStep) -> Iterable[Field]:
    """Every column that the step itself reads from its input."""
    yield from step.units
    for key in step.aggregate.keys:
        yield from fields_of(key_expression(key))
    for measure in step.aggregate.measures:
        for part in inputs(measure.origin):
            yield from fields_of(part)
    for condition in step.conditions:
        yield from fields_of(condition)


def rows(relation: Relation, needed: frozenset[Field], tables: Tables) -> str:
    """A SELECT of exactly the `needed` columns. Hidden ones (units) pass through projections that do not name them."""
    match relation:
        case Scan():
            return _scan(relation, needed, tables)
        case Filter(input=below, predicate=predicate):
            inner = rows(below, needed | set(fields_of(predicate)), tables)
            return f"SELECT {_names(needed)} FROM ({inner}) WHERE {render_expression(predicate)}"
        case Project(input=below, fields=fields):
            return _project(below, {f: key_expression(f) for f in fields}, needed, tables)
        case Join():
            return _join(relation, needed, tables)
        case _:
            raise ValueError("a relation that people's rows never pass through")


def _scan(scan: Scan, needed: frozenset[Field], tables: Tables) -> str:
    """The owner's row filter first, and no row without its units; both above a subquery in which only our names exist."""
    conditions = [f"({name_of(unit)} IS NOT NULL)" for unit in scan.units]
    filtered: set[Field] = set()
    if scan.row_filter is not None:
        filtered = set(fields_of(scan.row_filter))
        conditions.insert(0, render_expression(scan.row_filter))
    read = _ordered(needed | filtered | set(scan.units))
    columns = ", ".join(f"{_declared(field)} AS {name_of(field)}" for field in read) or "1 AS nothing"
    table = f"SELECT {columns} FROM {quoted(tables[scan.dataset])}"
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {_names(needed)} FROM ({table}){where}"


def _declared(field: Field) -> str:
    if not isinstance(field.origin, SourceColumn):
        raise ValueError("a scan reads declared columns alone")
    return quoted(field.origin.column)


def _project(below: Relation, made: dict[Field, Expression], needed: frozenset[Field], tables: Tables) -> str:
    kept = {field: made.get(field, Column(field)) for field in _ordered(needed)}
    inner = rows(below, frozenset(f for expression in kept.values() for f in fields_of(expression)), tables)
    columns = ", ".join(f"{render_expression(e)} AS {name_of(field)}" for field, e in kept.items())
    return f"SELECT {columns or '1 AS nothing'} FROM ({inner})"


def _join(join: Join, needed: frozenset[Field], tables: Tables) -> str:
    if not join.keys:
        raise ValueError("a join without keys")
    left, right = provided(join.left), provided(join.right)
    if left & right:
        raise ValueError("both sides of a join hold the same field")
    wanted = needed | {column.field for pair in join.keys for column in pair}
    sides = (rows(join.left, wanted & left, tables), rows(join.right, wanted & right, tables))
    on = " AND ".join(f"({' = '.join(comparable(pair))})" for pair in join.keys)
    return f"SELECT {_names(needed)} FROM ({sides[0]}) AS l INNER JOIN ({sides[1]}) AS r ON ({on})"


def provided(relation: Relation) -> frozenset[Field]:
    """Every field that can be had from the relation, the hidden ones of its scans among them."""
    match relation:
        case Join(left=left, right=right):
            return provided(left) | provided(right)
        case Filter(input=below):
            return provided(below)
        case Project(input=below, fields=fields):
            return provided(below) | frozenset(fields)
        case Scan(fields=fields, units=units):
            return frozenset(fields) | frozenset(units)
        case _:
            raise ValueError("a relation that people's rows never pass through")


def _ordered(fields: Iterable[Field]) -> list[Field]:
    return sorted(fields, key=lambda field: field.id)


def _names(fields: Iterable[Field]) -> str:
    return ", ".join(map(name_of, _ordered(fields))) or "1 AS nothing"
