"""A use of a date or time → how finely it is looked at, and whether a boundary begins a grain."""

from __future__ import annotations

import datetime

from cleanroom.domain.expression import AggregateCall, Call, Cast, Column, Literal, WindowCall
from cleanroom.domain.functions import EXTRACT_GRAINS, STRFTIME_GRAINS
from cleanroom.domain.grain import Grain, at_least
from cleanroom.domain.types import Kind
from cleanroom.rules.uses import Around, Occurrence


def grain_of(occurrence: Occurrence) -> Grain:
    """How finely the functions around a date or time look at it, from the inside out; INSTANT where it is bare.

    Each function that cuts or reads at a coarser grain than what it is given keeps only that grain; a finer one, or
    one that does not compare, can tell no more than it is given.
    """
    found = Grain.DAY if occurrence.field.type.kind is Kind.DATE else Grain.INSTANT
    for node in outwards(occurrence):
        looks = _looks_at(node)
        if looks is None:
            break
        found = looks if at_least(looks, found) else found
    return found


_CHOOSES = frozenset({"min", "max", "arg_min", "arg_max", "lag", "lead", "first_value", "last_value"})


def outwards(occurrence: Occurrence) -> list[Around]:
    """What stands around the column from the inside out, less what takes one of its values as it is."""
    return [node for node in reversed(occurrence.around) if not _passes_on(node)]


def _passes_on(node: Around) -> bool:
    match node:
        case Column():
            return True
        case AggregateCall(function=name) | WindowCall(function=name):
            return name in _CHOOSES
    return False


def _looks_at(node: Around) -> Grain | None:
    """The grain that a date function cuts to or reads; None where the node is none."""
    match node:
        case Call(function="date_trunc", arguments=(Literal(value=str(word)), _)):
            return Grain(word)
        case Call(function="extract", arguments=(Literal(value=str(word)), _)):
            return Grain(EXTRACT_GRAINS[word])
        case Call(function="strftime", arguments=(_, Literal(value=str(text)))):
            return _finest(text)
        case Cast(type=type) if type.kind is Kind.DATE:
            return Grain.DAY
        case Call(function="date_diff", arguments=(Literal(value=str(word)), _, _)):
            # The engine's weeks are seven days each from the other date on, not calendar weeks.
            return Grain.DAY if word == Grain.WEEK else Grain(word)
    return None


def _finest(text: str) -> Grain:
    """The finest grain that a strftime format tells; the value itself where grains that do not compare meet."""
    grains = [Grain(g) for letter in _letters(text) if (g := STRFTIME_GRAINS[letter]) is not None]
    if not grains:
        return Grain.YEAR
    if Grain.WEEK in grains and any(not at_least(Grain.WEEK, g) and not at_least(g, Grain.WEEK) for g in grains):
        return Grain.DAY
    return min(grains, key=list(Grain).index)


def _letters(text: str) -> list[str]:
    parts = text.replace("%%", "").split("%")[1:]
    return [part[0] for part in parts]


def boundary_of(occurrence: Occurrence) -> tuple[str, Literal] | None:
    """(comparison, literal) where the column stands bare on one side and a date or time literal on the other.

    The comparison reads with the column on the left.
    """
    turned = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le", "eq": "eq", "ne": "ne"}
    around = outwards(occurrence)
    match around[0] if around else None:
        case Call(function=name, arguments=(Column(), Literal() as literal)) if name in turned:
            return name, literal
        case Call(function=name, arguments=(Literal() as literal, Column())) if name in turned:
            return turned[name], literal
    return None


def starts(literal: Literal, comparison: str, kind: Kind, grain: Grain) -> bool:
    """Whether comparing with the literal asks only which `grain` a value falls into.

    `>= D` and `< D` do where D begins a grain; on a DATE `> D` and `<= D` are those of the next day.
    """
    moment = literal.value
    if not isinstance(moment, datetime.date):
        return False
    instant = moment if isinstance(moment, datetime.datetime) else datetime.datetime.combine(moment, datetime.time())
    if comparison in ("gt", "le") and kind is Kind.DATE and instant.time() == datetime.time():
        instant += datetime.timedelta(days=1)
    elif comparison not in ("ge", "lt"):
        return False
    return begins(instant, grain)


def begins(instant: datetime.datetime, grain: Grain) -> bool:
    """Whether a grain begins at this instant."""
    parts = {
        Grain.SECOND: instant.microsecond == 0,
        Grain.MINUTE: instant.second == 0,
        Grain.HOUR: instant.minute == 0,
        Grain.DAY: instant.hour == 0,
        Grain.MONTH: instant.day == 1,
        Grain.QUARTER: instant.month in (1, 4, 7, 10),
        Grain.YEAR: instant.month == 1,
    }
    if grain is Grain.INSTANT:
        return True
    if grain is Grain.WEEK:
        return instant.weekday() == 0 and begins(instant, Grain.DAY)
    return all(holds for step, holds in parts.items() if list(parts).index(step) <= list(parts).index(grain))
