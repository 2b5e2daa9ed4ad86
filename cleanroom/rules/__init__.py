"""Plan + policy → a verdict with every finding; an approved verdict → executable steps. One idea a rule, one literal tuple."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from cleanroom.domain.finding import Finding, Question, Verdict
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Plan, scans
from cleanroom.domain.policy import Policy
from cleanroom.rules.access import receiver_none, receivers, rule_missing, runner_not_allowed
from cleanroom.rules.aggregates import aggregate_not_allowed
from cleanroom.rules.approve import approve
from cleanroom.rules.columns import (
    column_blocked,
    column_not_filterable,
    column_not_groupable,
    predicate_compares_columns,
)
from cleanroom.rules.functions import function_not_allowed
from cleanroom.rules.joins import join_not_allowed, join_required
from cleanroom.rules.literals import literal_not_allowed
from cleanroom.rules.outputs import output_not_aggregate, rows_chosen
from cleanroom.rules.overlap import release_overlap
from cleanroom.rules.per_unit import unit_lost, unit_not_allowed, window_over_rows
from cleanroom.rules.repeats import join_repeats_rows
from cleanroom.rules.size import sql_too_large
from cleanroom.rules.templates import template_not_approved, template_required

Rule = Callable[[Plan, Policy, Question], Iterable[Finding]]

RULES: tuple[Rule, ...] = (
    runner_not_allowed,
    rule_missing,
    receiver_none,
    template_required,
    template_not_approved,
    column_blocked,
    output_not_aggregate,
    column_not_groupable,
    column_not_filterable,
    literal_not_allowed,
    predicate_compares_columns,
    function_not_allowed,
    aggregate_not_allowed,
    unit_not_allowed,
    unit_lost,
    join_not_allowed,
    join_required,
    join_repeats_rows,
    release_overlap,
    sql_too_large,
    rows_chosen,
    window_over_rows,
)

__all__ = ["RULES", "approve", "explained", "judge"]


def judge(plan: Plan | None, found: tuple[Finding, ...], policy: Policy, question: Question) -> Verdict:
    """The verdict on a query: what resolving it found, then every rule's findings about every dataset, each once."""
    findings = list(found)
    if plan is None:
        return Verdict(question, policy, None, tuple(findings), (), ())
    for rule in RULES:
        findings += [finding for finding in rule(plan, policy, question) if finding not in findings]
    datasets = tuple(dict.fromkeys(DatasetName(scan.dataset) for scan in scans(plan.root)))
    ordered = tuple(sorted(dict.fromkeys(findings), key=_place))
    return Verdict(question, policy, plan, ordered, datasets, receivers(plan, policy))


def explained(verdict: Verdict, findings: tuple[Finding, ...]) -> Verdict:
    """The refusal with the same findings, said better. ValueError: it is an approval, or they are others."""
    if verdict.approved or [f.code for f in findings] != [f.code for f in verdict.findings]:
        raise ValueError("an explanation changes no verdict")
    return replace(verdict, findings=findings)


def _place(finding: Finding) -> tuple[bool, int, int]:
    """Findings in the order of the text; those about the query as a whole come last."""
    at = finding.at
    return (True, 0, 0) if at is None else (False, at.line, at.position)
