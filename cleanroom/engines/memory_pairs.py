"""Every aggregate of two arguments → its value over the pairs of one group. Pairs of which either is NULL are passed over."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import TypeAlias

from cleanroom.domain.expression import Value
from cleanroom.domain.functions import MOMENT_BOUND
from cleanroom.engines.memory_values import number, order_key

Pair: TypeAlias = tuple[Value, Value]


def paired(function: str, pairs: Sequence[Pair]) -> Value:
    """The aggregate over these pairs (first argument, second argument); NULL of none."""
    present = [pair for pair in pairs if None not in pair]
    return PAIRED_FUNCTIONS[function](present) if present else None


def _arg_min(pairs: Sequence[Pair]) -> Value:
    """The first argument where the second is least; of several such the least."""
    return min(pairs, key=lambda pair: (order_key(pair[1]), order_key(pair[0])))[0]


def _arg_max(pairs: Sequence[Pair]) -> Value:
    """The first argument where the second is greatest; of several such the greatest."""
    return max(pairs, key=lambda pair: (order_key(pair[1]), order_key(pair[0])))[0]


def _covar_pop(pairs: Sequence[Pair]) -> Value:
    doubles = _doubles(pairs)
    return None if doubles is None else float(_covariance(doubles))


def _covar(pairs: Sequence[Pair]) -> Value:
    """Of a sample: divided by one less than there are; NULL of a single pair."""
    doubles = _doubles(pairs)
    if doubles is None or len(doubles) < 2:
        return None
    return float(_covariance(doubles) * len(doubles) / (len(doubles) - 1))


def _corr(pairs: Sequence[Pair]) -> Value:
    """NULL where one side does not vary, as of a single pair."""
    doubles = _doubles(pairs)
    if doubles is None:
        return None
    first, second = _covariance([(x, x) for x, _ in doubles]), _covariance([(y, y) for _, y in doubles])
    spread = math.sqrt(first) * math.sqrt(second)
    return float(_covariance(doubles)) / spread if spread else None


def _doubles(pairs: Sequence[Pair]) -> list[tuple[Fraction, Fraction]] | None:
    """The pairs as exact doubles; None where a value is no number inside MOMENT_BOUND."""
    doubles = [(float(number(first)), float(number(second))) for first, second in pairs]
    if not all(abs(x) < MOMENT_BOUND and abs(y) < MOMENT_BOUND for x, y in doubles):
        return None
    return [(Fraction(x), Fraction(y)) for x, y in doubles]


def _covariance(pairs: Sequence[tuple[Fraction, Fraction]]) -> Fraction:
    """The mean product of the distances from the means."""
    count = len(pairs)
    first, second = sum((x for x, _ in pairs), Fraction()) / count, sum((y for _, y in pairs), Fraction()) / count
    return sum(((x - first) * (y - second) for x, y in pairs), Fraction()) / count


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
