"""The conditions that an answer's cells stand under → sql.too_large."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.dependencies import facts
from cleanroom.domain.expression import AggregateCall
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.plan import Plan, releases
from cleanroom.domain.policy import Policy
from cleanroom.domain.steps import MOST_CONDITIONS
from cleanroom.rules.cells import condition_of


def sql_too_large(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A release has no more conditions than its rows can be sorted by: each FILTER, WHEN and clamp is one."""
    for release in releases(plan.root):
        known = facts(release.input, policy.datasets)
        calls = (m.origin for m in release.measures if isinstance(m.origin, AggregateCall))
        found = [condition for call in calls if (condition := condition_of(call, known)) is not None]
        distinct = dict.fromkeys(part for condition in found for part in (condition.own, *condition.splits))
        if len(distinct) > MOST_CONDITIONS:
            yield Finding(
                "sql.too_large",
                f"The query is too large: an aggregation may hold {MOST_CONDITIONS} conditions.",
                at=release.at,
                hint="Each FILTER, WHEN and clamp is one, and each aggregate of a column that may be NULL.",
            )
