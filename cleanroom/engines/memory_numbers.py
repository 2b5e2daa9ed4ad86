"""Arithmetic: whole numbers and decimals exactly, doubles as IEEE 754 has them, NULL where SQL would divide by zero."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from cleanroom.domain.expression import Value
from cleanroom.engines.memory_values import exact, number


def _pair(left: Value, right: Value) -> tuple[Any, Any]:
    """Both as whole numbers, both as decimals, or both as doubles: the narrowest that holds the two."""
    first, second = number(left), number(right)
    if isinstance(first, float) or isinstance(second, float):
        return float(first), float(second)
    if isinstance(first, Decimal) or isinstance(second, Decimal):
        return Decimal(first), Decimal(second)
    return first, second


def _add(left: Value, right: Value) -> Value:
    first, second = _pair(left, right)
    return exact().add(first, second) if isinstance(first, Decimal) else first + second


def _subtract(left: Value, right: Value) -> Value:
    first, second = _pair(left, right)
    return exact().subtract(first, second) if isinstance(first, Decimal) else first - second


def _multiply(left: Value, right: Value) -> Value:
    first, second = _pair(left, right)
    return exact().multiply(first, second) if isinstance(first, Decimal) else first * second


def _divide(left: Value, right: Value) -> Value:
    divisor = float(number(right))
    return None if divisor == 0 else float(number(left)) / divisor


def _integer_divide(left: Value, right: Value) -> Value:
    """The quotient without its fraction: toward zero."""
    first, second = _pair(left, right)
    if not isinstance(first, int):
        quotient = _divide(left, right)
        return float(math.trunc(quotient)) if isinstance(quotient, float) and math.isfinite(quotient) else quotient
    sign = 1 if (first < 0) == (second < 0) else -1
    return None if second == 0 else int(abs(first) // abs(second) * sign)


def _modulo(left: Value, right: Value) -> Value:
    """The remainder with the sign of the dividend."""
    first, second = _pair(left, right)
    if second == 0:
        return None
    if isinstance(first, Decimal):
        return exact().remainder(first, Decimal(second))
    if isinstance(first, int):
        return int(abs(first) % abs(second) * (1 if first >= 0 else -1))
    return math.nan if math.isinf(first) else math.fmod(first, second)


def _round(value: Value, digits: Value = 0) -> Value:
    """Half away from zero; negative digits round to tens, hundreds …"""
    whole, places = number(value), int(number(digits))
    match whole:
        case float():
            return _round_double(whole, places)
        case Decimal():
            return exact().quantize(whole, Decimal(1).scaleb(-places)) if places <= _scale(whole) else whole
        case _:
            return whole if places >= 0 else int(exact().quantize(Decimal(whole), Decimal(1).scaleb(-places)))


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def _round_double(value: float, places: int) -> float:
    """As the engine does it: scaled in doubles, rounded, scaled back, so that 1.005 at two places is 1.0."""
    if not math.isfinite(value):
        return value
    power = 10.0 ** abs(places)
    scaled = value * power if places >= 0 else value / power
    if not math.isfinite(scaled):
        return value
    whole = float(math.trunc(scaled))
    if abs(scaled - whole) >= 0.5:
        whole += math.copysign(1.0, scaled)
    return whole / power if places >= 0 else whole * power


def _to_whole(rounding: str) -> Callable[[Value], Value]:
    def rounded(value: Value) -> Value:
        whole = number(value)
        if isinstance(whole, float):
            return float(Decimal(whole).to_integral_value(rounding)) if math.isfinite(whole) else whole
        return whole.to_integral_value(rounding) if isinstance(whole, Decimal) else whole

    return rounded


def _from(least: float, function: Callable[[float], float], *, strictly: bool) -> Callable[[Value], Value]:
    """NULL below the function's domain."""

    def guarded(value: Value) -> Value:
        argument = float(number(value))
        outside = argument <= least if strictly else argument < least
        return None if outside else function(argument)

    return guarded


def _exp(value: Value) -> Value:
    try:
        return math.exp(number(value))
    except OverflowError:
        return math.inf


def _power(base: Value, exponent: Value) -> Value:
    first, second = float(number(base)), float(number(exponent))
    odd = second % 2 == 1
    try:
        return math.pow(first, second)
    except OverflowError:
        return -math.inf if first < 0 and odd else math.inf
    except ValueError:
        return math.nan if first else math.inf


NUMBER_FUNCTIONS: dict[str, Callable[..., Value]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "integer_divide": _integer_divide,
    "modulo": _modulo,
    "negate": lambda value: _multiply(value, -1),
    "abs": lambda value: _multiply(value, -1 if number(value) < 0 else 1),
    "round": _round,
    "floor": _to_whole(ROUND_FLOOR),
    "ceil": _to_whole(ROUND_CEILING),
    "sqrt": _from(0.0, math.sqrt, strictly=False),
    "ln": _from(0.0, math.log, strictly=True),
    "log10": _from(0.0, math.log10, strictly=True),
    "exp": _exp,
    "power": _power,
}
