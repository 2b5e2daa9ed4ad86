"""Uses of columns → column.blocked, column.not_groupable, column.not_filterable, predicate.compares_columns."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Call, Field, Place, inputs
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.grain import Grain, at_least
from cleanroom.domain.plan import Plan
from cleanroom.domain.policy import AnalysisRule, Policy, Use
from cleanroom.rules.uses import (
    Occurrence,
    all_occurrences,
    boundary_of,
    compares_columns,
    grain_of,
    group_keys,
    occurrences,
    predicates,
    starts,
)


def column_blocked(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A column that the owner's rule does not name is not used, in no place, however deep."""
    for found in all_occurrences(plan):
        if _is_blocked(found, policy):
            yield Finding(
                "column.blocked",
                f"{found.column.column} of {found.dataset} is blocked.",
                found.dataset,
                found.column.column,
                found.at,
                _named(policy.rules.get(found.dataset)),
            )


def column_not_groupable(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every column that a group key is made from may be grouped by, a date at its grain or coarser."""
    for _, key in group_keys(plan):
        for found in _of(key):
            if not _is_blocked(found, policy):
                yield from _refused(found, policy, "group", "column.not_groupable", "grouped by")


def column_not_filterable(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every column in a condition over rows may be filtered on, a date at its grain or coarser."""
    for predicate in predicates(plan):
        for found in occurrences(predicate):
            if not _is_blocked(found, policy):
                yield from _refused(found, policy, "filter", "column.not_filterable", "filtered on")


def predicate_compares_columns(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Conditions over rows, and cases in group keys, compare columns with literals, never two columns."""
    keys = (part for _, key in group_keys(plan) for part in inputs(key.origin))
    for expression in (*predicates(plan), *keys):
        for at in compares_columns(expression):
            yield Finding(
                "predicate.compares_columns",
                "Two columns are compared with each other.",
                at=at,
                hint="Compare a column with a literal; join datasets on their join columns with =.",
            )


def _of(key: Field) -> Iterator[Occurrence]:
    return (found for part in inputs(key.origin) for found in occurrences(part))


def _is_blocked(found: Occurrence, policy: Policy) -> bool:
    rule = policy.rules.get(found.dataset)
    return rule is None or found.column.column not in rule.columns


def _refused(found: Occurrence, policy: Policy, use: str, code: str, words: str) -> Iterator[Finding]:
    rule = policy.rules[found.dataset]
    name = found.column.column
    allowed: Use | None = getattr(rule.column(name), use)
    at: Place | None = found.at
    if allowed is None or rule.column(name).join:
        message = f"{name} of {found.dataset} may not be {words}."
        yield Finding(code, message, found.dataset, name, at, _alternatives(rule, use))
    elif found.field.type.is_moment and not _at_grain(found, allowed.grain):
        message = f"{name} of {found.dataset} may be {words} at the {allowed.grain.value} or coarser."
        yield Finding(code, message, found.dataset, name, at, _grain_hint(name, use, allowed.grain))


def _at_grain(found: Occurrence, allowed: Grain) -> bool:
    if at_least(grain_of(found), allowed):
        return True
    match found.around[-1] if found.around else None:
        case Call(function="is_null"):
            return True
    boundary = boundary_of(found)
    return boundary is not None and starts(boundary[1], boundary[0], found.field.type.kind, allowed)


def _grain_hint(name: str, use: str, grain: Grain) -> str:
    if use == "group":
        return f"Group by date_trunc('{grain.value}', {name})."
    return f"Compare date_trunc('{grain.value}', {name}) with a date, or use >= and < with the first day of a {grain.value}."


def _alternatives(rule: AnalysisRule, use: str) -> str:
    names = [name for name, column in rule.columns.items() if getattr(column, use) is not None]
    verb = "group by" if use == "group" else "filter on"
    return f"You may {verb} {', '.join(names)}." if names else f"Its owner lets nobody {verb} a column of it."


def _named(rule: AnalysisRule | None) -> str | None:
    if rule is None or not rule.columns:
        return None
    return f"Its owner allows uses of {', '.join(rule.columns)}."
