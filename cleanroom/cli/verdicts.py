"""A policy folder and a question → the verdict, as the server would give it, with ports that live in memory."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import MappingProxyType

from cleanroom.bootstrap import SystemClock
from cleanroom.broker import Broker
from cleanroom.client import Finding, Notice
from cleanroom.domain.errors import InvalidInput, NotFound
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId, QueryId, TemplateName
from cleanroom.domain.parameters import Parameters
from cleanroom.domain.policy import PolicyFolder, PolicyTestCase
from cleanroom.domain.query import Principal, QueryRequest, Role, everywhere
from cleanroom.rules import approve
from cleanroom.rules.notices import notices
from cleanroom.store.memory import MemoryPolicyBook, MemoryQueryLog


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case and what came of it. `codes`: those of the findings, sorted, each once; none: approved."""

    file: str
    case: PolicyTestCase
    codes: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return self.codes == tuple(sorted(set(self.case.expect or ())))


def verdict_on(
    folder: PolicyFolder,
    collaboration: CollaborationName,
    partner: PartnerName,
    sql: str,
    dialect: str = "duckdb",
    parameters: Parameters = MappingProxyType({}),
    template: TemplateName | None = None,
) -> Verdict:
    """What the broker says of the question. NotFound where the folder has no such collaboration, member or template,
    InvalidInput where the values are not those that the text asks for."""
    policies = tuple(policy for c in folder.collaborations if (policy := folder.policy(c.name)) is not None)
    clock = SystemClock()
    asker = Principal(PrincipalId(f"{partner}/check"), partner, everywhere(Role.ANALYST))
    request = QueryRequest(
        QueryId(uuid.uuid4().hex), collaboration, asker, sql, dialect, clock.now(), parameters, template
    )
    return Broker(MemoryPolicyBook(policies), MemoryQueryLog(), clock).check(request)


def outcomes(folder: PolicyFolder) -> tuple[Outcome, ...]:
    """Every case of every test in the folder, tried."""
    return tuple(_outcome(folder, test.collaboration, test.file, case) for test in folder.tests for case in test.cases)


def shown(verdict: Verdict) -> tuple[Finding, ...]:
    """The findings as the client has them."""
    return tuple(
        Finding(
            code=f.code,
            message=f.message,
            dataset=f.dataset,
            column=f.column,
            line=f.at.line if f.at else None,
            position=f.at.position if f.at else None,
            hint=f.hint,
            rewrite=f.rewrite,
        )
        for f in verdict.findings
    )


def may_lack(verdict: Verdict) -> tuple[Notice, ...]:
    """What the answer may lack, as the client has it; of a refused query nothing."""
    return tuple(Notice(n.code, n.message) for n in notices(approve(verdict))) if verdict.approved else ()


def _outcome(folder: PolicyFolder, collaboration: CollaborationName, file: str, case: PolicyTestCase) -> Outcome:
    try:
        verdict = verdict_on(folder, collaboration, case.runner, case.sql, case.dialect, case.parameters, case.template)
        findings = shown(verdict)
    except InvalidInput as error:
        findings = tuple(Finding(p.code, p.message, hint=p.hint) for p in error.problems)
    except NotFound as error:
        findings = (Finding(error.code, error.message),)
    return Outcome(file, case, tuple(sorted({f.code for f in findings})), findings)
