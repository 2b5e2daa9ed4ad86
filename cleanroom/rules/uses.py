"""The plan → where and how each column of a dataset is used: written out to its origin, with every function around it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    Missing,
    Place,
    SourceColumn,
    children,
    walk,
)
from cleanroom.domain.functions import EXTRACT_GRAINS, STRFTIME_GRAINS
from cleanroom.domain.grain import Grain, at_least
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Filter, Join, Plan, expressions, inputs_of, relations, releases
from cleanroom.domain.types import Kind


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One mention of a dataset's column in an expression.

    `around` are the nodes that enclose it, outermost first; `beside` is the literal that it is compared with bare.
    """

    column: SourceColumn
    field: Field
    at: Place | None
    around: tuple[Expression, ...]

    @property
    def dataset(self) -> DatasetName:
        return self.column.dataset


def write_out(expression: Expression) -> Expression:
    """The expression with every projected column replaced by what it stands for, down to columns of datasets,
    aggregates and windows."""
    match expression:
        case Column(field=found, at=at):
            match found.origin:
                case Literal() | Column() | Call() | Case() | Cast() | Missing() as origin:
                    return _at(write_out(origin), at)
            return expression
        case Call(arguments=arguments):
            return replace(expression, arguments=tuple(write_out(a) for a in arguments))
        case Case(branches=branches, default=default):
            written = tuple((write_out(when), write_out(then)) for when, then in branches)
            return replace(expression, branches=written, default=None if default is None else write_out(default))
        case Cast(argument=argument):
            return replace(expression, argument=write_out(argument))
    return expression


def _at(expression: Expression, at: Place | None) -> Expression:
    """The expression as mentioned at this place: a bare column is reported where it is used, not where it is passed on."""
    return replace(expression, at=at) if at is not None and isinstance(expression, Column) else expression


def occurrences(expression: Expression) -> Iterator[Occurrence]:
    """Every mention of a dataset's column in the expression, written out."""
    return _occurrences(write_out(expression), ())


def _occurrences(expression: Expression, around: tuple[Expression, ...]) -> Iterator[Occurrence]:
    if isinstance(expression, Column) and isinstance(expression.field.origin, SourceColumn):
        yield Occurrence(expression.field.origin, expression.field, expression.at, around)
    for child in children(expression):
        yield from _occurrences(child, (*around, expression))


def source_column(expression: Expression) -> tuple[SourceColumn, Field] | None:
    """The dataset's column that the expression is, bare; None where it is anything else."""
    written = write_out(expression)
    if isinstance(written, Column) and isinstance(written.field.origin, SourceColumn):
        return written.field.origin, written.field
    return None


def group_keys(plan: Plan) -> Iterator[tuple[Aggregate, Field]]:
    """Every key of every release."""
    return ((release, key) for release in releases(plan.root) for key in release.keys)


def measures(plan: Plan) -> Iterator[tuple[Aggregate, Field]]:
    """Every aggregate of every release."""
    return ((release, measure) for release in releases(plan.root) for measure in release.measures)


def predicates(plan: Plan) -> Iterator[Expression]:
    """Every condition over rows of people, on whole rows and on those that one aggregate takes."""
    for relation in relations(plan.root):
        match relation:
            case Filter(predicate=predicate, released=False):
                yield predicate
            case Aggregate(input=below, measures=found) if not below.released:
                calls = (measure.origin for measure in found)
                yield from (c.condition for c in calls if isinstance(c, AggregateCall) and c.condition is not None)


def joins(plan: Plan) -> Iterator[Join]:
    """Every join of rows of people."""
    return (r for r in relations(plan.root) if isinstance(r, Join) and not r.released)


def all_occurrences(plan: Plan) -> Iterator[Occurrence]:
    """Every mention of a dataset's column anywhere, over rows and over groups, read or not, in the order of the plan."""
    for root in (plan.root, *plan.unused):
        for relation in relations(root):
            for expression in expressions(relation):
                yield from occurrences(expression)


def occurrences_over_rows(plan: Plan) -> Iterator[Occurrence]:
    """Every mention of a dataset's column in what is computed from rows of people; groups are past judging."""
    for relation in relations(plan.root):
        if not all(below.released for below in inputs_of(relation)):
            for expression in expressions(relation):
                yield from occurrences(expression)


def grain_of(occurrence: Occurrence) -> Grain:
    """How finely the functions around a date or time look at it, from the inside out; INSTANT where it is bare.

    Each function that cuts or reads at a coarser grain than what it is given keeps only that grain; a finer one, or
    one that does not compare, can tell no more than it is given.
    """
    found = Grain.DAY if occurrence.field.type.kind is Kind.DATE else Grain.INSTANT
    for node in reversed(occurrence.around):
        looks = _looks_at(node)
        if looks is None:
            break
        found = looks if at_least(looks, found) else found
    return found


def _looks_at(node: Expression) -> Grain | None:
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
    match occurrence.around[-1] if occurrence.around else None:
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


def compares_columns(expression: Expression) -> Iterator[Place | None]:
    """Where the expression compares two columns with each other, however wrapped."""
    comparing = {
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "in",
        "like",
        "ilike",
        "nullif",
        "distinct_from",
        "not_distinct_from",
    }
    for node in walk(write_out(expression)):
        if isinstance(node, Call) and node.function in comparing:
            sides = [any(True for _ in _occurrences(argument, ())) for argument in node.arguments]
            if sum(sides) > 1:
                yield node.at
