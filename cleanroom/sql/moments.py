"""Date functions of every dialect → those of the plan: cut, take a part, format, count between."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from sqlglot import exp

from cleanroom.domain.expression import Call, Expression, Literal, Missing
from cleanroom.domain.grain import DECLARABLE_GRAINS, Grain
from cleanroom.domain.types import BIGINT, DATE, TIMESTAMP, VARCHAR, DataType
from cleanroom.sql import literals
from cleanroom.sql.dialects import Difference
from cleanroom.sql.formats import strftime_format
from cleanroom.sql.intervals import Handler, Translate, as_date, unit_of
from cleanroom.sql.nodes import place_of
from cleanroom.sql.typing import family

if TYPE_CHECKING:
    from cleanroom.sql.terms import Terms


_SPARK_UNITS = {"yyyy": "year", "yy": "year", "mm": "month", "mon": "month", "dd": "day"}


def truncated(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """DATE_TRUNC and its kin. Weeks begin on Monday."""
    terms.resolution.read_whole(node, "this", "unit", "input_type_preserved")
    grain = _cut(node.args.get("unit"), terms)
    moment = _moment(node.this, terms, translate)
    if grain is None or isinstance(moment, Missing):
        return moment if isinstance(moment, Missing) else Missing(place_of(node))
    to_date = isinstance(node, exp.DateTrunc) and terms.resolution.dialect.name == "spark"
    if moment.type == DATE and terms.resolution.dialect.truncates_to_dates:
        to_date = isinstance(node, exp.DateTrunc) or terms.resolution.dialect.name != "bigquery"
    folded = literals.truncated(moment, grain) if isinstance(moment, Literal) else None
    found = folded or Call("date_trunc", (Literal(grain.value, VARCHAR), moment), TIMESTAMP, place_of(node))
    return as_date(found, node) if to_date else found


def _cut(unit: object, terms: Terms) -> Grain | None:
    word = str(unit.this).lower() if isinstance(unit, exp.Var | exp.Literal) else ""
    if isinstance(unit, exp.WeekStart) and str(unit.name).upper() == "MONDAY":
        word = "week"
    elif terms.resolution.dialect.name == "bigquery":
        word = {"isoweek": "week", "week": ""}.get(word, word)
    elif terms.resolution.dialect.name == "spark":
        word = _SPARK_UNITS.get(word, word)
    if word in DECLARABLE_GRAINS:
        return Grain(word)
    known = ", ".join(DECLARABLE_GRAINS)
    hint = (
        "Write ISOWEEK: weeks begin on Monday here."
        if terms.resolution.dialect.name == "bigquery"
        else f"Known: {known}."
    )
    at = unit if isinstance(unit, exp.Expr) else None
    terms.resolution.refuse("sql.unsupported", "This is not a known grain.", at, hint=hint)
    return None


def extracted(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """EXTRACT and DATE_PART, each word as the dialect numbers it."""
    terms.resolution.read_whole(node, "this", "expression")
    word = node.this
    name = str(word.this).lower() if isinstance(word, exp.Var | exp.Literal) else ""
    return _part(name, node.args["expression"], node, terms, translate)


def _part(name: str, argument: exp.Expr, node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    dialect = terms.resolution.dialect
    if name in dialect.sunday_is_one:
        counted = _read_part("dayofweek", argument, node, terms, translate)
        one = Literal(1, BIGINT)
        return counted if isinstance(counted, Missing) else Call("add", (counted, one), BIGINT, place_of(node))
    if name in dialect.parts:
        return _read_part(dialect.parts[name], argument, node, terms, translate)
    known = ", ".join(sorted({*dialect.parts, *dialect.sunday_is_one}))
    terms.resolution.refuse("sql.unsupported", "This is not a known part of a date.", node, hint=f"Known: {known}.")
    return Missing(place_of(node), mentions=(translate(argument, terms),))


def _read_part(part: str, argument: exp.Expr, node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    moment = _moment(argument, terms, translate)
    if isinstance(moment, Missing):
        return moment
    return _folded_part(part, moment) or Call("extract", (Literal(part, VARCHAR), moment), BIGINT, place_of(node))


def _folded_part(part: str, moment: Expression) -> Literal | None:
    value = moment.value if isinstance(moment, Literal) else None
    if not isinstance(value, datetime.date):
        return None
    known = {"year": value.year, "quarter": (value.month + 2) // 3, "month": value.month, "day": value.day}
    return Literal(known[part], BIGINT) if part in known else None


def part_function(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """YEAR(ts) and its kin."""
    terms.resolution.read_whole(node, "this")
    # Where the parser makes a date of the argument first, that changes none of these parts.
    argument = node.this.this if type(node.this) is exp.TsOrDsToDate else node.this
    if isinstance(node, exp.DayOfWeek):
        return _part("dayofweek", argument, node, terms, translate)
    if isinstance(node, exp.Week) and not terms.resolution.dialect.iso_weeks:
        return terms.resolution.unsupported(node, "A week that begins on Sunday", "Write WEEKOFYEAR: ISO weeks.")
    return _read_part(_PART_FUNCTIONS[type(node)], argument, node, terms, translate)


def part_by_name(node: exp.Expr, terms: Terms, translate: Translate) -> Expression | None:
    """DATE_PART('year', ts), where the parser does not know it; None for other functions."""
    if str(node.this).lower() not in ("date_part", "datepart") or len(node.expressions) != 2:
        return None
    word, moment = node.expressions
    name = str(word.this).lower() if isinstance(word, exp.Literal) else ""
    return _part(name, moment, node, terms, translate)


def formatted(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """A date or time as text, in a format whose every sign is known."""
    terms.resolution.read_whole(node, "this", "format")
    layout = node.args.get("format")
    text = str(layout.this) if isinstance(layout, exp.Literal) and layout.args.get("is_string") else ""
    known = strftime_format(text, terms.resolution.dialect.formats)
    if known is None:
        return terms.resolution.refuse(
            "sql.unsupported",
            "This date format is not known.",
            node,
            hint="Signs of years, months, days, hours, minutes and seconds are; names of days and months not in each.",
        )
    moment = _moment(node.this, terms, translate)
    return (
        moment
        if isinstance(moment, Missing)
        else Call("strftime", (moment, Literal(known, VARCHAR)), VARCHAR, place_of(node))
    )


def difference(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """DATE_DIFF and its kin: boundaries passed from one moment to the other, or, of two dates, days and weeks elapsed."""
    terms.resolution.read_whole(node, "this", "expression", "unit", "date_part_boundary")
    grain = _difference_unit(node, terms)
    end, start = (_moment(_days(side, terms), terms, translate) for side in (node.this, node.args["expression"]))
    for side in (end, start):
        if isinstance(side, Missing):
            return side
    if grain is None or not _counts_alike(node, grain, (start.type, end.type), terms):
        return terms.resolution.refuse(
            "sql.unsupported",
            "This difference counts otherwise than DATE_DIFF does here.",
            node,
            hint="Count the days between two dates: make dates of both sides first.",
        )
    parts = (Literal(grain.value, VARCHAR), start, end)
    return Call("date_diff", parts, BIGINT, place_of(node))


def _days(side: exp.Expr, terms: Terms) -> exp.Expr:
    """The side without the conversion to a date that Spark's reader writes around it."""
    return side.this if type(side) is exp.TsOrDsToDate and terms.resolution.dialect.name == "spark" else side


def _difference_unit(node: exp.Expr, terms: Terms) -> Grain | None:
    unit = node.args.get("unit")
    if unit is None:
        return Grain.DAY if terms.resolution.dialect.name in ("mysql", "spark") else None
    return unit_of(unit)


def _counts_alike(node: exp.Expr, grain: Grain, types: tuple[DataType, ...], terms: Terms) -> bool:
    """Whether what the dialect counts is what the plan's date_diff counts: boundaries, but weeks are seven days each."""
    dialect = terms.resolution.dialect
    dates = all(type == DATE for type in types)
    elapsed = dialect.differences is Difference.ELAPSED or isinstance(node, exp.TimestampDiff)
    if dialect.is_ours:
        return not isinstance(node, exp.TimestampDiff | exp.DatetimeDiff)
    if dialect.differences is Difference.NONE:
        return False
    if dialect.name == "spark" and node.args.get("unit") is None:
        return True
    if elapsed:
        return dates and grain in (Grain.DAY, Grain.WEEK)
    if dialect.name == "bigquery" and isinstance(node, exp.DateDiff):
        return dates and grain is not Grain.WEEK
    return grain is not Grain.WEEK


def as_moment(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """A date or time as it is: what the parser writes around the argument of a date function converts text alone."""
    terms.resolution.read_whole(node, "this")
    return _moment(node.this, terms, translate)


def _moment(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    found = translate(node, terms)
    if isinstance(found, Missing) or found.type.is_moment or (family(found.type) == "any" and not _is_literal(found)):
        return found
    return _no_moment(found, node, terms)


def _is_literal(expression: Expression) -> bool:
    return isinstance(expression, Literal)


def _no_moment(found: Expression, node: exp.Expr, terms: Terms) -> Missing:
    if isinstance(found, Literal):
        message = f"Write a date as a typed literal: {DATE} '2026-01-31'."
    else:
        message = f"This function needs a moment, not {found.type}."
    return terms.resolution.refuse("type.mismatch", message, node)


_PART_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Year: "year",
    exp.Quarter: "quarter",
    exp.Month: "month",
    exp.Week: "week",
    exp.WeekOfYear: "week",
    exp.Day: "day",
    exp.DayOfMonth: "day",
    exp.DayOfWeek: "dayofweek",
    exp.DayOfWeekIso: "isodow",
    exp.DayOfYear: "dayofyear",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
}
MOMENTS: dict[type[exp.Expr], Handler] = {
    **dict.fromkeys((exp.TimestampTrunc, exp.DateTrunc, exp.DatetimeTrunc), truncated),
    exp.Extract: extracted,
    **dict.fromkeys((exp.TsOrDsToTimestamp, exp.TimeStrToTime), as_moment),
    **dict.fromkeys(_PART_FUNCTIONS, part_function),
    **dict.fromkeys((exp.TimeToStr, exp.ToChar), formatted),
    **dict.fromkeys((exp.DateDiff, exp.TsOrDsDiff, exp.DatetimeDiff, exp.TimestampDiff), difference),
}
