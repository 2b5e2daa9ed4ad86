"""A peer's cases → what is said of each on either side."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from cleanroom.broker import judge_query
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import PrincipalId, QueryId
from cleanroom.domain.query import Principal, QueryRequest, Role, everywhere
from tests.peers.cases import Case, Peer
from tests.peers.policies import COLLABORATION, RUNNER


@dataclass(frozen=True, slots=True)
class Judged:
    """A case with the verdict of this house."""

    case: Case
    verdict: Verdict

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(finding.code for finding in self.verdict.findings)


def judge_all(peer: Peer) -> tuple[Judged, ...]:
    """Every case of the peer, in order, judged under its metadata."""
    return tuple(Judged(case, judge_query(_request(case, peer), peer.policy)) for case in peer.cases)


def _request(case: Case, peer: Peer) -> QueryRequest:
    principal = Principal(PrincipalId(f"{RUNNER}/analyst"), RUNNER, everywhere(Role.ANALYST))
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    return QueryRequest(QueryId("q"), COLLABORATION, principal, case.sql, peer.dialect, now)
