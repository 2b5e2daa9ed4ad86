"""Every name of `domain.functions.AGGREGATES` → its value over the rows of one group, the slow way. NULLs are passed over."""

from __future__ import annotations

import datetime
import functools
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from cleanroom.domain.expression import AggregateCall, Value
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_pairs import PAIRED_FUNCTIONS, paired
from cleanroom.engines.memory_values import exact, group_key, midnight, number, order_key


def aggregate(call: AggregateCall, rows: Sequence[Row]) -> Value:
    """The call's value over these rows; COUNT of nothing is 0, every other aggregate of nothing NULL."""
    if call.condition is not None:
        condition = call.condition
        rows = [row for row in rows if evaluate(condition, row) is True]
    if call.argument is None:
        return len(rows)
    argument, second = call.argument, call.second
    if second is not None:
        return paired(call.function, [(evaluate(argument, row), evaluate(second, row)) for row in rows])
    return aggregated(call.function, [evaluate(argument, row) for row in rows])


def aggregated(function: str, values: Sequence[Value]) -> Value:
    """The aggregate over these values; `count_rows` counts NULLs too."""
    if function == "count_rows":
        return len(values)
    present = [value for value in values if value is not None]
    if function in _COUNTS:
        return _COUNTS[function](present)
    return _OF_SOME[function](present) if present else None


def _sum(values: Sequence[Value]) -> Value:
    """Exact for whole numbers and decimals; of doubles the correctly rounded sum."""
    numbers: list[Any] = [number(value) for value in values]
    if any(isinstance(n, float) for n in numbers):
        doubles = [float(n) for n in numbers]
        return math.fsum(doubles) if all(map(math.isfinite, doubles)) else sum(doubles)
    if any(isinstance(n, Decimal) for n in numbers):
        return functools.reduce(exact().add, numbers, Decimal(0))
    return int(sum(numbers))


def _mean(values: Sequence[Value]) -> float:
    total = _sum(values)
    if isinstance(total, float):
        return total / len(values)
    return float(Fraction(number(total)) / len(values))


def _median(values: Sequence[Value]) -> Value:
    ordered = sorted(values, key=order_key)
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    match low, high:
        case (str(), _):
            return low
        case datetime.date(), datetime.date():
            return midnight(low) + (midnight(high) - midnight(low)) / 2
        case _:
            return (float(number(low)) + float(number(high))) / 2


def _with_itself(function: str) -> Callable[[Sequence[Value]], Value]:
    """The variance is the covariance of the values with themselves."""
    return lambda values: paired(function, [(value, value) for value in values])


def _root(function: str) -> Callable[[Sequence[Value]], Value]:
    def root(values: Sequence[Value]) -> Value:
        variance = _with_itself(function)(values)
        return math.sqrt(variance) if isinstance(variance, float) else None

    return root


_COUNTS: dict[str, Callable[[Sequence[Value]], int]] = {
    "count": len,
    "count_distinct": lambda values: len({group_key(value) for value in values}),
}

_OF_SOME: dict[str, Callable[[Sequence[Value]], Value]] = {
    "sum": _sum,
    "avg": _mean,
    "min": lambda values: min(values, key=order_key),
    "max": lambda values: max(values, key=order_key),
    "median": _median,
    "variance": _with_itself("covar"),
    "variance_pop": _with_itself("covar_pop"),
    "stddev": _root("covar"),
    "stddev_pop": _root("covar_pop"),
    "any_value": lambda values: values[0],
}

AGGREGATE_FUNCTIONS = frozenset({"count_rows", *_COUNTS, *_OF_SOME, *PAIRED_FUNCTIONS})
"""The aggregates that are implemented."""
