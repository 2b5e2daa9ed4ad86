"""Tables and windows of one row or more for each person → unit.not_allowed, unit.lost, window.over_rows."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.dependencies import Unit, determined, facts
from cleanroom.domain.expression import AggregateCall, Field, Place, WindowCall
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.functions import AGGREGATES, WINDOWS
from cleanroom.domain.plan import Aggregate, Plan, Relation, Window, relations, releases, scans
from cleanroom.domain.policy import Policy
from cleanroom.rules.uses import per_unit_tables


def unit_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every owner of the rows allows them to be brought down to people first, with aggregates that may stand there."""
    for table in per_unit_tables(plan):
        yield from _unallowed(table.input, "Rows", table.at, policy)
        for measure in table.measures:
            yield from _not_inside(measure)
    for window in windows_over_rows(plan):
        at = next((f.origin.at for f in window.calls if isinstance(f.origin, WindowCall)), None)
        yield from _unallowed(window.input, "Windows over rows", at, policy)


def windows_over_rows(plan: Plan) -> Iterator[Window]:
    return (r for r in relations(plan.root) if isinstance(r, Window) and not r.released)


def _unallowed(below: Relation, what: str, at: Place | None, policy: Policy) -> Iterator[Finding]:
    for name in dict.fromkeys(scan.dataset for scan in scans(below)):
        rule = policy.rules.get(name)
        if rule is not None and not rule.per_unit_analysis:
            yield Finding(
                "unit.not_allowed",
                f"{what} of {name} are not brought down to one person each here.",
                name,
                at=at,
                hint="Group by columns that describe groups; per_unit_analysis is the owner's to allow.",
            )


def _not_inside(measure: Field) -> Iterator[Finding]:
    call = measure.origin
    assert isinstance(call, AggregateCall)
    if not AGGREGATES[call.function].unit:
        yield Finding(
            "aggregate.not_allowed",
            f"{call.function.upper()} does not stand inside a privacy unit.",
            at=call.at,
            hint="Of one person's rows: COUNT, COUNT(DISTINCT …), SUM, AVG, MIN, MAX, ARG_MIN, ARG_MAX.",
        )


def unit_lost(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A group keeps every person apart or none: keys that name some of the people and mix the others are refused."""
    for release in releases(plan.root):
        kept, mixed, _ = determined(facts(release.input, policy.datasets), release.keys)
        if kept and mixed:
            yield _lost(mixed[0], release)


def _lost(mixed: Unit, release: Aggregate) -> Finding:
    name = f"{mixed.scan.alias}.{mixed.field.name}"
    return Finding(
        "unit.lost",
        f"The groups keep some people apart and mix those of {mixed.scan.dataset}.",
        mixed.scan.dataset,
        mixed.field.name,
        release.at,
        f"Add {name} to GROUP BY, or group by columns that name nobody.",
    )


def window_over_rows(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A window over rows of people stays within one: its partition names a person of every source."""
    for window in windows_over_rows(plan):
        known = facts(window.input, policy.datasets)
        for call in (f.origin for f in window.calls):
            if isinstance(call, WindowCall):
                if call.function not in _INSIDE:
                    yield _not_there(call)
                if call.function == "last_value" and call.frame is None:
                    yield _unsettled(call)
                _, mixed, _ = determined(known, as_keys(call))
                if mixed or not call.partition:
                    yield Finding(
                        "window.over_rows",
                        "A window over rows of people looks at several of them.",
                        at=call.at,
                        hint=_partition_hint(mixed),
                    )


_INSIDE = frozenset(WINDOWS) - {"percent_rank", "cume_dist", "ntile"}


def _not_there(call: WindowCall) -> Finding:
    return Finding(
        "window.over_rows",
        f"{call.function.upper()} does not stand over rows of people.",
        at=call.at,
        hint=f"Inside a person: {', '.join(sorted(_INSIDE - {'count_rows'})).upper()}.",
    )


def _unsettled(call: WindowCall) -> Finding:
    return Finding(
        "window.over_rows",
        "LAST_VALUE over one person's rows needs a frame: without one it ends at any of the rows that come level.",
        at=call.at,
        hint="Use FIRST_VALUE with the order turned round.",
    )


def _partition_hint(mixed: tuple[Unit, ...]) -> str:
    names = ", ".join(dict.fromkeys(f"{unit.scan.alias}.{unit.field.name}" for unit in mixed))
    return f"PARTITION BY {names}, or aggregate first: windows over groups are free."


def as_keys(call: WindowCall) -> tuple[Field, ...]:
    """The partition as the keys of a group: each with an expression as its origin."""
    return tuple(Field(-index, "partition", part.type, True, part) for index, part in enumerate(call.partition, 1))
