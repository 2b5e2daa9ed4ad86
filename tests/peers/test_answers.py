"""What other projects ask and is accepted here can be answered, and both engines give the same answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanroom.broker import run
from cleanroom.domain.ports import Engine
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import read
from cleanroom.rules import approve
from tests.fixtures import rows
from tests.peers.cases import VARIABLE, corpora
from tests.peers.projects import PROJECTS
from tests.peers.rows import made_up
from tests.peers.verdicts import Judged, judge_all


@pytest.mark.parametrize("name", PROJECTS)
def test_both_engines_answer_every_accepted_query_alike(name: str, tmp_path: Path) -> None:
    folder = corpora()
    if folder is None:
        pytest.skip(f"{VARIABLE} names no folder of other projects' queries")
    peer = PROJECTS[name](folder / name)
    sources = made_up(peer.policy, tmp_path)
    memory = MemoryEngine({dataset: read(source) for dataset, source in sources.items()})
    accepted = {j.case.sql: j for j in judge_all(peer) if j.verdict.approved}
    engine = DuckDBEngine(EngineLimits(threads=1), scratch=tmp_path)
    try:
        found = {sql: answer(judged, engine, sources) for sql, judged in accepted.items()}
    finally:
        engine.close()
    assert found == {sql: answer(judged, memory, sources) for sql, judged in accepted.items()}
    assert sum(map(bool, found.values())) > len(found) / 2


def answer(judged: Judged, engine: Engine, sources: object) -> list[str]:
    """The released rows as text, floating point to nine digits, in no order."""
    released = run(approve(judged.verdict), engine, sources).rows  # type: ignore[arg-type]
    return sorted(repr([f"{v:.9g}" if isinstance(v, float) else v for v in row]) for row in rows(released))
