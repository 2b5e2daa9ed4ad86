"""Aggregate and window functions → DuckDB SQL text, over arguments widened so that no sum of values can raise."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cleanroom.domain.expression import AggregateCall
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.types import BIGINT, DOUBLE, HUGEINT, INTEGERS, DataType, Kind
from cleanroom.sql.render_expression import render_expression

_SAFE_TERM = 10**28
"""Ten digits below what HUGEINT holds: sums of fewer than 10^10 rows of smaller terms stay inside."""


def sum_type(argument: DataType) -> DataType:
    """The type of SUM over values of that type: HUGEINT over integers, DECIMAL(38,s) where it cannot overflow, else DOUBLE."""
    if argument.kind in INTEGERS or argument.kind is Kind.BOOLEAN:
        return HUGEINT
    if argument.kind is Kind.DECIMAL and (argument.precision or 0) <= 28:
        return DataType(Kind.DECIMAL, 38, argument.scale)
    return DOUBLE


def release_aggregate(call: AggregateCall, argument: str, condition: str) -> str:
    """An aggregate over rows that belong to people, of an argument and a condition already rendered, each empty where the
    call has none. ValueError: not one for them, or a condition that is left out."""
    if not AGGREGATES[call.function].release:
        raise ValueError("an aggregate that carries a value of one person")
    if bool(condition) is (call.condition is None):
        raise ValueError("an aggregate without its condition")
    return aggregate(call, argument, _filter(condition))


def released_aggregate(call: AggregateCall) -> str:
    """An aggregate over released rows."""
    argument = "" if call.argument is None else render_expression(call.argument)
    return aggregate(call, argument, _filter("" if call.condition is None else render_expression(call.condition)))


def _filter(condition: str) -> str:
    return f" FILTER (WHERE {condition})" if condition else ""


def aggregate(call: AggregateCall, argument: str, over: str = "") -> str:
    """The call over `argument` (SQL text, its type that of `call.argument`), followed by `over`: its FILTER, or the window."""
    if call.function == "count_rows":
        return f"count(*){over}"
    if call.argument is None:
        raise ValueError("an aggregate without its argument")
    match call.function:
        case "count":
            return f"count({argument}){over}"
        case "count_distinct":
            return f"count(DISTINCT {argument}){over}"
        case "sum":
            return _sum(argument, call.argument.type, over)
        case "avg":
            exact = sum_type(call.argument.type).kind is not Kind.DOUBLE and call.argument.type.kind is not Kind.BOOLEAN
            return f"avg({argument if exact else _cast(argument, DOUBLE)}){over}"
        case "median" if call.argument.type.is_number:
            return f"median({_cast(argument, DOUBLE)}){over}"
        case "stddev" | "variance":
            return f"{_NATIVE[call.function]}({_cast(argument, DOUBLE)}){over}"
        case _:
            return f"{_NATIVE[call.function]}({argument}){over}"


def _sum(argument: str, data_type: DataType, over: str) -> str:
    match data_type.kind:
        case Kind.HUGEINT:
            # Sums of sums: NULL where a term comes near the end of the type, as arithmetic over released values has it.
            small = f"(abs({_cast(argument, DOUBLE)}) < {_SAFE_TERM})"
            terms = f"sum(CASE WHEN {small} THEN {argument} END){over}"
            return f"(CASE WHEN (bool_and({small}){over} IS FALSE) THEN NULL ELSE {terms} END)"
        case Kind.BOOLEAN:
            return f"sum({_cast(argument, BIGINT)}){over}"
        case _ if sum_type(data_type) == DOUBLE:
            return f"sum({_cast(argument, DOUBLE)}){over}"
        case _:
            return f"sum({argument}){over}"


def _cast(text: str, target: DataType) -> str:
    return f"TRY_CAST({text} AS {target})"


_NATIVE: Mapping[str, str] = MappingProxyType(
    {
        "min": "min",
        "max": "max",
        "median": "median",
        "stddev": "stddev_samp",
        "variance": "var_samp",
        "any_value": "any_value",
    }
)
