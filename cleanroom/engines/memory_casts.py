"""Value and type → value of that type, or None where the value has no place in it. A cast never raises."""

from __future__ import annotations

import datetime
import math
import re
import struct
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation

from cleanroom.domain.expression import Value
from cleanroom.domain.types import DataType, Kind

_BITS = {Kind.TINYINT: 8, Kind.SMALLINT: 16, Kind.INTEGER: 32, Kind.BIGINT: 64, Kind.HUGEINT: 128}
_NUMBER = re.compile(r"\s*[+-]?(\d+(_\d+)*\.?\d*|\.\d+)(e[+-]?\d+)?\s*\Z", re.IGNORECASE | re.ASCII)
_DATE = re.compile(r"\s*(\d{1,5})([-/])(\d{1,2})\2(\d{1,2})", re.ASCII)
_CLOCK = re.compile(r"[ T](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?(?:Z)?\Z", re.ASCII)
_WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


def cast(value: Value, to: DataType) -> Value:
    """TRY_CAST: the value as `to` has it, None where it does not fit or does not read as one."""
    if value is None:
        return None
    match to.kind:
        case Kind.TINYINT | Kind.SMALLINT | Kind.INTEGER | Kind.BIGINT | Kind.HUGEINT:
            return _integer(value, _BITS[to.kind])
        case Kind.DECIMAL:
            return _decimal(value, to.precision or 38, to.scale or 0)
        case Kind.NULL | Kind.UNKNOWN:
            return value
        case _:
            return _PLAIN_CASTS[to.kind](value)


def conform(value: Value, to: DataType) -> Value:
    """A computed value in its declared type: numbers become numbers of that type and dates moments; the rest stays."""
    if to.is_number and isinstance(value, int | float | Decimal):
        return cast(value, to)
    if to.is_moment and isinstance(value, datetime.date):
        return cast(value, to)
    return value


def _boolean(value: Value) -> Value:
    if isinstance(value, str):
        return _WORDS.get(value.lower())
    return bool(value) if isinstance(value, int | float | Decimal) else None


def _integer(value: Value, bits: int) -> Value:
    match value:
        case float():
            # Half to even, as the processor rounds; decimals and text go half away from zero.
            whole = int(Decimal(value).to_integral_value(ROUND_HALF_EVEN)) if math.isfinite(value) else None
        case _:
            number = _decimal_of(value)
            whole = None if number is None else int(number.to_integral_value(ROUND_HALF_UP))
    limit = 1 << (bits - 1)
    return whole if whole is not None and -limit <= whole < limit else None


def _decimal_of(value: Value) -> Decimal | None:
    """The number that a value is or reads as, exactly."""
    match value:
        case bool() | int():
            return Decimal(int(value))
        case Decimal():
            return value
        case str() if _NUMBER.match(value):
            return Decimal(value.strip().replace("_", ""))
        case _:
            return None


def _double(value: Value) -> Value:
    match value:
        case str():
            word = value.strip().lower()
            known = bool(_NUMBER.match(value)) or word.lstrip("+-") in ("nan", "inf", "infinity")
            return float(word.replace("_", "")) if known else None
        case bool() | int() | float() | Decimal():
            return float(value)
        case _:
            return None


def _float(value: Value) -> Value:
    double = _double(value)
    if not isinstance(double, float) or not math.isfinite(double):
        return double
    try:
        return float(struct.unpack("<f", struct.pack("<f", double))[0])
    except OverflowError:
        return None


def _decimal(value: Value, precision: int, scale: int) -> Value:
    if isinstance(value, float):
        number = _shifted(value, scale) if math.isfinite(value) else None
    else:
        number = _decimal_of(value)
    if number is None:
        return None
    try:
        return number.quantize(Decimal(1).scaleb(-scale), context=Context(prec=precision, rounding=ROUND_HALF_UP))
    except InvalidOperation:
        return None


def _shifted(value: float, scale: int) -> Decimal:
    """The double times 10^scale, rounded as a double, half away from zero: 1.005 at scale 2 is 1.00."""
    moved = Decimal(value * 10.0**scale).to_integral_value(ROUND_HALF_UP)
    return moved.scaleb(-scale, Context(prec=400))


def _varchar(value: Value) -> Value:
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case datetime.datetime():
            return value.isoformat(" ").rstrip("0") if value.microsecond else value.isoformat(" ")
        case datetime.date():
            return value.isoformat()
        case _:
            return str(value)


def _date(value: Value) -> Value:
    match value:
        case datetime.datetime():
            return value.date()
        case datetime.date():
            return value
        case str():
            moment = _moment(value.rstrip())
            return None if moment is None else moment.date()
        case _:
            return None


def _timestamp(value: Value) -> Value:
    match value:
        case datetime.datetime():
            return value
        case datetime.date():
            return datetime.datetime(value.year, value.month, value.day)
        case str():
            return _moment(value)
        case _:
            return None


def _moment(text: str) -> datetime.datetime | None:
    day = _DATE.match(text)
    if day is None:
        return None
    clock = _CLOCK.match(text[day.end() :])
    if clock is None and day.end() != len(text):
        return None
    hour, minute, second, fraction = clock.groups(default="0") if clock else ("0", "0", "0", "0")
    try:
        return datetime.datetime(
            int(day[1]), int(day[3]), int(day[4]), int(hour), int(minute), int(second), int(fraction.ljust(6, "0"))
        )
    except ValueError:
        return None


_PLAIN_CASTS: dict[Kind, Callable[[Value], Value]] = {
    Kind.BOOLEAN: _boolean,
    Kind.FLOAT: _float,
    Kind.DOUBLE: _double,
    Kind.VARCHAR: _varchar,
    Kind.DATE: _date,
    Kind.TIMESTAMP: _timestamp,
}
