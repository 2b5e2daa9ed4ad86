"""Calendar grains → which is coarser than which. Week stands beside month, quarter and year, not among them."""

from __future__ import annotations

from enum import StrEnum


class Grain(StrEnum):
    """How finely a date or time may be looked at; INSTANT is the value itself."""

    INSTANT = "instant"
    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


_CHAIN = (
    Grain.INSTANT,
    Grain.SECOND,
    Grain.MINUTE,
    Grain.HOUR,
    Grain.DAY,
    Grain.MONTH,
    Grain.QUARTER,
    Grain.YEAR,
)
DECLARABLE_GRAINS = tuple(g for g in Grain if g is not Grain.INSTANT)


def at_least(used: Grain, allowed: Grain) -> bool:
    """Whether a value cut to `used` is a function of the value cut to `allowed`."""
    if used is allowed:
        return True
    if Grain.WEEK in (used, allowed):
        return used is Grain.WEEK and _CHAIN.index(allowed) <= _CHAIN.index(Grain.DAY)
    return _CHAIN.index(used) >= _CHAIN.index(allowed)
