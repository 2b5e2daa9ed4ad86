"""A template's text beside its collaboration → the parameters it names, the datasets it reads, and what does not read in it."""

from __future__ import annotations

import datetime

from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import DatasetName, TemplateName
from cleanroom.domain.plan import scans
from cleanroom.domain.policy import Policy, Template
from cleanroom.sql.parameters import samples
from cleanroom.sql.parse import parse
from cleanroom.sql.resolve import Resolved, resolve

_SOME_MOMENT = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""Whether a text reads does not depend on when it is read."""
_OF_OTHERS = frozenset({"rule.row_filter"})


def template_names(template: Template) -> tuple[str, ...]:
    """Every `:name` of the text, once; none where it does not read."""
    parsed = parse(template.sql, template.dialect)
    return () if isinstance(parsed, Finding) else parsed.parameters


def reads(template: Template) -> bool:
    """Whether the text is a SELECT statement at all."""
    return not isinstance(parse(template.sql, template.dialect), Finding)


def template_findings(template: Template, policy: Policy) -> tuple[Finding, ...]:
    """What does not read in the text, with a sample of each declared parameter in its place."""
    found = _resolved(template, policy)
    findings = (found,) if isinstance(found, Finding) else found.findings
    return tuple(finding for finding in findings if finding.code not in _OF_OTHERS)


def template_datasets(template: Template, policy: Policy) -> tuple[DatasetName, ...]:
    """Every dataset of the collaboration that the text reads, by name; none where it does not read."""
    found = _resolved(template, policy)
    if isinstance(found, Finding) or found.plan is None:
        return ()
    roots = (found.plan.root, *found.plan.unused)
    return tuple(sorted({scan.dataset for root in roots for scan in scans(root)}))


def templates_read(policy: Policy) -> dict[TemplateName, tuple[DatasetName, ...]]:
    """What each template of the policy reads."""
    return {name: template_datasets(template, policy) for name, template in policy.templates.items()}


def _resolved(template: Template, policy: Policy) -> Resolved | Finding:
    parsed = parse(template.sql, template.dialect)
    if isinstance(parsed, Finding):
        return parsed
    return resolve(parsed, policy.for_runner(template.partner), _SOME_MOMENT, samples(template))
