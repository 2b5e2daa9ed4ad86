"""What other projects ask and is accepted here can be answered, and both engines give the same answer."""

from __future__ import annotations

from pathlib import Path

from cleanroom.broker import run
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.ports import Engine, FileSource
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import read
from cleanroom.rules import approve
from tests.fixtures import rows
from tests.peers.cases import Peer
from tests.peers.rows import made_up
from tests.peers.verdicts import Judged


def test_both_engines_answer_every_accepted_query_alike(peer: Peer, judged: tuple[Judged, ...], tmp_path: Path) -> None:
    sources = made_up(peer.policy, tmp_path)
    memory = MemoryEngine({dataset: read(source) for dataset, source in sources.items()})
    accepted = {j.case.sql: j for j in judged if j.verdict.approved}
    engine = DuckDBEngine(EngineLimits(threads=1), scratch=tmp_path)
    try:
        found = {sql: answer(j, engine, sources) for sql, j in accepted.items()}
    finally:
        engine.close()
    assert found == {sql: answer(j, memory, sources) for sql, j in accepted.items()}
    assert sum(map(bool, found.values())) > len(found) / 2


def answer(judged: Judged, engine: Engine, sources: dict[DatasetName, FileSource]) -> list[str]:
    """The released rows as text, floating point to nine digits, in no order."""
    named = {dataset: sources[dataset] for dataset in judged.verdict.datasets}
    released = run(approve(judged.verdict), engine, named).rows
    return sorted(repr([f"{v:.9g}" if isinstance(v, float) else v for v in row]) for row in rows(released))
