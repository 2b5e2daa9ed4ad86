"""A query's way through the house: text → parse → resolve → judge → approve → run. Knows ports, no adapter."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cleanroom.audit.canonical import canonical_json
from cleanroom.domain.errors import InvalidInput, NotFound, OperationError, Problem, RequestError, SourceError
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.finding import Finding, Question, Verdict, shown
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.parameters import spelled
from cleanroom.domain.policy import Policy, Template
from cleanroom.domain.ports import Clock, Engine, PolicyBook, QueryLog, Source
from cleanroom.domain.query import IdempotencyKey, QueryRecord, QueryRequest, QueryState
from cleanroom.domain.steps import Claim, ExecutablePlan, ReleasedResult, ReleasedTable
from cleanroom.release import release
from cleanroom.rules import approve, explained, judge
from cleanroom.rules.notices import notices
from cleanroom.sql import ParsedQuery, parse, resolve
from cleanroom.sql.parameters import declared_parameters, named_parameters
from cleanroom.sql.rewrite import with_rewrites


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks under a policy: of a template, its text and the values in its declared types. Made by `ask` alone."""

    request: QueryRequest
    parsed: ParsedQuery | Finding
    template: Template | None


def ask(request: QueryRequest, policy: Policy) -> Asked:
    """The text that is asked, sent or of a template of the policy, with a value of the right type for each `:name`.

    Raises NotFound for a template that is not there, InvalidInput with problems parameter.missing, .unknown, .invalid.
    """
    template = None if request.template is None else policy.templates.get(request.template)
    if request.template is not None and template is None:
        raise NotFound("There is no template of that name here.")
    if template is not None:
        request = request.under(template.sql, template.dialect, request.parameters)
    parsed = parse(request.sql, request.dialect)
    if isinstance(parsed, Finding):
        return Asked(request, parsed, template)
    if problems := named_parameters(parsed.parameters, request.parameters):
        raise InvalidInput(problems)
    if template is not None:
        declared = declared_parameters(request.parameters, template)
        request = request.under(template.sql, template.dialect, declared)
    return Asked(request, parsed, template)


def judge_query(request: QueryRequest, policy: Policy) -> Verdict:
    """The verdict on the request under the policy as it holds for its runner, with every finding. Pure.

    Where the policy has no such template, or its parameters are others, that is a finding too.
    """
    try:
        return judge_asked(ask(request, policy), policy)
    except RequestError as error:
        question = Question(request.principal.partner, request.collaboration)
        return judge(None, _findings_of(error), policy.for_runner(request.principal.partner), question)


def judge_asked(asked: Asked, policy: Policy) -> Verdict:
    """The verdict on what is asked. Pure."""
    request, parsed = asked.request, asked.parsed
    policy = policy.for_runner(request.principal.partner)
    question = Question(request.principal.partner, request.collaboration, asked.template)
    if isinstance(parsed, Finding):
        return judge(None, (parsed,), policy, question)
    resolved = resolve(parsed, policy, request.submitted_at, request.parameters)
    return judge(resolved.plan, resolved.findings, policy, question)


def explain(verdict: Verdict, request: QueryRequest, policy: Policy) -> Verdict:
    """The verdict; of a refusal, each finding with a change of the text that was judged just so and found approved. Pure.

    A template's text is not the asker's to change, and stays as it is.
    """
    if verdict.approved or request.template is not None:
        return verdict

    def judged(sql: str) -> Verdict:
        return judge_query(request.saying(sql), policy)

    return explained(verdict, with_rewrites(request.sql, request.dialect, verdict.findings, policy, judged))


def prepare(record: QueryRecord, policy: Policy) -> ExecutablePlan:
    """What may run for an approved query, judged again under the policy versions it is pinned to.

    Raises OperationError "query.not_approved" where that verdict is no approval.
    """
    verdict = judge_query(record.request(), policy)
    if not verdict.approved:
        raise OperationError("The query is not approved under the rules it was pinned to.", "query.not_approved")
    return approve(verdict)


def run(
    plan: ExecutablePlan,
    engine: Engine,
    sources: Mapping[DatasetName, Source],
    known: frozenset[Claim] = frozenset(),
) -> ReleasedResult:
    """The released result: claims checked, private steps run, their tables released, the last step over those alone.

    `known` are claims already found to hold on these very snapshots. Raises BrokenClaims, SourceError, EngineError.
    """
    broken = engine.broken([claim for claim in plan.claims if claim not in known], sources)
    if broken:
        raise BrokenClaims(broken)
    tables: dict[str, ReleasedTable] = {}
    for step in plan.steps:
        tables[step.table] = release(engine.run_private(step, sources))
    return engine.run_final(plan.final, tables)


class BrokenClaims(SourceError):
    """An owner's document promises what its data does not keep: a matter between the owner and its data."""

    code = "source.claim_broken"

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        super().__init__("A dataset's data does not keep what its document promises; its owner can see what.")
        self.claims = claims


@dataclass(frozen=True, slots=True)
class Broker:
    """Judges requests and makes them durable. Every answer is in the log before it is given."""

    book: PolicyBook
    log: QueryLog
    clock: Clock

    def check(self, request: QueryRequest) -> Verdict:
        """The verdict, and nothing more: no data is read. Raises NotFound where the collaboration is not the asker's."""
        self.log.admit(request.principal, request.submitted_at)
        request, verdict = self._judged(request)
        self.log.checked(_event(EventKind.QUERY_CHECKED, request, verdict))
        return verdict

    def submit(self, request: QueryRequest, key: str | None = None) -> QueryRecord:
        """The query, rejected with its findings or queued under the rule versions it was approved by.

        Under a `key` that its principal has used for the same request: the query of that time, as it stands, whose id is
        not this request's. InvalidInput "idempotency.mismatch" where it was another request; QuotaExceeded.
        """
        named = None if key is None else IdempotencyKey(key, digest_of(request))
        if named is not None:
            earlier = self.log.earlier(request.principal, request.collaboration, named, request.submitted_at)
            if earlier is not None:
                return earlier
        self.log.admit(request.principal, request.submitted_at)
        request, verdict = self._judged(request)
        kind = EventKind.QUERY_APPROVED if verdict.approved else EventKind.QUERY_REJECTED
        record = QueryRecord(
            id=request.id,
            collaboration=request.collaboration,
            principal=request.principal,
            sql=request.sql,
            dialect=request.dialect,
            state=QueryState.QUEUED if verdict.approved else QueryState.REJECTED,
            submitted_at=request.submitted_at,
            findings=verdict.findings,
            datasets=verdict.datasets,
            receivers=verdict.receivers,
            versions=_pinned(request, verdict.policy),
            finished_at=None if verdict.approved else self.clock.now(),
            notices=notices(approve(verdict)) if verdict.approved else (),
            parameters=request.parameters,
            template=request.template,
        )
        return self.log.submit(record, _event(kind, request, verdict), named)

    def _judged(self, request: QueryRequest) -> tuple[QueryRequest, Verdict]:
        """The request as it is asked under the rules that hold now, and the verdict on it, explained."""
        policy = self._policy(request)
        asked = ask(request, policy)
        return asked.request, explain(judge_asked(asked, policy), asked.request, policy)

    def _policy(self, request: QueryRequest) -> Policy:
        policy = self.book.policy(request.collaboration)
        if policy is None or not policy.collaboration.has(request.principal.partner):
            raise NotFound("There is no such collaboration.")
        return policy


def digest_of(request: QueryRequest) -> str:
    """ "sha256:<hex>" of what the request asks, whoever asks it and whenever, in its canonical form (RFC 8785)."""
    asked: dict[str, Json] = {
        "sql": request.sql,
        "dialect": request.dialect,
        "parameters": {name: dict(value) for name, value in spelled(request.parameters).items()},
        "template": request.template,
    }
    return f"sha256:{hashlib.sha256(canonical_json(asked)).hexdigest()}"


def _findings_of(error: RequestError) -> tuple[Finding, ...]:
    """What cannot be asked, as findings."""
    problems = error.problems if isinstance(error, InvalidInput) else (Problem(error.code, error.message),)
    return tuple(Finding(problem.code, problem.message, hint=problem.hint) for problem in problems)


def _event(kind: EventKind, request: QueryRequest, verdict: Verdict) -> Event:
    """What the log keeps of a verdict: the text asked and with which values, the rule versions, every finding."""
    data: dict[str, Json] = {
        "sql": request.sql,
        "dialect": request.dialect,
        "parameters": {name: dict(value) for name, value in spelled(request.parameters).items()},
        "template": request.template,
        "versions": dict(_pinned(request, verdict.policy)),
        "findings": [_logged(finding) for finding in verdict.findings],
        "receivers": list(verdict.receivers),
    }
    return Event(
        kind,
        request.submitted_at,
        request.principal.partner,
        request.principal.id,
        request.collaboration,
        request.id,
        verdict.datasets,
        data,
    )


def _pinned(request: QueryRequest, policy: Policy) -> dict[str, int]:
    """The versions that the query is held to: of templates, that of its own alone."""
    own = f"template:{request.collaboration}/{request.template}"
    return {key: version for key, version in policy.versions.items() if not key.startswith("template:") or key == own}


def _logged(finding: Finding) -> Json:
    """What was refused, of what; how to ask instead is for the asker."""
    return {name: value for name, value in shown(finding).items() if name in ("code", "message", "dataset", "column")}
