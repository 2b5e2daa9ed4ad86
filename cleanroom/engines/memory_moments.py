"""Calendar functions over dates and timestamps, spelled out: cut, take a part, format, count steps between."""

from __future__ import annotations

import calendar
import datetime
from collections.abc import Callable

from cleanroom.domain.expression import Value
from cleanroom.domain.types import TIMESTAMP
from cleanroom.engines.memory_casts import cast

_EPOCH = datetime.datetime(1970, 1, 1)


def _moment(value: Value) -> datetime.datetime | None:
    found = cast(value, TIMESTAMP)
    return found if isinstance(found, datetime.datetime) else None


def _quarter(moment: datetime.datetime) -> int:
    return (moment.month + 2) // 3


def _day(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


_TRUNCATIONS: dict[str, Callable[[datetime.datetime], datetime.datetime]] = {
    "second": lambda m: m.replace(microsecond=0),
    "minute": lambda m: m.replace(second=0, microsecond=0),
    "hour": lambda m: m.replace(minute=0, second=0, microsecond=0),
    "day": _day,
    "week": lambda m: _day(m) - datetime.timedelta(days=m.weekday()),
    "month": lambda m: _day(m).replace(day=1),
    "quarter": lambda m: _day(m).replace(month=3 * _quarter(m) - 2, day=1),
    "year": lambda m: _day(m).replace(month=1, day=1),
}

_PARTS: dict[str, Callable[[datetime.datetime], int]] = {
    "year": lambda m: m.year,
    "isoyear": lambda m: m.isocalendar().year,
    "quarter": _quarter,
    "month": lambda m: m.month,
    "week": lambda m: m.isocalendar().week,
    "day": lambda m: m.day,
    "dayofweek": lambda m: m.isoweekday() % 7,
    "isodow": lambda m: m.isoweekday(),
    "dayofyear": lambda m: m.timetuple().tm_yday,
    "hour": lambda m: m.hour,
    "minute": lambda m: m.minute,
    "second": lambda m: m.second,
    "epoch": lambda m: (m - _EPOCH) // datetime.timedelta(seconds=1),
}

_DIRECTIVES: dict[str, Callable[[datetime.datetime], str]] = {
    "Y": lambda m: f"{m.year:04}",
    "y": lambda m: f"{m.year % 100:02}",
    "G": lambda m: f"{m.isocalendar().year:04}",
    "m": lambda m: f"{m.month:02}",
    "b": lambda m: calendar.month_abbr[m.month],
    "B": lambda m: calendar.month_name[m.month],
    "V": lambda m: f"{m.isocalendar().week:02}",
    "W": lambda m: f"{(m.timetuple().tm_yday + 6 - m.weekday()) // 7:02}",
    "U": lambda m: f"{(m.timetuple().tm_yday + 6 - m.isoweekday() % 7) // 7:02}",
    "d": lambda m: f"{m.day:02}",
    "a": lambda m: calendar.day_abbr[m.weekday()],
    "A": lambda m: calendar.day_name[m.weekday()],
    "j": lambda m: f"{m.timetuple().tm_yday:03}",
    "u": lambda m: str(m.isoweekday()),
    "w": lambda m: str(m.isoweekday() % 7),
    "H": lambda m: f"{m.hour:02}",
    "I": lambda m: f"{m.hour % 12 or 12:02}",
    "p": lambda m: "AM" if m.hour < 12 else "PM",
    "M": lambda m: f"{m.minute:02}",
    "S": lambda m: f"{m.second:02}",
    "f": lambda m: f"{m.microsecond:06}",
}

_STEPS: dict[str, Callable[[datetime.datetime], int]] = {
    "second": lambda m: (m - _EPOCH) // datetime.timedelta(seconds=1),
    "minute": lambda m: (m - _EPOCH) // datetime.timedelta(minutes=1),
    "hour": lambda m: (m - _EPOCH) // datetime.timedelta(hours=1),
    "day": lambda m: m.toordinal(),
    "month": lambda m: m.year * 12 + m.month,
    "quarter": lambda m: m.year * 4 + _quarter(m),
    "year": lambda m: m.year,
}


def date_trunc(grain: Value, value: Value) -> Value:
    moment = _moment(value)
    return None if moment is None else _TRUNCATIONS[str(grain).lower()](moment)


def extract(part: Value, value: Value) -> Value:
    moment = _moment(value)
    return None if moment is None else _PARTS[str(part).lower()](moment)


def strftime(value: Value, layout: Value) -> Value:
    moment = _moment(value)
    if moment is None:
        return None
    pieces = str(layout).split("%")
    text, at = pieces[0], 1
    while at < len(pieces):
        if pieces[at]:
            text += _DIRECTIVES[pieces[at][0]](moment) + pieces[at][1:]
            at += 1
        else:  # two signs in a row: a literal one, and plain text after it
            text += "%" + (pieces[at + 1] if at + 1 < len(pieces) else "")
            at += 2
    return text


def date_diff(part: Value, start: Value, end: Value) -> Value:
    """Boundaries of the part passed from start to end; weeks are whole sevens of days, toward zero."""
    first, last = _moment(start), _moment(end)
    if first is None or last is None:
        return None
    if str(part).lower() == "week":
        days = last.toordinal() - first.toordinal()
        return abs(days) // 7 * (1 if days >= 0 else -1)
    step = _STEPS[str(part).lower()]
    return step(last) - step(first)


_MONTHS = {"month": 1, "quarter": 3, "year": 12}


def date_add(grain: Value, count: Value, value: Value) -> Value:
    """So many grains later, a missing day of a month being its last; NULL outside the years 1 to 9999."""
    moment, word = _moment(value), str(grain).lower()
    if moment is None or not isinstance(count, int):
        return None
    try:
        if word not in _MONTHS:
            return moment + datetime.timedelta(**{f"{word}s": count})
        year, month = divmod(moment.year * 12 + moment.month - 1 + count * _MONTHS[word], 12)
        return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))
    except (OverflowError, ValueError):
        return None
