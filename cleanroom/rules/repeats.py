"""Sums over joined rows → join.repeats_rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cleanroom.domain.dependencies import Facts, Node, facts
from cleanroom.domain.expression import AggregateCall, Expression, WindowCall
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.plan import Aggregate, Plan, Window, relations
from cleanroom.domain.policy import Policy
from cleanroom.rules.uses import occurrences, value_fields


def join_repeats_rows(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """No source may repeat the rows that a SUM, AVG or the like reads, within a unit as at a release: multiplicities would
    encode one person's value."""
    for relation in relations(plan.root):
        calls: Sequence[AggregateCall | WindowCall]
        match relation:
            case Aggregate(input=below, measures=made) if not below.released:
                calls = [m.origin for m in made if isinstance(m.origin, AggregateCall)]
            case Window(input=below, calls=made, released=False):
                calls = [w.origin for w in made if isinstance(w.origin, WindowCall)]
            case _:
                continue
        for call in calls:
            if call.function in AGGREGATES and AGGREGATES[call.function].sensitive:
                yield from _repeated(call, facts(below, policy.datasets))


def _repeated(call: AggregateCall | WindowCall, known: Facts) -> Iterator[Finding]:
    values = (call.argument, call.second) if isinstance(call, AggregateCall) else call.arguments[:1]
    for value in (v for v in values if v is not None):
        for row in sorted(repeating(value, known)):
            other = known.scans[row][0]
            read = next(occurrences(value), None)
            yield Finding(
                "join.repeats_rows",
                f"{other.dataset} may repeat the rows that {call.function.upper()} reads.",
                read.dataset if read else None,
                read.column.column if read else None,
                call.at,
                f"Reduce {other.alias} to one row for each value of its join columns, or use COUNT(DISTINCT …).",
            )


def repeating(value: Expression, known: Facts) -> frozenset[Node]:
    """The rows that may repeat the ones which the value is read from: those do not determine them."""
    owners = owners_of(value, known)
    if not owners:  # literals alone: rows are counted
        return frozenset()
    reached, _ = known.closure(owners, matched=True)
    if len(owners) > 1 and not all(owners <= known.closure(frozenset({row}), matched=True)[0] for row in owners):
        return known.rows
    return known.rows - reached


def owners_of(value: Expression, known: Facts) -> frozenset[Node]:
    """The rows that the value is read from."""
    return frozenset(row for field in value_fields(value) for row in known.owners.get(field.id, known.rows))
