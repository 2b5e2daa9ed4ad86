"""A refused text and its findings → the same text changed a little, in a form that the caller's judge approves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from cleanroom.domain.finding import Finding, Verdict
from cleanroom.domain.policy import Policy
from cleanroom.sql import rewrite_aggregates as aggregates
from cleanroom.sql import rewrite_conditions as conditions
from cleanroom.sql import rewrite_keys as keys
from cleanroom.sql import rewrite_names as names
from cleanroom.sql import rewrite_rows as rows
from cleanroom.sql.dialects import DIALECTS
from cleanroom.sql.parse import parse
from cleanroom.sql.rewrite_dates import written
from cleanroom.sql.rewrite_draft import Draft, places_in

MOST_CANDIDATES = 6
MOST_ROUNDS = 3
MOST_BYTES = 8_192
MOST_FINDINGS = 32
HOPELESS = frozenset(
    {
        "sql.syntax",
        "sql.too_large",
        "sql.dialect",
        "runner.not_allowed",
        "receiver.none",
        "rule.missing",
        "rule.row_filter",
    }
)

Change = Callable[[Draft], bool]
"""Changes the draft's tree by one idea; False where the idea does not apply, and the tree is then as it was."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """An idea against findings of a code. `remark` tells the analyst what the change means, where that is not plain.

    `first`: only against what was found in the analyst's own text, never in a candidate. `whole`: it may answer other
    findings of the code too, which therefore wait for the next round.
    """

    code: str
    change: Change
    remark: str | None = None
    first: bool = False
    whole: bool = False


_LEFT_OUT = "The rewrite leaves it out."
_UNCONDITIONAL = "The rewrite asks without this condition."

PROPOSALS: tuple[Proposal, ...] = (
    Proposal("name.unknown", names.nearest_dataset),
    Proposal("name.unknown", names.nearest_column),
    Proposal("output.not_aggregate", rows.open_star),
    Proposal("output.not_aggregate", rows.count_groups, "The rewrite asks for groups and how many people each has."),
    Proposal("output.not_aggregate", rows.drop_people, "The rewrite leaves out the keys that tell people apart."),
    Proposal("output.not_aggregate", rows.group_output),
    Proposal("rows.chosen", rows.drop_choice, _LEFT_OUT),
    Proposal("column.not_groupable", keys.cut_key),
    Proposal("column.not_groupable", keys.drop_column, _LEFT_OUT),
    Proposal("function.not_allowed", keys.take_off_function),
    Proposal("function.not_allowed", keys.drop_column, _LEFT_OUT),
    Proposal("function.not_allowed", conditions.take_off_case),
    Proposal("function.not_allowed", conditions.drop_condition, _UNCONDITIONAL, first=True),
    Proposal("column.not_filterable", conditions.whole_grains, "The rewrite asks for whole periods, at both ends."),
    Proposal("column.not_filterable", conditions.drop_condition, _UNCONDITIONAL, first=True),
    Proposal("predicate.compares_columns", conditions.drop_condition, _UNCONDITIONAL, first=True),
    Proposal("column.blocked", keys.drop_column, _LEFT_OUT),
    Proposal("column.blocked", conditions.drop_condition, _UNCONDITIONAL, first=True),
    Proposal("aggregate.not_allowed", aggregates.condition_to_where, whole=True),
    Proposal("aggregate.not_allowed", aggregates.count_rows),
    Proposal("aggregate.not_allowed", aggregates.count_people, "The rewrite counts people."),
    Proposal("aggregate.not_allowed", aggregates.average, "The rewrite asks for the average."),
    Proposal("aggregate.not_allowed", aggregates.drop_aggregate, _LEFT_OUT),
    Proposal("aggregate.not_allowed", aggregates.average_instead, "The rewrite asks for the average instead."),
    Proposal("window.over_rows", aggregates.drop_aggregate, _LEFT_OUT),
    Proposal("join.not_allowed", names.listed_join, "The rewrite joins on columns that both owners list."),
    Proposal("join.required", names.required_join, "The rewrite asks of those alone who are in both datasets."),
    Proposal("join.required", names.required_audience, "The rewrite asks of those alone who are in both datasets."),
    Proposal("join.repeats_rows", names.audience, "The rewrite takes each row once, however often it would be joined."),
    Proposal("join.repeats_rows", aggregates.drop_aggregate, _LEFT_OUT),
    Proposal("join.repeats_rows", aggregates.people_instead, "The rewrite counts people instead."),
)


@dataclass(frozen=True, slots=True)
class _Query:
    """What the proposals start from: the text, how it is read, and what was found in it."""

    sql: str
    dialect: str
    findings: tuple[Finding, ...]
    policy: Policy
    parameters: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A text to be judged, and the remark of each finding that took part. `rounds` led to it; 0: not to be led further."""

    sql: str
    remarks: tuple[tuple[Finding, str | None], ...]
    rounds: int


def with_rewrites(
    sql: str, dialect: str, findings: tuple[Finding, ...], policy: Policy, judged: Callable[[str], Verdict]
) -> tuple[Finding, ...]:
    """The findings, each with the first candidate that is approved: it answers all of them. None is: as they were.

    At most MOST_CANDIDATES texts are judged: the first proposal of every finding together and what is then still found,
    up to MOST_ROUNDS times; the last of every finding together; then each proposal alone.
    """
    if len(sql) > MOST_BYTES or len(findings) > MOST_FINDINGS or any(finding.code in HOPELESS for finding in findings):
        return findings
    parsed = parse(sql, dialect)
    names = frozenset() if isinstance(parsed, Finding) else frozenset(parsed.parameters)
    query = _Query(sql, dialect, findings, policy, names)
    try:
        found = _approved(query, judged)
    except RecursionError:
        return findings
    if found is None:
        return findings
    later = tuple(remark for of, remark in found.remarks if of not in findings)
    return tuple(_rewritten(finding, found, later) for finding in findings)


def _approved(query: _Query, judged: Callable[[str], Verdict]) -> _Candidate | None:
    waiting: deque[Iterator[_Candidate]] = deque([_together(query, (), 1)])
    waiting += [_together(query, (), 0), _alone(query)] if len(query.findings) > 1 else [_alone(query)]
    tried = {query.sql}
    while waiting and len(tried) <= MOST_CANDIDATES:
        candidate = next(waiting[0], None)
        if candidate is None:
            waiting.popleft()
        elif candidate.sql not in tried:
            tried.add(candidate.sql)
            verdict = judged(candidate.sql)
            if verdict.approved:
                return candidate
            if 0 < candidate.rounds < MOST_ROUNDS and not any(f.code in HOPELESS for f in verdict.findings):
                again = replace(query, sql=candidate.sql, findings=verdict.findings)
                waiting.appendleft(_together(again, candidate.remarks, candidate.rounds + 1))
    return None


def _together(query: _Query, before: tuple[tuple[Finding, str | None], ...], rounds: int) -> Iterator[_Candidate]:
    """One candidate: for each finding, in order, the first proposal that applies to what those before it made; where no
    `rounds` lead to it, the last."""
    draft = _draft(query)
    took: list[tuple[Finding, Proposal]] = []
    for finding in query.findings if draft is not None else ():
        if not any(_is_answered(finding, *step) for step in took):
            proposals = PROPOSALS if rounds else PROPOSALS[::-1]
            found = next((p for p in proposals if _applies(p, draft, finding, first=rounds <= 1)), None)
            took += [(finding, found)] if found is not None else []
    remarks = (*before, *((finding, proposal.remark) for finding, proposal in took))
    if draft is not None and took and (text := _text(draft.tree, query)) is not None:
        yield _Candidate(text, remarks, rounds)


def _is_answered(finding: Finding, earlier: Finding, proposal: Proposal) -> bool:
    """Whether what was done against the earlier finding may be all that this one needs, said of another dataset perhaps."""
    return finding.code == earlier.code and (proposal.whole or finding.at == earlier.at)


def _alone(query: _Query) -> Iterator[_Candidate]:
    """A candidate for every proposal by itself."""
    draft = _draft(query)
    for finding in query.findings:
        for proposal in PROPOSALS:
            if _applies(proposal, draft, finding, first=True):
                if draft is not None and (text := _text(draft.tree, query)) is not None:
                    yield _Candidate(text, ((finding, proposal.remark),), 0)
                draft = _draft(query)


def _draft(query: _Query) -> Draft | None:
    parsed = parse(query.sql, query.dialect)
    return (
        None
        if isinstance(parsed, Finding)
        else Draft(parsed.tree, places_in(parsed.tree), query.policy, query.findings[0])
    )


def _applies(proposal: Proposal, draft: Draft | None, finding: Finding, *, first: bool) -> bool:
    """Whether the proposal has changed the draft because of the finding."""
    if draft is None or proposal.code != finding.code or (proposal.first and not first):
        return False
    return proposal.change(replace(draft, finding=finding))


def _text(draft: exp.Expr, query: _Query) -> str | None:
    """The draft as SQL, over several lines where the analyst's text was; None where the dialect has no words for it, or
    where it lacks a parameter: the values that were sent with the text are to fit the rewrite too."""
    if {str(node.this) for node in draft.find_all(exp.Placeholder)} != query.parameters:
        return None
    for parameter in list(draft.find_all(exp.Placeholder)):
        parameter.replace(exp.Var(this=f":{parameter.this}"))
    for cast in list(draft.find_all(exp.Cast)):
        cast.replace(written(cast))
    try:
        reader = DIALECTS[query.dialect].reader
        return draft.sql(dialect=reader, pretty="\n" in query.sql, unsupported_level=ErrorLevel.RAISE)
    except (UnsupportedError, ValueError):
        return None


def _rewritten(finding: Finding, found: _Candidate, later: tuple[str | None, ...]) -> Finding:
    """The finding with the text, and in its hint what the text means, for this and for what came to light `later`."""
    own = tuple(remark for of, remark in found.remarks if of == finding)
    told = dict.fromkeys(part for part in (finding.hint, *own, *later) if part)
    return replace(finding, hint=" ".join(told) or None, rewrite=found.sql)
