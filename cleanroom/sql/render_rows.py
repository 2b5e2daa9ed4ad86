"""Relation over people's rows → one DuckDB SELECT of the columns that are needed, the hidden units of its people among them."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never, cast

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
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Project, Relation, Scan, Window
from cleanroom.domain.types import DOUBLE, NUMBERS, Kind
from cleanroom.sql.render_aggregate import unit_aggregate
from cleanroom.sql.render_expression import as_type, comparable, render_expression
from cleanroom.sql.render_text import name_of, quoted
from cleanroom.sql.render_window import window

Tables = Mapping[DatasetName, str]


def rows(relation: Relation, needed: frozenset[Field], tables: Tables) -> str:
    """A SELECT of exactly the `needed` columns. Hidden ones (units) pass through nodes that do not name them.

    ValueError: a relation that people's rows never pass through, or a column that cannot be had from it.
    """
    if not needed <= provided(relation):
        raise ValueError("a column that the relation does not carry")
    match relation:
        case Scan():
            return _scan(relation, needed, tables)
        case Filter(input=below, predicate=predicate):
            inner = rows(below, needed | set(fields_of(predicate)), tables)
            return f"SELECT {_names(needed)} FROM ({inner}) WHERE {render_expression(predicate)}"
        case Project(input=below, fields=fields):
            return _project(below, frozenset(fields), needed, tables)
        case Join():
            return _join(relation, needed, tables)
        case Aggregate():
            return _aggregate(relation, needed, tables)
        case Window():
            return _window(relation, needed, tables)
        case _:
            raise ValueError("a relation that people's rows never pass through")


def provided(relation: Relation) -> frozenset[Field]:
    """Every field that can be had from the relation, the hidden ones of its scans among them.

    Of the right side of a semi-join these are its units alone; of an anti-join's nothing; a per-unit table has no columns
    of its input but the units.
    """
    match relation:
        case Scan(fields=fields, units=units):
            return frozenset(fields) | frozenset(units)
        case Filter(input=below):
            return provided(below)
        case Project(input=below, fields=fields):
            return provided(below) | frozenset(fields)
        case Window(input=below, calls=calls):
            return provided(below) | frozenset(calls)
        case Aggregate(keys=keys, measures=measures):
            return frozenset((*keys, *measures)) | hidden_units(relation)
        case Join(left=left, right=right, kind=kind):
            match kind:
                case JoinKind.INNER | JoinKind.LEFT:
                    return provided(left) | provided(right)
                case JoinKind.SEMI:
                    return provided(left) | hidden_units(right)
                case JoinKind.ANTI:
                    return provided(left)
                case JoinKind.FULL:
                    raise ValueError("a full join of people's rows")
                case _ as never:
                    assert_never(never)
        case _:
            raise ValueError("a relation that people's rows never pass through")


def hidden_units(relation: Relation) -> frozenset[Field]:
    """The units of the scans whose people the relation's rows belong to; an anti-join has the left side's alone."""
    match relation:
        case Scan(units=units):
            return frozenset(units)
        case Filter(input=below) | Project(input=below) | Window(input=below):
            return hidden_units(below)
        case Aggregate(input=below, released=False):
            return hidden_units(below)
        case Join(left=left, right=right, kind=kind):
            return hidden_units(left) if kind is JoinKind.ANTI else hidden_units(left) | hidden_units(right)
        case _:
            raise ValueError("a relation that people's rows never pass through")


def key_expression(field: Field) -> Expression:
    """What a key or projected field is computed from; a field read from below stands for itself."""
    if isinstance(field.origin, SourceColumn | AggregateCall | WindowCall):
        return Column(field)
    return field.origin


def made_from(field: Field, below: frozenset[Field]) -> Expression:
    """What the field is computed from over rows that carry the fields `below`: one that they carry stands for itself."""
    return Column(field) if field in below else key_expression(field)


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


def _project(below: Relation, made: frozenset[Field], needed: frozenset[Field], tables: Tables) -> str:
    carried = provided(below)
    kept = {field: made_from(field, carried) if field in made else Column(field) for field in _ordered(needed)}
    inner = rows(below, read_by(kept.values()), tables)
    columns = ", ".join(f"{render_expression(e)} AS {name_of(field)}" for field, e in kept.items())
    return f"SELECT {columns or '1 AS nothing'} FROM ({inner})"


def _aggregate(table: Aggregate, needed: frozenset[Field], tables: Tables) -> str:
    """One row a group. The units are grouped by as well: the keys determine them, so the groups are the same."""
    if table.released or not table.keys:
        raise ValueError("a table of people's rows without the keys that tell them apart")
    carried = provided(table.input)
    keys = {key: made_from(key, carried) for key in table.keys}
    units = needed - set(table.fields)
    measures = [m for m in table.measures if m in needed]
    read = read_by((*keys.values(), *(part for m in measures for part in inputs(m.origin)))) | units
    grouped = [(name_of(key), render_expression(e)) for key, e in keys.items()]
    grouped += [(name_of(unit), name_of(unit)) for unit in _ordered(units)]
    columns = [f"{text} AS {name}" for name, text in grouped]
    columns += [f"{unit_aggregate(cast(AggregateCall, m.origin))} AS {name_of(m)}" for m in measures]
    group = ", ".join(str(i + 1) for i in _first_of_each([text for _, text in grouped]))
    return f"SELECT {_names(needed)} FROM (SELECT {', '.join(columns)} FROM ({rows(table.input, read, tables)}) GROUP BY {group})"


def _first_of_each(texts: Sequence[str]) -> list[int]:
    """Where each text stands first: to group by one twice costs time and changes nothing."""
    return [i for i, text in enumerate(texts) if text not in texts[:i]]


def _window(relation: Window, needed: frozenset[Field], tables: Tables) -> str:
    made = [call for call in relation.calls if call in needed]
    calls = [cast(WindowCall, field.origin) for field in made]
    if not all(call.partition for call in calls):
        raise ValueError("a window over the rows of several people")
    passed = needed - set(made)
    read = passed | {field for f in made for part in inputs(f.origin) for field in fields_of(part)}
    columns = [name_of(field) for field in _ordered(passed)]
    columns += [f"{window(call)} AS {name_of(field)}" for field, call in zip(made, calls, strict=True)]
    return f"SELECT {', '.join(columns) or '1 AS nothing'} FROM ({rows(relation.input, read, tables)})"


def _join(join: Join, needed: frozenset[Field], tables: Tables) -> str:
    if not join.keys:
        raise ValueError("a join without keys")
    left, right = provided(join.left), provided(join.right)
    if left & right:
        raise ValueError("both sides of a join hold the same field")
    own = read_by(mine for mine, _ in join.keys)
    theirs = read_by(column for _, column in join.keys)
    sides = (rows(join.left, needed & left | own, tables), rows(join.right, needed & right | theirs, tables))
    pairs = [comparable(pair) for pair in join.keys]
    match join.kind:
        case JoinKind.SEMI:
            return _semi_join(join, needed, sides)
        case JoinKind.INNER | JoinKind.LEFT | JoinKind.ANTI:
            on = " AND ".join(f"({' = '.join(pair)})" for pair in pairs)
            kind = join.kind.value.upper()
            return f"SELECT {_names(needed)} FROM ({sides[0]}) AS l {kind} JOIN ({sides[1]}) AS r ON ({on})"
        case JoinKind.FULL:
            raise ValueError("a full join of people's rows")
        case _ as never:
            assert_never(never)


def _semi_join(join: Join, needed: frozenset[Field], sides: tuple[str, str]) -> str:
    """The right side brought to one row for each of its keys, so that no left row comes twice, with the least of each unit."""
    pairs = [_alike(pair) for pair in join.keys]
    units = [f"min({name_of(unit)}) AS {name_of(unit)}" for unit in _ordered(needed & hidden_units(join.right))]
    keys = [f"{theirs} AS k{i}" for i, (_, theirs) in enumerate(pairs)]
    group = ", ".join(str(i + 1) for i in range(len(keys)))
    once = f"SELECT {', '.join([*keys, *units])} FROM ({sides[1]}) GROUP BY {group}"
    on = " AND ".join(f"({mine} = k{i})" for i, (mine, _) in enumerate(pairs))
    return f"SELECT {_names(needed)} FROM ({sides[0]}) AS l INNER JOIN ({once}) AS r ON ({on})"


def _alike(pair: tuple[Expression, Expression]) -> list[str]:
    """Both keys, as values of which no two different ones of one side are equal to one of the other."""
    kinds = {part.type.kind for part in pair}
    if kinds <= NUMBERS and kinds & {Kind.FLOAT, Kind.DOUBLE} and len(kinds) > 1:
        return [as_type(part, DOUBLE) for part in pair]
    return comparable(pair)


def read_by(expressions: Iterable[Expression]) -> frozenset[Field]:
    """Every field that any of these expressions names."""
    return frozenset(field for expression in expressions for field in fields_of(expression))


def _ordered(fields: Iterable[Field]) -> list[Field]:
    return sorted(fields, key=lambda field: field.id)


def _names(fields: Iterable[Field]) -> str:
    return ", ".join(map(name_of, _ordered(fields))) or "1 AS nothing"
