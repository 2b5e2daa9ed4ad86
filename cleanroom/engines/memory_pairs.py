"""Every aggregate of two arguments → its value over the pairs of one group. Pairs of which either is NULL are passed over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any, TypeAlias

from cleanroom.domain.expression import Value
from cleanroom.engines.memory_values import number, order_key

Pair: TypeAlias = tuple[Value, Value]


def paired(function: str, pairs: Sequence[Pair]) -> Value:
    """The aggregate over these pairs (first argument, second argument); NULL of none."""
    present = [pair for pair in pairs if None not in pair]
    return PAIRED_FUNCTIONS[function](present) if present else None


def _arg_min(pairs: Sequence[Pair]) -> Value:
    """The first argument where the second is least; of several such the least."""
    return _least_at(pairs, min(order_key(second) for _, second in pairs))


def _arg_max(pairs: Sequence[Pair]) -> Value:
    """The first argument where the second is greatest; of several such the least."""
    return _least_at(pairs, max(order_key(second) for _, second in pairs))


def _least_at(pairs: Sequence[Pair], place: tuple[bool, Any]) -> Value:
    return min((first for first, second in pairs if order_key(second) == place), key=order_key)


def _covar_pop(pairs: Sequence[Pair]) -> Value:
    doubles = _doubles(pairs)
    return math.nan if doubles is None else _rounded(_covariance(doubles))


def _covar(pairs: Sequence[Pair]) -> Value:
    """Of a sample: divided by one less than there are; NULL of a single pair."""
    doubles = _doubles(pairs)
    if len(pairs) < 2:
        return None
    return math.nan if doubles is None else _rounded(_covariance(doubles) * len(pairs) / (len(pairs) - 1))


def _corr(pairs: Sequence[Pair]) -> Value:
    """NaN where one side does not vary, as of a single pair."""
    doubles = _doubles(pairs)
    if doubles is None:
        return math.nan
    first, second = _covariance([(x, x) for x, _ in doubles]), _covariance([(y, y) for _, y in doubles])
    spread = math.sqrt(_rounded(first)) * math.sqrt(_rounded(second))
    return _rounded(_covariance(doubles)) / spread if 0 < spread < math.inf else math.nan


def _doubles(pairs: Sequence[Pair]) -> list[tuple[Fraction, Fraction]] | None:
    """The pairs as exact doubles; None where one of them is no finite number."""
    doubles = [(float(number(first)), float(number(second))) for first, second in pairs]
    if not all(math.isfinite(x) and math.isfinite(y) for x, y in doubles):
        return None
    return [(Fraction(x), Fraction(y)) for x, y in doubles]


def _covariance(pairs: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """The mean product of the distances from the means."""
    count = len(pairs)
    first, second = sum((x for x, _ in pairs), Fraction()) / count, sum((y for _, y in pairs), Fraction()) / count
    return sum(((x - first) * (y - second) for x, y in pairs), Fraction()) / count


def _rounded(exact: Fraction) -> float:
    """As a double; infinite beyond the largest."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


PAIRED_FUNCTIONS: Mapping[str, Callable[[Sequence[Pair]], Value]] = MappingProxyType(
    {
        "arg_min": _arg_min,
        "arg_max": _arg_max,
        "covar": _covar,
        "covar_pop": _covar_pop,
        "corr": _corr,
    }
)
"""The aggregates of two arguments, by name."""
