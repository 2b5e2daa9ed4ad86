"""Each project and its cases, judged once for all tests; skipped, with the reason, where its queries are not here."""

from __future__ import annotations

import pytest

from tests.peers.cases import VARIABLE, Peer, corpora
from tests.peers.projects import PROJECTS
from tests.peers.verdicts import Judged, judge_all


@pytest.fixture(scope="session", params=PROJECTS)
def peer(request: pytest.FixtureRequest) -> Peer:
    folder = corpora()
    if folder is None:
        pytest.skip(f"{VARIABLE} names no folder of other projects' queries")
    return PROJECTS[request.param](folder / request.param)


@pytest.fixture(scope="session")
def judged(peer: Peer) -> tuple[Judged, ...]:
    return judge_all(peer)
