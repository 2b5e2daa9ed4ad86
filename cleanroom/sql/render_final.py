"""Final step → one DuckDB query over released tables. The order of its rows is stated by its outermost SELECT."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field, FrameBound, Literal, SortKey, WindowCall
from cleanroom.domain.functions import WINDOWS
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
    Sort,
    Window,
)
from cleanroom.domain.steps import FinalStep
from cleanroom.domain.types import BIGINT
from cleanroom.sql.render_aggregate import aggregate, released_aggregate
from cleanroom.sql.render_expression import as_type, comparable, render_expression
from cleanroom.sql.render_private import key_expression
from cleanroom.sql.render_text import name_of, quoted

Tables = Mapping[str, str]


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

    ValueError: a relation that reads people's rows, or a join without keys.
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
            made = [f"{_window(cast(WindowCall, f.origin))} AS {name_of(f)}" for f in calls]
            return _Rows(f"SELECT {_columns(below.fields, rows.hidden + made)} FROM ({rows.sql})", rows.order)
        case Sort(input=below, keys=keys):
            made = [f"{render_expression(key.expression)} AS s{i}" for i, key in enumerate(keys)]
            sql = f"SELECT {_columns(below.fields, made)} FROM ({_released(below, tables).sql})"
            return _Rows(sql, tuple(map(_direction, keys)))
        case Limit(input=below, count=count, offset=offset):
            rows = _released(below, tables)
            columns = _columns(below.fields, rows.hidden)
            return _Rows(f"SELECT {columns} FROM ({rows.sql}){rows.order_by}{_limit(count, offset)}", rows.order)
        case Scan():
            raise ValueError("the last step reads released tables alone")


def _join(join: Join, tables: Tables) -> _Rows:
    if not join.keys:
        raise ValueError("a join without keys")
    if set(join.left.fields) & set(join.right.fields):
        raise ValueError("both sides of a join hold the same field")
    on = " AND ".join(f"({' = '.join(comparable(pair))})" for pair in join.keys)
    left, right = (_plain(side, tables) for side in (join.left, join.right))
    return _Rows(f"SELECT {_columns(join.fields)} FROM ({left}) AS l INNER JOIN ({right}) AS r ON ({on})")


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


def _window(call: WindowCall) -> str:
    if call.function not in WINDOWS:
        raise ValueError("not a window function")
    over = f" OVER ({_over(call)})"
    first = call.arguments[0] if call.arguments else None
    match call.function:
        case "count_rows" | "count" | "sum" | "avg" | "min" | "max":
            text = "" if first is None else render_expression(first)
            return aggregate(AggregateCall(call.function, first), text, over)
        case "ntile" if first is not None:
            buckets = as_type(first, BIGINT)
            return f"ntile(CASE WHEN ({buckets} > 0) THEN {buckets} END){over}"
        case "lag" | "lead" if first is not None:
            return f"{call.function}({', '.join(_shifted(call))}){over}"
        case "first_value" | "last_value" if first is not None:
            return f"{call.function}({render_expression(first)}){over}"
        case _:
            return f"{call.function}(){over}"


def _shifted(call: WindowCall) -> list[str]:
    """Argument, offset and default of LAG and LEAD; the default in the argument's type."""
    value, *others = call.arguments
    offset = [as_type(other, BIGINT) for other in others[:1]]
    return [render_expression(value), *offset, *(as_type(other, value.type) for other in others[1:])]


def _over(call: WindowCall) -> str:
    partition = f"PARTITION BY {', '.join(map(render_expression, call.partition))}" if call.partition else ""
    terms = [f"{_unpositioned(key)} {_direction(key)}" for key in call.order]
    order = f"ORDER BY {', '.join(terms)}" if terms else ""
    frame = (
        f"ROWS BETWEEN {_bound(call.frame[0], 'PRECEDING')} AND {_bound(call.frame[1], 'FOLLOWING')}"
        if call.frame
        else ""
    )
    return " ".join(part for part in (partition, order, frame) if part)


def _unpositioned(key: SortKey) -> str:
    """A sort key that is a literal orders nothing; written as it is, a number could be read as a position."""
    return "NULL" if isinstance(key.expression, Literal) else render_expression(key.expression)


def _bound(bound: FrameBound, side: str) -> str:
    match bound.offset:
        case None:
            return f"UNBOUNDED {side}"
        case 0:
            return "CURRENT ROW"
        case offset:
            return f"{abs(offset)} {'PRECEDING' if offset < 0 else 'FOLLOWING'}"


def _direction(key: SortKey) -> str:
    return f"{'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"


def _limit(count: int | None, offset: int) -> str:
    if offset < 0 or (count is not None and count < 0):
        raise ValueError("a negative number of rows")
    return ("" if count is None else f" LIMIT {count}") + (f" OFFSET {offset}" if offset else "")


def _columns(fields: Sequence[Field], more: Sequence[str] = ()) -> str:
    return ", ".join([*map(name_of, dict.fromkeys(fields)), *more]) or "1 AS nothing"
