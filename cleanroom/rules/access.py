"""Who asks and who receives → runner.not_allowed, receiver.none, rule.missing."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.plan import Plan, scans
from cleanroom.domain.policy import Ability, Policy


def runner_not_allowed(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every dataset's owner names the partner among its query runners, and the collaboration lets it query."""
    if not policy.collaboration.can(question.runner, Ability.QUERY):
        yield Finding(
            "runner.not_allowed",
            f"{question.runner} may not query in this collaboration.",
            hint="The collaboration's members grant the ability to query.",
        )
    for scan in scans(plan.root):
        rule = policy.rules.get(scan.dataset)
        if rule is not None and question.runner not in rule.query_runners:
            yield Finding(
                "runner.not_allowed",
                f"{question.runner} may not query {scan.dataset}.",
                scan.dataset,
                at=scan.at,
                hint="Its owner names the partners that may, in query_runners.",
            )


def rule_missing(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every dataset has an analysis rule here: without one nothing is allowed."""
    for scan in scans(plan.root):
        if scan.dataset not in policy.rules:
            yield Finding("rule.missing", f"{scan.dataset} has no analysis rule here.", scan.dataset, at=scan.at)


def receiver_none(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Someone may receive the answer: named by every dataset's owner and able to in the collaboration."""
    if not receivers(plan, policy):
        yield Finding(
            "receiver.none",
            "No partner may receive the result of this combination of datasets.",
            hint="Use datasets whose owners name a common result receiver.",
        )


def receivers(plan: Plan, policy: Policy) -> tuple[PartnerName, ...]:
    """The partners who may see the answer, by name."""
    able = {m.partner for m in policy.collaboration.members if Ability.RECEIVE_RESULTS in m.abilities}
    for scan in scans(plan.root):
        rule = policy.rules.get(scan.dataset)
        able &= rule.result_receivers if rule is not None else frozenset()
    return tuple(sorted(able))
