"""Two values → how they compare, as SQL has it. Numbers by value, NaN equal to itself and above all, text by code point."""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from cleanroom.domain.expression import Value
from cleanroom.domain.types import BOOLEAN, DATE, DOUBLE, HUGEINT, TIMESTAMP, DataType, Kind
from cleanroom.engines.memory_casts import cast


def exact() -> Context:
    """Decimal arithmetic wide enough that sums and products of 38-digit values are not rounded."""
    return Context(prec=160, rounding=ROUND_HALF_UP)


def midnight(value: datetime.date) -> datetime.datetime:
    """The moment itself, or the first one of a date."""
    if isinstance(value, datetime.datetime):
        return value
    return datetime.datetime(value.year, value.month, value.day)


def group_key(value: Value) -> Hashable:
    """Equal for two values exactly when GROUP BY puts them together; NULL with NULL."""
    match value:
        case float() if math.isnan(value):
            return "nan", None
        case datetime.date():
            return midnight(value)
        case _:
            return value


def order_key(value: Value) -> tuple[bool, Any]:
    """Sorts non-NULL values of one type ascending."""
    match value:
        case float() if math.isnan(value):
            return True, 0
        case datetime.date():
            return False, midnight(value)
        case _:
            return False, value


def alike(left: Value, right: Value) -> tuple[Value, Value]:
    """Two values of one Python type, as the engine's implicit casts make them; text yields to the other's type."""
    if isinstance(left, str) is not isinstance(right, str):
        return (cast(left, _type_for(right)), right) if isinstance(left, str) else (left, cast(right, _type_for(left)))
    if isinstance(left, float) or isinstance(right, float):
        return cast(left, DOUBLE), cast(right, DOUBLE)
    return left, right


def _type_for(value: Value) -> DataType:
    match value:
        case bool():
            return BOOLEAN
        case datetime.datetime():
            return TIMESTAMP
        case datetime.date():
            return DATE
        case int():
            return HUGEINT
        case Decimal():
            return DataType(Kind.DECIMAL, 38, max(0, -int(value.as_tuple().exponent)))
        case _:
            return DOUBLE


def compare(left: Value, right: Value) -> int | None:
    """-1, 0 or 1; None where either side is NULL, or is text that does not read as the other side's type."""
    if left is None or right is None:
        return None
    left, right = alike(left, right)
    if left is None or right is None:
        return None
    first, second = order_key(left), order_key(right)
    return (first > second) - (first < second)


def number(value: Value) -> int | Decimal | float:
    """The value as a number; TRUE is 1. Raises TypeError for anything that is none."""
    match value:
        case bool():
            return int(value)
        case int() | Decimal() | float():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} is no number")
