"""Every name of `domain.functions.SCALARS` → what it computes. Values in, value out; no data value can make one raise."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from typing import TypeAlias

from cleanroom.domain.expression import Value
from cleanroom.domain.types import VARCHAR
from cleanroom.engines.memory_casts import cast
from cleanroom.engines.memory_moments import date_add, date_diff, date_trunc, extract, strftime
from cleanroom.engines.memory_numbers import NUMBER_FUNCTIONS
from cleanroom.engines.memory_values import compare

Function: TypeAlias = Callable[..., Value]


def strict(function: Function) -> Function:
    """NULL where any argument is NULL."""

    @functools.wraps(function)
    def wrapped(*arguments: Value) -> Value:
        return None if any(argument is None for argument in arguments) else function(*arguments)

    return wrapped


def _comparison(holds: Callable[[int, int], bool]) -> Function:
    def compared(left: Value, right: Value) -> Value:
        sign = compare(left, right)
        return None if sign is None else holds(sign, 0)

    return compared


def _not_distinct_from(left: Value, right: Value) -> bool:
    return right is None if left is None else compare(left, right) == 0


def _and(*parts: Value) -> Value:
    if any(part is False for part in parts):
        return False
    return None if any(part is None for part in parts) else True


def _or(*parts: Value) -> Value:
    if any(part is True for part in parts):
        return True
    return None if any(part is None for part in parts) else False


def _in(value: Value, *others: Value) -> Value:
    return _or(*(_comparison(operator.eq)(value, other) for other in others))


def _like(text: Value, pattern: Value) -> Value:
    wild = {"%": ".*", "_": "."}
    return bool(re.fullmatch("".join(wild.get(c, re.escape(c)) for c in str(pattern)), str(text), re.DOTALL))


def _lower(text: Value) -> str:
    return "".join(c.lower()[:1] for c in str(text))


def _upper(text: Value) -> str:
    """Letter by letter: one that has no single capital stays, but for the sharp s."""
    return "".join("ẞ" if c == "ß" else c.upper() if len(c.upper()) == 1 else c for c in str(text))


def _substring(text: Value, start: int, length: int | None = None) -> str:
    """From `start`, counted from 1 or (negative) from the end; a negative length reaches back."""
    whole = str(text)
    first = start - 1 if start >= 0 else len(whole) + start
    last = len(whole) if length is None else first + length
    first, last = min(first, last), max(first, last)
    return whole[max(first, 0) : max(last, 0)]


def _left(text: Value, length: int) -> str:
    return str(text)[:length]


def _right(text: Value, length: int) -> str:
    whole = str(text)
    return whole[max(len(whole) - length, 0) :] if length >= 0 else whole[-length:]


def _replace(text: Value, old: Value, new: Value) -> str:
    return str(text).replace(str(old), str(new)) if old else str(text)


def _concat(*parts: Value) -> str:
    return "".join(str(cast(part, VARCHAR)) for part in parts)


def _coalesce(*parts: Value) -> Value:
    return next((part for part in parts if part is not None), None)


def _nullif(value: Value, other: Value) -> Value:
    return None if compare(value, other) == 0 else value


def _extreme(sign: int) -> Function:
    """The greatest (1) or least (-1) of the values that are not NULL."""

    def better(best: Value, value: Value) -> Value:
        return value if best is None or compare(value, best) == sign else best

    return lambda *values: functools.reduce(better, (value for value in values if value is not None), None)


SCALAR_FUNCTIONS: dict[str, Function] = {
    "eq": _comparison(operator.eq),
    "ne": _comparison(operator.ne),
    "lt": _comparison(operator.lt),
    "le": _comparison(operator.le),
    "gt": _comparison(operator.gt),
    "ge": _comparison(operator.ge),
    "distinct_from": lambda left, right: not _not_distinct_from(left, right),
    "not_distinct_from": _not_distinct_from,
    "and": _and,
    "or": _or,
    "not": strict(operator.not_),
    "is_null": lambda value: value is None,
    "is_true": lambda value: value is True,
    "is_false": lambda value: value is False,
    "in": _in,
    "like": strict(_like),
    "ilike": strict(lambda text, pattern: _like(_lower(text), _lower(pattern))),
    "lower": strict(_lower),
    "upper": strict(_upper),
    "trim": strict(lambda text: str(text).strip(" ")),
    "length": strict(lambda text: len(str(text))),
    "substring": strict(_substring),
    "concat": strict(_concat),
    "coalesce": _coalesce,
    "nullif": _nullif,
    "date_trunc": strict(date_trunc),
    "extract": strict(extract),
    "strftime": strict(strftime),
    "date_diff": strict(date_diff),
    "date_add": strict(date_add),
    "greatest": _extreme(1),
    "least": _extreme(-1),
    "left": strict(_left),
    "right": strict(_right),
    "replace": strict(_replace),
    **{name: strict(function) for name, function in NUMBER_FUNCTIONS.items()},
}
