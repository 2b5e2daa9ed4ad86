"""Queries of datasets whose owners let only approved templates run → template.required, template.not_approved."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.finding import Finding, Question
from cleanroom.domain.identifiers import DatasetName, PartnerName, owner_of
from cleanroom.domain.plan import Plan, scans
from cleanroom.domain.policy import Analyses, Policy


def template_required(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """A dataset whose owner writes `analyses: templates` is read by templates of the policy alone.

    Text that was sent is none, even where it says the same as one: what is agreed to is the template, with its types and
    bounds.
    """
    if question.template is not None:
        return
    for name in _read(plan):
        rule = policy.rules.get(name)
        if rule is not None and rule.analyses is Analyses.TEMPLATES:
            message = f"{name} may be read by approved templates alone."
            yield Finding("template.required", message, name, hint=_HINT)


def template_not_approved(plan: Plan, policy: Policy, question: Question) -> Iterator[Finding]:
    """Every owner of a dataset that a template reads has agreed to exactly its text, dialect and parameters."""
    if question.template is None:
        return
    missing: dict[PartnerName, list[DatasetName]] = {}
    for name in _read(plan):
        if owner_of(name) not in question.template.approvals:
            missing.setdefault(owner_of(name), []).append(name)
    for owner, names in missing.items():
        message = f"{owner} has not approved this template, which reads {', '.join(names)}."
        hint = f"A data owner or admin of {owner} approves the current version; any change of the text asks again."
        yield Finding("template.not_approved", message, names[0], hint=hint)


_HINT = "Ask one of the collaboration's templates by its name, or write one and have it approved."


def _read(plan: Plan) -> tuple[DatasetName, ...]:
    """Every dataset that the plan names, those of unused tables too, in order."""
    return tuple(dict.fromkeys(scan.dataset for root in (plan.root, *plan.unused) for scan in scans(root)))
