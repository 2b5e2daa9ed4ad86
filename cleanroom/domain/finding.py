"""What a rule has to say about a query, and the verdict over it. A refusal is a value with every reason in it."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.domain.expression import Place
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.plan import Plan
from cleanroom.domain.policy import Policy, Template


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason for a refusal. `code` is stable; `hint` says what would be accepted. Never holds a data value.

    `rewrite` is the whole query changed a little, in a form that was judged and found approved.
    """

    code: str
    message: str
    dataset: DatasetName | None = None
    column: str | None = None
    at: Place | None = None
    hint: str | None = None
    rewrite: str | None = None


def shown(finding: Finding) -> dict[str, str | int]:
    """The finding as JSON has it, without its absent parts."""
    place = finding.at
    parts: dict[str, str | int | None] = {
        "code": finding.code,
        "message": finding.message,
        "dataset": finding.dataset,
        "column": finding.column,
        "line": None if place is None else place.line,
        "position": None if place is None else place.position,
        "hint": finding.hint,
        "rewrite": finding.rewrite,
    }
    return {name: value for name, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Notice:
    """What an answer may lack, told without telling whether it does. `code` is stable."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, and where: what rules may look at beside the plan and the policy.

    `template`: the one of the policy whose text the query is, because the broker took it from there; None for any text
    that was sent, be it the same.
    """

    runner: PartnerName
    collaboration: CollaborationName
    template: Template | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Made by `rules.judge` alone. No findings is the only approval there is.

    `plan` is None where the text did not parse. `datasets` are those the query names, `receivers` who may see the answer.
    """

    question: Question
    policy: Policy
    plan: Plan | None
    findings: tuple[Finding, ...]
    datasets: tuple[DatasetName, ...]
    receivers: tuple[PartnerName, ...]

    @property
    def approved(self) -> bool:
        return self.plan is not None and not self.findings
