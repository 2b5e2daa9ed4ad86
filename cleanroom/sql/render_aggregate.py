"""Aggregate and window functions → DuckDB SQL text, over arguments widened so that no sum of values can raise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from cleanroom.domain.expression import AggregateCall
from cleanroom.domain.functions import AGGREGATES, MOMENT_BOUND
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


def release_aggregate(call: AggregateCall, argument: str, condition: str, second: str = "") -> str:
    """An aggregate over rows that belong to people, of arguments and a condition already rendered, each empty where the
    call has none. ValueError: not one for them, or a condition that is left out."""
    if not AGGREGATES[call.function].release:
        raise ValueError("an aggregate that carries a value of one person")
    if bool(condition) is (call.condition is None):
        raise ValueError("an aggregate without its condition")
    return aggregate(call, argument, _filter(condition), second)


def unit_aggregate(call: AggregateCall) -> str:
    """An aggregate over the rows of one person. ValueError: not one for them."""
    if not AGGREGATES[call.function].unit:
        raise ValueError("an aggregate that tells nothing of one person")
    return released_aggregate(call)


def released_aggregate(call: AggregateCall) -> str:
    """An aggregate over released rows."""
    parts = (call.argument, call.condition, call.second)
    argument, condition, second = ("" if part is None else render_expression(part) for part in parts)
    return aggregate(call, argument, _filter(condition), second)


def _filter(condition: str) -> str:
    return f" FILTER (WHERE {condition})" if condition else ""


def aggregate(call: AggregateCall, argument: str, over: str = "", second: str = "") -> str:
    """The call over `argument` and `second` (SQL text of `call.argument` and `call.second`, with their types), followed by
    `over`: its FILTER, or the window."""
    if call.function == "count_rows":
        return f"count(*){over}"
    if call.argument is None or not argument:
        raise ValueError("an aggregate without its argument")
    if bool(second) is not (AGGREGATES[call.function].arguments == 2):
        raise ValueError("an aggregate with another number of arguments than it takes")
    match call.function:
        case "count":
            return f"count({argument}){over}"
        case "count_distinct":
            return f"count(DISTINCT {argument}){over}"
        case "sum":
            return _sum(argument, call.argument.type, over)
        case "avg":
            return f"avg({argument if _averages_exactly(call.argument.type) else _cast(argument, DOUBLE)}){over}"
        case "median" if call.argument.type.is_number:
            return f"median({_cast(argument, DOUBLE)}){over}"
        case "arg_min" | "arg_max":
            # Of several, the first argument decides: the engine alone would take any.
            return f"{call.function}({argument}, CASE WHEN ({second} IS NOT NULL) THEN row({second}, {argument}) END){over}"
        case name if name in _MOMENTS:
            return _moment(name, [_cast(part, DOUBLE) for part in (argument, second) if part], over)
        case _:
            return f"{_NATIVE[call.function]}({argument}){over}"


def _averages_exactly(data_type: DataType) -> bool:
    """Whether the engine averages values of the type as they are without raising: sums of HUGEINT may leave it."""
    return data_type.kind not in (Kind.HUGEINT, Kind.BOOLEAN) and sum_type(data_type).kind is not Kind.DOUBLE


def _moment(function: str, arguments: Sequence[str], over: str) -> str:
    """A variance or its kin of doubles: NULL where the square of one could leave the type, and where it is not defined."""
    absent = [f"({argument} IS NULL)" for argument in arguments]
    bounded = " AND ".join(f"(abs({argument}) < CAST('{MOMENT_BOUND!r}' AS DOUBLE))" for argument in arguments)
    # A row of which one argument is NULL is passed over, whatever the other is.
    safe = f"({' OR '.join([*absent, f'({bounded})'])})"
    terms = ", ".join(f"CASE WHEN {safe} THEN {argument} END" for argument in arguments)
    value = f"NULLIF({_MOMENTS[function]}({terms}){over}, CAST('nan' AS DOUBLE))"
    return f"(CASE WHEN (bool_and({safe}){over} IS FALSE) THEN NULL ELSE {value} END)"


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
        "any_value": "any_value",
    }
)

_MOMENTS: Mapping[str, str] = MappingProxyType(
    {
        "stddev": "stddev_samp",
        "variance": "var_samp",
        "stddev_pop": "stddev_pop",
        "variance_pop": "var_pop",
        "covar": "covar_samp",
        "covar_pop": "covar_pop",
        "corr": "corr",
    }
)
