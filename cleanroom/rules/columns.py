"""Uses of columns → column.blocked, column.not_groupable, column.not_filterable, predicate.compares_columns."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.dependencies import column, facts
from cleanroom.domain.expression import Call, Column, Expression, Place, inputs
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.grain import Grain, at_least
from cleanroom.domain.plan import Plan
from cleanroom.domain.policy import AnalysisRule, ColumnRule, Policy, Use
from cleanroom.rules.dates import boundary_of, grain_of, outwards, starts
from cleanroom.rules.derived import Through, through, uncounted
from cleanroom.rules.optional import always_there
from cleanroom.rules.uses import (
    Occurrence,
    all_mentions,
    comparisons,
    derived,
    group_keys,
    occurrences,
    predicates,
    rows_parted,
    source_column,
    write_out,
)

_USES = {"group": ("column.not_groupable", "grouped by"), "filter": ("column.not_filterable", "filtered on")}


def column_blocked(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A column that the owner's rule does not name is not used, in no place, however deep."""
    for found in all_mentions(plan):
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
    """Every column that a group key is made from may be grouped by, a date at its grain or coarser.

    A value computed within a privacy unit may be a key where it tells no more than its columns' keys would, or counts.
    What parts the rows of one person is a key too, unless it is a join column or has one value for each person; what
    orders them is a column as it is read, or made of such keys.
    """
    for _, key in group_keys(plan):
        for part in inputs(key.origin):
            yield from _judged(part, "group", plan, policy)
    for below, parting, ordering in rows_parted(plan):
        known = facts(below, policy.datasets)
        persons = frozenset(column(unit.field) for unit in known.units)
        one_value, _ = known.closure(persons)
        for part in parting:
            if not (isinstance(part, Column) and (column(part.field) in one_value or _is_join_column(part, policy))):
                yield from _judged(part, "group", plan, policy)
        for part in ordering:
            if not isinstance(write_out(part), Column):
                yield from _judged(part, "group", plan, policy)


def _is_join_column(part: Column, policy: Policy) -> bool:
    found = source_column(part)
    rule = None if found is None else policy.rules.get(found[0].dataset)
    return found is not None and rule is not None and rule.column(found[0].column).join


def column_not_filterable(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every column in a condition over rows may be filtered on, a date at its grain or coarser.

    A value computed within a privacy unit may be asked for where it could be a key.
    """
    for predicate in predicates(plan):
        yield from _judged(predicate, "filter", plan, policy)


def predicate_compares_columns(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Conditions over rows, and cases in group keys, compare columns with literals, never two columns.

    Two dates may be compared, each at the grain at which it may be filtered on.
    """
    keys = (part for _, key in group_keys(plan) for part in inputs(key.origin))
    for expression in (*predicates(plan), *keys):
        for comparison in comparisons(expression):
            if not _dates_at_grain(comparison, policy):
                yield Finding(
                    "predicate.compares_columns",
                    "Two columns are compared with each other.",
                    at=comparison.at,
                    hint="Compare a column with a literal; join datasets on their join columns with =; "
                    "compare two dates at their grain, with date_trunc around both.",
                )


def _dates_at_grain(comparison: Call, policy: Policy) -> bool:
    found = [one for argument in comparison.arguments for one in occurrences(argument)]
    values = [one for argument in comparison.arguments for one in derived(argument)]
    taken = all(value.call.function in ("min", "max", "lag", "lead", "first_value", "last_value") for value in values)
    return taken and bool(found) and all(_is_filterable_date(one, policy) for one in found)


def _is_filterable_date(found: Occurrence, policy: Policy) -> bool:
    rule = policy.rules.get(found.dataset)
    use = rule.column(found.column.column).filter if rule is not None else None
    return use is not None and found.field.type.is_moment and at_least(grain_of(found), use.grain)


def _judged(expression: Expression, use: str, plan: Plan, policy: Policy) -> Iterator[Finding]:
    """What is wrong with using the expression so: "group" as a key, "filter" in a condition."""
    optional = always_there(plan)
    for found in occurrences(expression):
        if _is_blocked(found, policy) or _asks_for_a_match(found, optional):
            continue
        way = through(found)
        if way is None:
            yield from _refused(found, policy, use)
        elif not _leaves(found, way, policy):
            yield from _refused(found, policy, "filter" if way.conditional else "group", use)
    yield from uncounted(derived(expression), plan, policy)


def fine_dates(expression: Expression, policy: Policy) -> Iterator[Finding]:
    """What is wrong with reading a number off the expression's dates: each at the grain at which it may be grouped by."""
    for found in occurrences(expression):
        if found.field.type.is_moment and not _is_blocked(found, policy):
            yield from _refused(found, policy, "group")


def _asks_for_a_match(found: Occurrence, optional: frozenset[int]) -> bool:
    """`IS NULL` of a column of a side that may be missing, itself never NULL there: whether there is a match."""
    match found.around[-1] if found.around else None:
        case Call(function="is_null"):
            return found.field.id in optional
    return False


def _leaves(found: Occurrence, way: Through, policy: Policy) -> bool:
    """Whether this per-unit value may leave as a key or in a condition although the column might not be a key itself."""
    rule = policy.rules[found.dataset].column(found.column.column)
    match way.call.function:
        case _ if way.conditional or not way.bare:
            return False
        case "count":
            return "count" in rule.aggregate
        case "count_distinct":
            return _is_key(rule) and "count_distinct" in rule.aggregate
        case "sum" | "avg" as name:
            return name in rule.aggregate and (way.only_compared or _is_key(rule))
    return False


def _is_key(rule: ColumnRule) -> bool:
    return rule.group is not None and not rule.join


def _is_blocked(found: Occurrence, policy: Policy) -> bool:
    rule = policy.rules.get(found.dataset)
    return rule is None or found.column.column not in rule.columns


def _refused(found: Occurrence, policy: Policy, use: str, place: str | None = None) -> Iterator[Finding]:
    """`use` is what the column must allow, `place` what it was used for, where that is another."""
    rule = policy.rules[found.dataset]
    name = found.column.column
    code, words = _USES[place or use]
    allowed: Use | None = getattr(rule.column(name), use)
    at: Place | None = found.at
    if allowed is None or rule.column(name).join:
        message = f"{name} of {found.dataset} may not be {words}."
        yield Finding(code, message, found.dataset, name, at, _way_out(found) or _alternatives(rule, use))
    elif found.field.type.is_moment and not _at_grain(found, allowed.grain):
        message = f"{name} of {found.dataset} may be {words} at the {allowed.grain.value} or coarser."
        yield Finding(code, message, found.dataset, name, at, _grain_hint(name, place or use, allowed.grain))


def _way_out(found: Occurrence) -> str | None:
    way = through(found)
    if way is None or not way.adds_up:
        return None
    return (
        f"A sum of one person leaves only compared with a literal, as in CASE WHEN {way.call.function}(…) > 100 THEN …"
    )


def _at_grain(found: Occurrence, allowed: Grain) -> bool:
    if at_least(grain_of(found), allowed):
        return True
    around = outwards(found)
    match around[0] if around else None:
        case Call(function="is_null"):
            return True
    boundary = boundary_of(found)
    return boundary is not None and starts(boundary[1], boundary[0], found.field.type.kind, allowed)


def _grain_hint(name: str, use: str, grain: Grain) -> str:
    if use == "group":
        return f"Group by date_trunc('{grain.value}', {name})."
    begins = "a date" if grain is Grain.DAY else f"the beginning of a {grain.value}"
    return f"Compare date_trunc('{grain.value}', {name}) with a date, or use >= and < with {begins}."


def _alternatives(rule: AnalysisRule, use: str) -> str:
    names = [name for name, column in rule.columns.items() if getattr(column, use) is not None]
    verb = "group by" if use == "group" else "filter on"
    return f"You may {verb} {', '.join(names)}." if names else f"Its owner lets nobody {verb} a column of it."


def _named(rule: AnalysisRule | None) -> str | None:
    if rule is None or not rule.columns:
        return None
    return f"Its owner allows uses of {', '.join(rule.columns)}."
