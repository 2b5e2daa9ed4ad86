"""Literals of the text → typed values, and the same literals read as another type where a comparison needs it."""

from __future__ import annotations

import calendar
import datetime
import math
import re
from decimal import Decimal, InvalidOperation

from cleanroom.domain.expression import Literal
from cleanroom.domain.grain import Grain
from cleanroom.domain.types import BIGINT, DATE, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR, DataType, Kind

_BITS = {Kind.TINYINT: 7, Kind.SMALLINT: 15, Kind.INTEGER: 31, Kind.BIGINT: 63, Kind.HUGEINT: 127}
_INTEGER = re.compile(r"[0-9]{1,38}\Z")
_DECIMAL = re.compile(r"[0-9]*\.[0-9]*\Z")
_FLOAT = re.compile(r"[0-9]*\.?[0-9]*[eE][+-]?[0-9]{1,3}\Z")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z")
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?\Z")


def number(text: str) -> Literal | None:
    """The number that the text spells: integers exactly, a point makes a DECIMAL, an exponent a DOUBLE."""
    if _INTEGER.match(text):
        return integer(int(text))
    if _DECIMAL.match(text) and 1 < len(text) <= 39:
        return decimal(Decimal(text))
    if _FLOAT.match(text) and text[0] not in "eE" and text[:2] not in (".e", ".E"):
        value = float(text)
        return Literal(value, DOUBLE) if math.isfinite(value) else None
    return None


def integer(value: int) -> Literal | None:
    if -(2**63) <= value < 2**63:
        return Literal(value, BIGINT)
    return Literal(value, HUGEINT) if abs(value) < 10**38 else None


def decimal(value: Decimal) -> Literal | None:
    _, digits, exponent = value.as_tuple()
    scale = max(0, -int(exponent))
    precision = max(len(digits), scale, 1)
    return Literal(value, DataType(Kind.DECIMAL, precision, scale)) if precision <= 38 else None


def negated(literal: Literal) -> Literal | None:
    """The number with its sign turned, or None where it is no number."""
    match literal.value:
        case bool() | str() | None | datetime.date():
            return None
        case int(value):
            return integer(-value)
        case Decimal() as value:
            return decimal(-value)
        case float(value):
            return Literal(-value, DOUBLE)


def as_type(literal: Literal, wanted: DataType) -> Literal | None:
    """The literal read as a value that compares with `wanted` without any cast of data; None where it cannot be."""
    if literal.value is None or wanted.kind is Kind.UNKNOWN:
        return literal
    match wanted.kind:
        case Kind.VARCHAR:
            return literal if isinstance(literal.value, str) else None
        case Kind.BOOLEAN:
            return literal if isinstance(literal.value, bool) else None
        case Kind.DATE | Kind.TIMESTAMP:
            return _as_moment(literal, wanted)
    return _as_number(literal) if wanted.is_number else None


def moment(text: str, wanted: DataType) -> Literal | None:
    """The date or timestamp that ISO text spells; a date alone is its midnight where a timestamp is wanted."""
    text = text.strip()
    try:
        if _DATE.match(text):
            day = datetime.date.fromisoformat(text)
            midnight = datetime.datetime.combine(day, datetime.time())
            return Literal(day, DATE) if wanted.kind is Kind.DATE else Literal(midnight, TIMESTAMP)
        if _TIMESTAMP.match(text):
            instant = datetime.datetime.fromisoformat(text)
            return Literal(instant, TIMESTAMP) if wanted.kind is Kind.TIMESTAMP else None
    except ValueError:
        return None
    return None


def _as_moment(literal: Literal, wanted: DataType) -> Literal | None:
    match literal.value:
        case datetime.datetime() | datetime.date():
            return literal
        case str(text):
            return moment(text, wanted) or moment(text, TIMESTAMP)
    return None


def _as_number(literal: Literal) -> Literal | None:
    match literal.value:
        case bool() | datetime.date():
            return None
        case int() | Decimal() | float():
            return literal
        case str(text):
            body = text.strip()
            found = number(body.removeprefix("-"))
            return negated(found) if found is not None and body.startswith("-") else found
    return None


def cast(literal: Literal, wanted: DataType) -> Literal | None:
    """CAST of a literal, folded; None where the value does not fit the type."""
    if literal.value is None:
        return Literal(None, wanted)
    match wanted.kind:
        case Kind.DATE | Kind.TIMESTAMP if isinstance(literal.value, str):
            return moment(literal.value, wanted)
        case Kind.DATE if isinstance(literal.value, datetime.date):
            return Literal(_instant(literal.value).date(), DATE)
        case Kind.TIMESTAMP if isinstance(literal.value, datetime.date):
            return Literal(_instant(literal.value), TIMESTAMP)
        case Kind.VARCHAR if isinstance(literal.value, str):
            return Literal(literal.value, VARCHAR)
        case Kind.DOUBLE | Kind.FLOAT if isinstance(literal.value, int | Decimal | float) and not isinstance(
            literal.value, bool
        ):
            return Literal(float(literal.value), DOUBLE)
        case kind if kind in _BITS and isinstance(literal.value, int) and not isinstance(literal.value, bool):
            return integer(literal.value) if -(2 ** _BITS[kind]) <= literal.value < 2 ** _BITS[kind] else None
        case Kind.DECIMAL if isinstance(literal.value, int | Decimal) and not isinstance(literal.value, bool):
            return _to_decimal(Decimal(literal.value), wanted)
    return None


def _to_decimal(value: Decimal, wanted: DataType) -> Literal | None:
    try:
        scaled = value.quantize(Decimal(1).scaleb(-(wanted.scale or 0)))
    except InvalidOperation:
        return None
    return Literal(scaled, wanted) if len(scaled.as_tuple().digits) <= (wanted.precision or 0) else None


def shifted(literal: Literal, grain: Grain, count: int) -> Literal | None:
    """The TIMESTAMP `count` grains after a date or time; a day that its month lacks is the month's last.

    None where it is no date or time, or what comes out is outside the years 1 to 9999.
    """
    if not isinstance(literal.value, datetime.date):
        return None
    instant, months = _instant(literal.value), _MONTHS.get(grain)
    try:
        if months is None:
            return Literal(instant + count * _SPANS[grain], TIMESTAMP)
        year, month = divmod(instant.year * 12 + instant.month - 1 + count * months, 12)
        day = min(instant.day, calendar.monthrange(year, month + 1)[1])
        return Literal(instant.replace(year=year, month=month + 1, day=day), TIMESTAMP)
    except (OverflowError, ValueError):
        return None


def truncated(literal: Literal, grain: Grain) -> Literal | None:
    """The TIMESTAMP at which the grain of a date or time begins; None where it is no date or time."""
    if not isinstance(literal.value, datetime.date):
        return None
    instant = _instant(literal.value)
    midnight = datetime.datetime.combine(instant.date(), datetime.time())
    match grain:
        case Grain.YEAR:
            return Literal(midnight.replace(month=1, day=1), TIMESTAMP)
        case Grain.QUARTER:
            return Literal(midnight.replace(month=(instant.month - 1) // 3 * 3 + 1, day=1), TIMESTAMP)
        case Grain.MONTH:
            return Literal(midnight.replace(day=1), TIMESTAMP)
        case Grain.WEEK:
            return shifted(Literal(midnight, TIMESTAMP), Grain.DAY, -instant.weekday())
        case Grain.DAY:
            return Literal(midnight, TIMESTAMP)
        case Grain.HOUR:
            return Literal(instant.replace(minute=0, second=0, microsecond=0), TIMESTAMP)
        case Grain.MINUTE:
            return Literal(instant.replace(second=0, microsecond=0), TIMESTAMP)
        case Grain.SECOND:
            return Literal(instant.replace(microsecond=0), TIMESTAMP)
        case Grain.INSTANT:
            return Literal(instant, TIMESTAMP)


def _instant(value: datetime.date) -> datetime.datetime:
    return value if isinstance(value, datetime.datetime) else datetime.datetime.combine(value, datetime.time())


_MONTHS = {Grain.MONTH: 1, Grain.QUARTER: 3, Grain.YEAR: 12}
_SPANS = {
    Grain.WEEK: datetime.timedelta(weeks=1),
    Grain.DAY: datetime.timedelta(days=1),
    Grain.HOUR: datetime.timedelta(hours=1),
    Grain.MINUTE: datetime.timedelta(minutes=1),
    Grain.SECOND: datetime.timedelta(seconds=1),
}
