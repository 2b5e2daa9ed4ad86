"""Logged queries and two policies → what the one refuses that the other accepts. Pure: nothing is asked, spent or logged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cleanroom.broker import judge_query
from cleanroom.domain.policy import Policy
from cleanroom.domain.query import QueryRecord

MOST_QUERIES = 1_000


@dataclass(frozen=True, slots=True)
class Replayed:
    """A query that the two policies decide otherwise. `codes`: those of the findings of the one that refuses it, sorted."""

    query: QueryRecord
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a change of rules would have meant. `complete`: no query was left out because time ran out."""

    newly_refused: tuple[Replayed, ...] = ()
    newly_accepted: tuple[Replayed, ...] = ()
    unchanged: int = 0
    complete: bool = True

    @property
    def replayed(self) -> int:
        """How many queries were judged."""
        return len(self.newly_refused) + len(self.newly_accepted) + self.unchanged


@dataclass(slots=True)
class _Sorted:
    refused: list[Replayed] = field(default_factory=list)
    accepted: list[Replayed] = field(default_factory=list)
    unchanged: int = 0


def replay(records: Iterable[QueryRecord], now: Policy, then: Policy, may_go_on: Callable[[], bool]) -> Replay:
    """Each query judged afresh, as of its own submission, under the rules that hold `now` and those that would `then`.

    Begins no further query once `may_go_on` says no. What became of a query when it was asked does not matter.
    """
    found = _Sorted()
    complete = True
    for record in records:
        if not may_go_on():
            complete = False
            break
        _sort(record, refusing_codes(record, now), refusing_codes(record, then), found)
    return Replay(tuple(found.refused), tuple(found.accepted), found.unchanged, complete)


def refusing_codes(record: QueryRecord, policy: Policy) -> tuple[str, ...]:
    """Why the policy refuses the query: the codes of all findings, sorted, each once; none where it approves.

    A partner that is no member is told of no collaboration, as when it asks.
    """
    if not policy.collaboration.has(record.principal.partner):
        return ("name.unknown",)
    return tuple(sorted({finding.code for finding in judge_query(record.request(), policy).findings}))


def _sort(record: QueryRecord, before: tuple[str, ...], after: tuple[str, ...], found: _Sorted) -> None:
    if bool(before) == bool(after):
        found.unchanged += 1
    elif after:
        found.refused.append(Replayed(record, after))
    else:
        found.accepted.append(Replayed(record, before))
