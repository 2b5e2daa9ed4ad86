"""Window call → DuckDB SQL text, the same over released rows and over the rows of one person."""

from __future__ import annotations

from cleanroom.domain.expression import AggregateCall, FrameBound, Literal, SortKey, WindowCall
from cleanroom.domain.functions import WINDOWS
from cleanroom.domain.types import BIGINT
from cleanroom.sql.render_aggregate import aggregate
from cleanroom.sql.render_expression import as_type, render_expression


def window(call: WindowCall) -> str:
    """The call with its OVER clause. ValueError: not a window function."""
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
    terms = [f"{_unpositioned(key)} {direction(key)}" for key in call.order]
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


def direction(key: SortKey) -> str:
    """How a sort key orders, where NULL stands included."""
    return f"{'DESC' if key.descending else 'ASC'} NULLS {'FIRST' if key.nulls_first else 'LAST'}"
