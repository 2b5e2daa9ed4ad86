"""An instant and a grain → where that grain begins, and where the next does."""

from __future__ import annotations

import datetime

from sqlglot import exp

from cleanroom.domain.grain import Grain
from cleanroom.domain.types import TIMESTAMP
from cleanroom.sql.literals import moment


def instant_of(tree: exp.Expr) -> datetime.datetime | None:
    """The instant that a date or timestamp literal spells, a date's being its midnight."""
    text = tree.this if isinstance(tree, exp.Cast) else tree
    if not isinstance(text, exp.Literal) or not text.is_string:
        return None
    read = moment(str(text.this), TIMESTAMP)
    return read.value if read is not None and isinstance(read.value, datetime.datetime) else None


def literal(instant: datetime.datetime) -> exp.Expr:
    """The instant as SQL: a date where it is a midnight."""
    if instant.time() == datetime.time():
        return exp.cast(exp.Literal.string(instant.date().isoformat()), "DATE")
    return exp.cast(exp.Literal.string(instant.isoformat(" ")), "TIMESTAMP")


def written(cast: exp.Cast) -> exp.Expr:
    """The literal of a date or timestamp as people write it; any other cast as it is."""
    kind = str(cast.to.this.value) if isinstance(cast.to, exp.DataType) and cast.to.this is not None else ""
    word = {"DATE": "DATE", "TIMESTAMP": "TIMESTAMP", "TIMESTAMPNTZ": "TIMESTAMP"}.get(kind)
    if word is None or type(cast) is not exp.Cast or instant_of(cast) is None:
        return cast
    return exp.Var(this=f"{word} '{cast.this.this}'")


def beginning(instant: datetime.datetime, grain: Grain) -> datetime.datetime:
    """The latest instant, not after the given one, at which the grain begins."""
    midnight = datetime.datetime.combine(instant.date(), datetime.time())
    match grain:
        case Grain.INSTANT:
            return instant
        case Grain.SECOND:
            return instant.replace(microsecond=0)
        case Grain.MINUTE:
            return instant.replace(second=0, microsecond=0)
        case Grain.HOUR:
            return instant.replace(minute=0, second=0, microsecond=0)
        case Grain.DAY:
            return midnight
        case Grain.WEEK:
            return midnight - datetime.timedelta(days=midnight.weekday())
        case Grain.MONTH:
            return midnight.replace(day=1)
        case Grain.QUARTER:
            return midnight.replace(month=3 * ((midnight.month - 1) // 3) + 1, day=1)
        case Grain.YEAR:
            return midnight.replace(month=1, day=1)


_LONGER = {
    Grain.SECOND: datetime.timedelta(seconds=1),
    Grain.MINUTE: datetime.timedelta(minutes=1),
    Grain.HOUR: datetime.timedelta(hours=1),
    Grain.DAY: datetime.timedelta(days=1),
    Grain.WEEK: datetime.timedelta(days=7),
    Grain.MONTH: datetime.timedelta(days=31),
    Grain.QUARTER: datetime.timedelta(days=92),
    Grain.YEAR: datetime.timedelta(days=366),
}


def next_beginning(instant: datetime.datetime, grain: Grain) -> datetime.datetime:
    """The first instant after the given one at which the grain begins. Raises OverflowError past the last year."""
    return beginning(beginning(instant, grain) + _LONGER[grain], grain)


def not_before(instant: datetime.datetime, grain: Grain) -> datetime.datetime:
    """The first instant, not before the given one, at which the grain begins. Raises OverflowError past the last year."""
    return instant if beginning(instant, grain) == instant else next_beginning(instant, grain)
