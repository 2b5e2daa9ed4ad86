"""Functions around columns of people → function.not_allowed."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Call, Cast, Expression, walk
from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.functions import SCALARS
from cleanroom.domain.plan import Plan
from cleanroom.domain.policy import AnalysisRule, Policy
from cleanroom.rules.uses import Around, Occurrence, derived, expressions_over_rows, occurrences, write_out


def function_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every function around a column is one that the column's owner lists; around counts of one person none computes."""
    for expression in expressions_over_rows(plan):
        for found in occurrences(expression):
            rule = policy.rules.get(found.dataset)
            if rule is not None:
                for node in found.around:
                    yield from _refused(node, found, rule)
        yield from _computing(expression)


def _refused(node: Around, found: Occurrence, rule: AnalysisRule) -> Iterator[Finding]:
    match node:
        case Cast(at=at):
            listed, private = "cast", True
        case Call(function=name, at=at):
            listed, private = SCALARS[name].listed or "", SCALARS[name].private
            if not private:
                listed = name
        case _:
            return
    if private and (not listed or listed in rule.functions):
        return
    allowed = ", ".join(sorted(rule.functions)) or "none"
    yield Finding(
        "function.not_allowed",
        f"{listed} may not be applied to {found.column.column} of {found.dataset}.",
        found.dataset,
        found.column.column,
        at or found.at,
        f"On rows its owner allows: {allowed}. On released groups every function is free.",
    )


def _computing(expression: Expression) -> Iterator[Finding]:
    """Arithmetic on what was computed of one person, which names no column that could say no."""
    for node in walk(write_out(expression)):
        if isinstance(node, Call) and not SCALARS[node.function].private:
            for value in derived(node):
                yield Finding(
                    "function.not_allowed",
                    f"{node.function} may not be applied to {value.call.function.upper()} of one person.",
                    at=node.at or value.at,
                    hint="Compare it with literals, as in CASE WHEN … THEN …; compute on the released groups.",
                )
