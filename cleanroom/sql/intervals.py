"""The current date, and dates moved by intervals, in every dialect → literals where they can be, else `date_add`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from cleanroom.domain.expression import Call, Cast, Expression, Literal, Missing
from cleanroom.domain.grain import DECLARABLE_GRAINS, Grain, at_least
from cleanroom.domain.types import BIGINT, DATE, TIMESTAMP, VARCHAR
from cleanroom.sql import literals
from cleanroom.sql.nodes import place_of
from cleanroom.sql.typing import family

if TYPE_CHECKING:
    from cleanroom.sql.terms import Terms

Translate: TypeAlias = Callable[[exp.Expr, "Terms"], Expression]
Handler: TypeAlias = Callable[[exp.Expr, "Terms", Translate], Expression]
MOST_UNITS = 1_000_000

_WHOLE = re.compile(r"\s*([+-]?)\s*([0-9]{1,7})\s*\Z")
_WHOLE_AND_UNIT = re.compile(r"(\s*[+-]?\s*[0-9]{1,7})\s+([A-Za-z]+)\s*\Z")
_NOW = frozenset({"now", "getdate", "get_current_timestamp", "current_localtimestamp", "sysdate"})
_TODAY = frozenset({"today", "curdate"})


def current_date(node: exp.Expr, terms: Terms, _: Translate) -> Expression:
    """The day on which the query was submitted, in UTC."""
    _refuse_zone(node, terms)
    return Literal(terms.resolution.now.date(), DATE)


def current_timestamp(node: exp.Expr, terms: Terms, _: Translate) -> Expression:
    """The instant at which the query was submitted, in UTC."""
    _refuse_zone(node, terms)
    return Literal(terms.resolution.now.replace(tzinfo=None), TIMESTAMP)


def _refuse_zone(node: exp.Expr, terms: Terms) -> None:
    zone = node.args.get("this")
    if isinstance(zone, exp.Literal) and zone.this == "UTC":
        terms.resolution.read_whole(node, "this", "sysdate")
    elif zone is not None:
        terms.resolution.unsupported(node, "The time in a zone or to a precision", "Times here are in UTC.")
    else:
        terms.resolution.read_whole(node, "sysdate")


def named_moment(node: exp.Expr, terms: Terms, translate: Translate) -> Expression | None:
    """What NOW() and its kin mean, which the parser does not know in every dialect; None for other functions."""
    name = str(node.this).lower()
    if node.expressions or name not in _NOW | _TODAY:
        return None
    moment = exp.CurrentDate() if name in _TODAY else exp.CurrentTimestamp()
    return (current_date if name in _TODAY else current_timestamp)(moment, terms, translate)


def interval_alone(node: exp.Expr, terms: Terms, _: Translate) -> Expression:
    return terms.resolution.unsupported(
        node, "This use of INTERVAL", "Add it to a date or subtract it: day + INTERVAL 7 DAY."
    )


def sum_with_interval(node: exp.Expr, terms: Terms, translate: Translate) -> Expression | None:
    """What `date ± INTERVAL` means; None where neither side is an interval."""
    left, right = _opened(node.this), _opened(node.args["expression"])
    adds = isinstance(node, exp.Add)
    if isinstance(left, exp.Interval) and adds:
        left, right = right, left
    if not isinstance(right, exp.Interval):
        return None
    read = _interval(right)
    if read is None:
        return _bad_interval(right, terms)
    count, grain = read
    return _shifted(
        translate(left, terms), count if adds else -count, grain, terms.resolution.dialect.keeps_dates, node, terms
    )


def sum_of_days(name: str, left: Expression, right: Expression, node: exp.Expr, terms: Terms) -> Expression | None:
    """What `date ± whole number` and `date - date` mean where the dialect has them; None where it has not."""
    dialect = terms.resolution.dialect
    if name == "subtract" and left.type == DATE and right.type == DATE and dialect.dates_subtract:
        return Call("date_diff", (Literal("day", VARCHAR), right, left), BIGINT, place_of(node))
    if name == "add" and right.type == DATE:
        left, right = right, left
    count = right.value if isinstance(right, Literal) else None
    if left.type != DATE or not dialect.dates_plus_numbers or isinstance(count, bool) or not isinstance(count, int):
        return None
    if abs(count) > MOST_UNITS:
        return _out_of_calendar(node, terms)
    return _shifted(left, count if name == "add" else -count, Grain.DAY, True, node, terms)


def moved(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """DATE_ADD, DATE_SUB, DATEADD and their kin: a date or time moved by a written number of units."""
    terms.resolution.read_whole(node, "this", "expression", "unit", "return_type")
    given, unit = _opened(node.args["expression"]), node.args.get("unit")
    read = _counted(given, unit)
    if isinstance(given, exp.Interval):
        read = _interval(given) if unit is None else None
    if read is None:
        return _bad_interval(node, terms)
    count, grain = read
    if isinstance(node, exp.DateSub | exp.TimestampSub | exp.DatetimeSub):
        count = -count
    moment = translate(node.this, terms)
    keeps = isinstance(node, exp.DateAdd | exp.DateSub) and not terms.resolution.dialect.is_ours
    if isinstance(node, exp.TsOrDsAdd) and node.args.get("return_type") is None:
        # Spark's DATE_ADD makes a date of its argument first.
        moment, keeps = as_date(moment, node), True
    keeps = keeps or (isinstance(node, exp.TimestampAdd) and terms.resolution.dialect.name == "mysql")
    return _shifted(moment, count, grain, keeps, node, terms)


def moved_by_name(node: exp.Expr, terms: Terms, translate: Translate) -> Expression | None:
    """DuckDB's DATE_SUB(day, INTERVAL …), which the parser does not know; None for other functions."""
    if str(node.this).lower() != "date_sub" or len(node.expressions) != 2 or not terms.resolution.dialect.is_ours:
        return None
    first, second = node.expressions
    return sum_with_interval(exp.Sub(this=first, expression=second), terms, translate)


def _shifted(moment: Expression, count: int, grain: Grain, keeps: bool, node: exp.Expr, terms: Terms) -> Expression:
    if isinstance(moment, Missing):
        return moment
    if family(moment.type) != "moment":
        return terms.resolution.refuse(
            "type.mismatch", "Only a date or time is moved.", node, hint="Write a date as DATE '2026-01-31'."
        )
    if isinstance(moment, Literal):
        found: Expression | None = literals.shifted(moment, grain, count)
        if found is None:
            return _out_of_calendar(node, terms)
    else:
        parts = (Literal(grain.value, VARCHAR), Literal(count, BIGINT), moment)
        found = Call("date_add", parts, TIMESTAMP, place_of(node))
    keeps = keeps and moment.type == DATE and at_least(grain, Grain.DAY)
    return as_date(found, node) if keeps else found


def as_date(moment: Expression, node: exp.Expr) -> Expression:
    if moment.type == DATE or isinstance(moment, Missing):
        return moment
    if isinstance(moment, Literal):
        return literals.cast(moment, DATE) or moment
    return Cast(moment, DATE, place_of(node))


def _out_of_calendar(node: exp.Expr, terms: Terms) -> Missing:
    return terms.resolution.refuse("type.mismatch", "This date would be outside the years 1 to 9999.", node)


def _bad_interval(node: exp.Expr, terms: Terms) -> Missing:
    return terms.resolution.unsupported(
        node,
        "This interval",
        f"Write a whole number and a unit, as INTERVAL 7 DAY; units are {', '.join(DECLARABLE_GRAINS)}.",
    )


def _opened(node: exp.Expr) -> exp.Expr:
    while isinstance(node, exp.Paren):
        node = node.this
    return node


def _interval(node: exp.Interval) -> tuple[int, Grain] | None:
    if set(node.args) - {"this", "unit"} and any(v for k, v in node.args.items() if k not in ("this", "unit")):
        return None
    unit, value = node.args.get("unit"), node.this
    if unit is None and isinstance(value, exp.Literal) and (both := _WHOLE_AND_UNIT.match(str(value.this))):
        return _counted(exp.Literal.string(both[1]), exp.Var(this=both[2]))
    return _counted(value, unit)


def _counted(value: object, unit: object) -> tuple[int, Grain] | None:
    grain = unit_of(unit)
    count = _whole(value)
    return None if grain is None or count is None or abs(count) > MOST_UNITS else (count, grain)


def unit_of(node: object) -> Grain | None:
    word = str(node.this).lower() if isinstance(node, exp.Var | exp.Literal) else ""
    singular = word.removesuffix("s")
    return Grain(singular) if singular in DECLARABLE_GRAINS else None


def _whole(node: object) -> int | None:
    """The whole number that is written, with its signs; Spark's readers write a sign as a product."""
    match node:
        case exp.Paren(this=inner):
            return _whole(inner)
        case exp.Neg(this=inner):
            value = _whole(inner)
            return None if value is None else -value
        case exp.Mul():
            one, other = _whole(node.this), _whole(node.args["expression"])
            return None if one is None or other is None else one * other
        case exp.Literal() if match := _WHOLE.match(str(node.this)):
            return int(match[1] + match[2])
    return None


INTERVALS: dict[type[exp.Expr], Handler] = {
    exp.CurrentDate: current_date,
    **dict.fromkeys(
        (exp.CurrentTimestamp, exp.CurrentDatetime, exp.Localtimestamp, exp.UtcTimestamp), current_timestamp
    ),
    exp.Interval: interval_alone,
    **dict.fromkeys(
        (
            exp.DateAdd,
            exp.DateSub,
            exp.TsOrDsAdd,
            exp.TimestampAdd,
            exp.TimestampSub,
            exp.DatetimeAdd,
            exp.DatetimeSub,
        ),
        moved,
    ),
}
