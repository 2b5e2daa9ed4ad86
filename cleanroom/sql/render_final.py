"""Final step → one DuckDB query over released tables. The order of its rows is stated by its outermost SELECT."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never, cast

from cleanroom.domain.expression import AggregateCall, Column, Field, WindowCall
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    OneRow,
    Project,
    Relation,
    ReleasedScan,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from cleanroom.domain.steps import FinalStep
from cleanroom.domain.types import Kind
from cleanroom.sql.render_aggregate import released_aggregate
from cleanroom.sql.render_expression import as_type, comparable, render_expression
from cleanroom.sql.render_rows import key_expression
from cleanroom.sql.render_text import name_of, quoted
from cleanroom.sql.render_window import direction, window

Tables = Mapping[str, str]

_JOINS: Mapping[JoinKind, str] = MappingProxyType(
    {
        JoinKind.INNER: "INNER JOIN",
        JoinKind.LEFT: "LEFT JOIN",
        JoinKind.FULL: "FULL JOIN",
        JoinKind.SEMI: "SEMI JOIN",
        JoinKind.ANTI: "ANTI JOIN",
    }
)
_SETS: Mapping[SetKind, str] = MappingProxyType(
    {
        SetKind.UNION_ALL: "UNION ALL",
        SetKind.UNION: "UNION",
        SetKind.INTERSECT: "INTERSECT",
        SetKind.EXCEPT: "EXCEPT",
    }
)


@dataclass(frozen=True, slots=True)
class _Rows:
    """A SELECT of the relation's fields and of hidden columns s<i> that say how its rows are ordered."""

    sql: str
    order: tuple[str, ...] = ()

    @property
    def hidden(self) -> list[str]:
        return [f"s{i}" for i in range(len(self.order))]

    @property
    def order_by(self) -> str:
        terms = [f"{name} {direction}" for name, direction in zip(self.hidden, self.order, strict=True)]
        return f" ORDER BY {', '.join(terms)}" if terms else ""


def render_final(step: FinalStep, tables: Tables) -> str:
    """One SELECT with the columns c<id> of `step.relation.fields`, in order, over `tables` (released table → table name).

    ValueError: a relation that reads people's rows, or a join that lacks keys where it needs them.
    """
    rows = _released(step.relation, tables)
    outputs = ", ".join(map(name_of, step.relation.fields)) or "1 AS nothing"
    return f"SELECT {outputs} FROM ({rows.sql}){rows.order_by}"


def _released(relation: Relation, tables: Tables) -> _Rows:
    match relation:
        case ReleasedScan(table=table, fields=fields):
            return _Rows(f"SELECT {_columns(fields)} FROM {quoted(tables[table])}")
        case OneRow():
            return _Rows("SELECT 1 AS nothing")
        case Filter(input=below, predicate=predicate):
            rows = _released(below, tables)
            columns = _columns(relation.fields, rows.hidden)
            return _Rows(f"SELECT {columns} FROM ({rows.sql}) WHERE {render_expression(predicate)}", rows.order)
        case Project(input=below, fields=fields):
            rows = _released(below, tables)
            made = [f"{render_expression(key_expression(f))} AS {name_of(f)}" for f in dict.fromkeys(fields)]
            return _Rows(f"SELECT {', '.join([*made, *rows.hidden]) or '1 AS nothing'} FROM ({rows.sql})", rows.order)
        case Join():
            return _join(relation, tables)
        case Aggregate():
            return _aggregate(relation, tables)
        case Window(input=below, calls=calls):
            rows = _released(below, tables)
            made = [f"{window(cast(WindowCall, f.origin))} AS {name_of(f)}" for f in calls]
            return _Rows(f"SELECT {_columns(below.fields, rows.hidden + made)} FROM ({rows.sql})", rows.order)
        case Sort(input=below, keys=keys):
            made = [f"{render_expression(key.expression)} AS s{i}" for i, key in enumerate(keys)]
            sql = f"SELECT {_columns(below.fields, made)} FROM ({_released(below, tables).sql})"
            return _Rows(sql, tuple(map(direction, keys)))
        case Limit(input=below, count=count, offset=offset):
            rows = _released(below, tables)
            columns = _columns(below.fields, rows.hidden)
            return _Rows(f"SELECT {columns} FROM ({rows.sql}){rows.order_by}{_limit(count, offset)}", rows.order)
        case SetOperation():
            return _set_operation(relation, tables)
        case Scan():
            raise ValueError("the last step reads released tables alone")
        case _ as never:
            assert_never(never)


def _join(join: Join, tables: Tables) -> _Rows:
    if set(join.left.fields) & set(join.right.fields):
        raise ValueError("both sides of a join hold the same field")
    left, right = (_plain(side, tables) for side in (join.left, join.right))
    return _Rows(
        f"SELECT {_columns(join.fields)} FROM ({left}) AS l {_JOINS[join.kind]} ({right}) AS r ON ({_on(join)})"
    )


def _on(join: Join) -> str:
    if join.keys:
        return " AND ".join(f"({' = '.join(comparable(pair))})" for pair in join.keys)
    if join.kind not in (JoinKind.INNER, JoinKind.LEFT):
        raise ValueError("a join without keys")
    return "TRUE"


def _set_operation(operation: SetOperation, tables: Tables) -> _Rows:
    """The inputs from left to right, each with its columns under the operation's names and in their types."""
    if len(operation.inputs) < 2 or any(len(i.fields) != len(operation.fields) for i in operation.inputs):
        raise ValueError("a set operation of tables of different shapes")
    first, *others = (_renamed(below, operation.fields, tables) for below in operation.inputs)
    sql = first
    for other in others:
        sql = f"({sql}) {_SETS[operation.kind]} ({other})"
    return _Rows(f"SELECT {_columns(operation.fields)} FROM ({sql})")


def _renamed(relation: Relation, names: Sequence[Field], tables: Tables) -> str:
    pairs = zip(relation.fields, names, strict=True)
    columns = [f"{_as_field(Column(field), name)} AS {name_of(name)}" for field, name in pairs]
    return f"SELECT {', '.join(columns) or '1 AS nothing'} FROM ({_plain(relation, tables)})"


def _as_field(column: Column, field: Field) -> str:
    return render_expression(column) if field.type.kind is Kind.NULL else as_type(column, field.type)


def _plain(relation: Relation, tables: Tables) -> str:
    """The relation's rows without hidden columns; its order ends here."""
    rows = _released(relation, tables)
    return f"SELECT {_columns(relation.fields)} FROM ({rows.sql})" if rows.order else rows.sql


def _aggregate(node: Aggregate, tables: Tables) -> _Rows:
    keys = [f"{render_expression(key_expression(key))} AS {name_of(key)}" for key in node.keys]
    measures = [f"{released_aggregate(cast(AggregateCall, m.origin))} AS {name_of(m)}" for m in node.measures]
    group = f" GROUP BY {', '.join(str(i + 1) for i in range(len(keys)))}" if keys else ""
    columns = ", ".join([*keys, *measures]) or "count(*) AS nothing"
    return _Rows(f"SELECT {columns} FROM ({_released(node.input, tables).sql}){group}")


def _limit(count: int | None, offset: int) -> str:
    if offset < 0 or (count is not None and count < 0):
        raise ValueError("a negative number of rows")
    return ("" if count is None else f" LIMIT {count}") + (f" OFFSET {offset}" if offset else "")


def _columns(fields: Sequence[Field], more: Sequence[str] = ()) -> str:
    return ", ".join([*map(name_of, dict.fromkeys(fields)), *more]) or "1 AS nothing"
