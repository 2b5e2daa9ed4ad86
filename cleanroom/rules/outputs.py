"""The shape of the query → output.not_aggregate, rows.chosen."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Column as ColumnNode
from cleanroom.domain.expression import Place, inputs, walk
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.plan import Limit, Plan, Sort, relations
from cleanroom.domain.policy import Policy


def output_not_aggregate(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """What comes out describes groups: the last relation is a released one."""
    if not plan.root.released:
        yield Finding(
            "output.not_aggregate",
            "The query returns rows of people, not groups.",
            at=_first_place(plan),
            hint="Aggregate, for instance with COUNT(DISTINCT …), and GROUP BY columns that describe groups.",
        )


def _first_place(plan: Plan) -> Place | None:
    for field in plan.root.fields:
        for part in inputs(field.origin):
            for node in walk(part):
                if isinstance(node, ColumnNode) and node.at is not None:
                    return node.at
    return None


def rows_chosen(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """ORDER BY, LIMIT and OFFSET stand over groups: over rows they choose people."""
    for relation in relations(plan.root):
        if isinstance(relation, Limit | Sort) and not relation.released:
            what = "LIMIT" if isinstance(relation, Limit) else "ORDER BY"
            at = relation.at if isinstance(relation, Limit) else None
            yield Finding(
                "rows.chosen", f"{what} over rows of people is not accepted.", at=at, hint="Order and limit the groups."
            )
