"""Conditions inside a person that a release cannot see, or cannot see crossing each other → aggregate.not_allowed."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.dependencies import facts
from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Column,
    Expression,
    Field,
    SourceColumn,
    WindowCall,
    inputs,
    walk,
)
from cleanroom.domain.finding import Finding
from cleanroom.domain.plan import Aggregate
from cleanroom.domain.policy import Policy
from cleanroom.rules.cells import readable_form
from cleanroom.rules.uses import derived, write_out


def made_below(call: AggregateCall, release: Aggregate, policy: Policy) -> Iterator[Finding]:
    """What a per-unit table was grouped by is added up only as it was read: conditions in it are out of sight here."""
    known = facts(release.input, policy.datasets)
    for part in inputs(call):
        for node in walk(readable_form(part, known)):
            if isinstance(node, Column) and _is_key(node) and not _as_read(write_out(node)):
                yield Finding(
                    "aggregate.not_allowed",
                    f"{call.function.upper()} of a value that one person's rows were grouped by is not allowed.",
                    at=call.at or node.at,
                    hint="Compute the value in the query that aggregates it, not below a DISTINCT or GROUP BY.",
                )


def _is_key(node: Column) -> bool:
    """Whether what can be read here is a key of a per-unit table: everything else is taken apart to what it was read from."""
    return not isinstance(node.field.origin, SourceColumn | AggregateCall | WindowCall)


def _as_read(written: Expression) -> bool:
    """Whether the value is a column as it was read, or one computed from all of a person's rows."""
    match written:
        case Column(field=Field(origin=AggregateCall(among=among))):
            return among is None
    return isinstance(written, Column)


def side_by_side(release: Aggregate) -> Iterator[Finding]:
    """Values of one person that take different rows each cross in ways that nothing counts: one condition an answer, and
    one difference of dates."""
    parts = [part for measure in release.measures for part in inputs(measure.origin)]
    conditional = {
        value.call.among[0]: value.call
        for part in parts
        for value in derived(part)
        if isinstance(value.call, AggregateCall) and value.call.among is not None
    }
    if len(conditional) > 1:
        yield Finding(
            "aggregate.not_allowed",
            "Values of one person under different conditions are not aggregated side by side.",
            at=list(conditional.values())[-1].at,
            hint="Keep one such condition in an answer, or put the conditions on the aggregates of the groups, with FILTER.",
        )
    nodes = (node for part in parts for node in walk(write_out(part)))
    differences = {node for node in nodes if isinstance(node, Call) and node.function == "date_diff"}
    if len(differences) > 1:
        yield Finding(
            "aggregate.not_allowed",
            "Several differences of dates are not averaged side by side.",
            at=release.at,
            hint="Average one in an answer: what two differ by may be one person's.",
        )
