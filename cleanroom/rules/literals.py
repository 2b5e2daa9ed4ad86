"""Comparisons of people's columns with literals → literal.not_allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Literal,
    Missing,
    WindowCall,
    children,
    inputs,
)
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Plan, Window, relations, scans
from cleanroom.domain.policy import AnalysisRule, Policy
from cleanroom.rules.uses import Occurrence, joins, occurrences, predicates

Released = frozenset[int]
"""Ids of the fields of released relations: whoever writes the query chooses what such a column holds, as with a literal."""

_COMPARING = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "in", "like", "ilike", "distinct_from", "not_distinct_from"}
)
_CHOOSING = frozenset({"greatest", "least", "nullif"})  # they compare, and hand on one of the values
_TRUTHS = frozenset({"and", "or", "not", "is_true", "is_false"})
_COUNTS = frozenset({"count", "count_distinct"})
_WITH_PART = {"date_trunc": 0, "extract": 0, "date_diff": 0, "strftime": 1}
"""Functions of dates → which argument is the word for a part, or the format: no value that anything is compared with."""


def literal_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A column that its owner's `literals` leave out is compared with no literal, and with no released value.

    Judged where rows are chosen (conditions, of aggregates too), and in all that keys, aggregates and windows over rows
    are computed from, within a privacy unit too. IS NULL compares with nothing; a count of a column is not the column.
    """
    rules = {scan.dataset: policy.rules[scan.dataset] for scan in scans(plan.root) if scan.dataset in policy.rules}
    restricted = {name: rule for name, rule in rules.items() if rule.literals is not None}
    if restricted:
        released = frozenset(f.id for r in relations(plan.root) if r.released for f in r.fields)
        for found in _compared(plan, released):
            yield from _refused(found, restricted)


def _refused(found: Occurrence, restricted: Mapping[DatasetName, AnalysisRule]) -> Iterator[Finding]:
    rule, name = restricted.get(found.dataset), found.column.column
    if rule is not None and name in rule.columns and name not in (rule.literals or ()):
        message = f"{name} of {found.dataset} may not be compared with a literal, or with a released value."
        yield Finding("literal.not_allowed", message, found.dataset, name, found.at, _hint(rule))


def _hint(rule: AnalysisRule) -> str:
    names = [name for name in rule.columns if name in (rule.literals or ())]
    return (
        f"You may compare {', '.join(names)} with literals."
        if names
        else "Its owner lets no column of it be compared with a literal."
    )


def _compared(plan: Plan, released: Released) -> Iterator[Occurrence]:
    """Every mention of a column over rows of people that is compared with a literal or a released value."""
    for expression, decides in _computed(plan):
        for found in occurrences(_sealed(expression, released)):
            if _meets_literal(found, decides=decides):
                yield found
    for join in joins(plan):
        for left, right in join.keys:
            if join.left.released or join.right.released:
                yield from occurrences(left if join.right.released else right)


def _computed(plan: Plan) -> Iterator[tuple[Expression, bool]]:
    """Every expression over rows of people, and whether its own truth decides which rows are taken."""
    yield from ((predicate, True) for predicate in predicates(plan))
    for relation in relations(plan.root):
        match relation:
            case Aggregate(input=below, keys=keys, measures=measures) if not below.released:
                fields = (*keys, *measures)
            case Window(input=below, calls=calls) if not below.released:
                fields = calls
            case _:
                continue
        for field in fields:
            condition = field.origin.condition if isinstance(field.origin, AggregateCall) else None
            yield from ((part, part is condition) for part in inputs(field.origin))


def _sealed(expression: Expression, released: Released) -> Expression:
    """The expression written out, in which every released value is a literal."""
    match expression:
        case Column(field=field) if field.id in released:
            return Literal(None, field.type)
        case Column(field=field, at=at):
            match field.origin:
                case Literal() | Call() | Case() | Cast() | Missing() as origin:
                    return _sealed(origin, released)
                case Column() as origin:
                    return _sealed(replace(origin, at=at or origin.at), released)
        case Call(arguments=arguments):
            return replace(expression, arguments=tuple(_sealed(a, released) for a in arguments))
        case Case(branches=branches, default=default):
            sealed = tuple((_sealed(when, released), _sealed(then, released)) for when, then in branches)
            return replace(expression, branches=sealed, default=None if default is None else _sealed(default, released))
        case Cast(argument=argument):
            return replace(expression, argument=_sealed(argument, released))
    return expression


def _meets_literal(found: Occurrence, *, decides: bool) -> bool:
    """Whether the column's value, on its way out of the expression, is compared with a literal or taken for true."""
    inner: object = None
    for node in reversed(found.around):
        match node:
            case Call(function="is_null"):
                return False
            case Call(function=name) if name in _COMPARING:
                return _holds_literal(node)
            case Call(function=name) if name in _CHOOSING and _holds_literal(node):
                return True
            case Call(function=name) if name in _TRUTHS:
                return True
            case Case(branches=branches) if any(_is(when, inner, found) for when, _ in branches):
                return True
            case AggregateCall(function=name) | WindowCall(function=name) if name in _COUNTS:
                return False
        inner = node
    return decides


def _is(when: Expression, inner: object, found: Occurrence) -> bool:
    """Whether the branch's condition is the node that the column came out of, or the bare column."""
    return when is inner or (inner is None and isinstance(when, Column) and when.field == found.field)


def _holds_literal(expression: Expression) -> bool:
    if isinstance(expression, Literal):
        return True
    part = _WITH_PART.get(expression.function) if isinstance(expression, Call) else None
    return any(_holds_literal(child) for i, child in enumerate(children(expression)) if i != part)
