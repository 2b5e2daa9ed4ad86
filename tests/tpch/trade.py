"""Generated trade data and its wide policy as the tests use them; the query texts, read where others keep them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from ruamel.yaml import YAML
from sqlglot import exp, parse_one

from cleanroom.broker import judge_query, run
from cleanroom.documents import read_folder
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy
from cleanroom.domain.ports import Engine, FileSource
from cleanroom.rules import approve
from tests.fixtures import request, rows

HERE = Path(__file__).parent
SCALE = "0.1"
"""15,000 customers, 150,000 orders: groups of every size, small ones among them."""


@dataclass(frozen=True)
class Expectation:
    """What is to become of one text. `units` is SQL for (a row's key columns, the least number of units behind it)."""

    query: str
    verdict: str
    because: str
    reason: str
    codes: tuple[str, ...] = ()
    minimum: int = 0
    units: str = ""

    @property
    def accepted(self) -> bool:
        return self.verdict == "accepted"


def expectations() -> tuple[Expectation, ...]:
    """All that tests/tpch/expectations.yaml says."""
    found: list[dict[str, Any]] = YAML(typ="safe", pure=True).load((HERE / "expectations.yaml").read_text())
    return tuple(Expectation(**{**entry, "codes": tuple(entry.get("codes", ()))}) for entry in found)


def text_of(query: str) -> str:
    """The text as its authors wrote it; the test is skipped where it is not at hand."""
    corpora = os.environ.get("CLEANROOM_PEER_CORPORA")
    if not corpora:
        pytest.skip("CLEANROOM_PEER_CORPORA does not name the folder that holds tpc/tpch_queries")
    path = Path(corpora) / "tpc" / "tpch_queries" / f"{query}.sql"
    if not path.is_file():
        pytest.skip("the folder that CLEANROOM_PEER_CORPORA names has no tpc/tpch_queries")
    return path.read_text()


@dataclass(frozen=True)
class Trade:
    """Three partners' data below `folder`, one folder each, and what they allow with it."""

    folder: Path
    policy: Policy

    def qualified(self, text: str) -> str:
        """The text with each table named after its owner, as the house names datasets; nothing else of it changed."""
        owners = {name.partition(".")[2]: name.partition(".")[0] for name in self.policy.datasets}
        tables = (table for table in parse_one(text, read="duckdb").find_all(exp.Table) if table.name in owners)
        for start, owner in sorted(((t.this.meta["start"], owners[t.name]) for t in tables), reverse=True):
            text = f"{text[:start]}{owner}.{text[start:]}"
        return text

    def judge(self, text: str) -> Verdict:
        return judge_query(request(self.qualified(text), "trade", "seller"), self.policy)

    def answer(self, text: str, engine: Engine) -> list[tuple[object, ...]]:
        """The released rows of an accepted text, in order."""
        verdict = self.judge(text)
        assert verdict.approved, verdict.findings
        sources = {
            name: FileSource(dataset, "parquet", (str(self.folder / dataset.partner / dataset.source),), "s")
            for name, dataset in self.policy.datasets.items()
        }
        try:
            return rows(run(approve(verdict), engine, sources).rows)
        finally:
            engine.close()

    def plain(self, sql: str) -> list[tuple[object, ...]]:
        """What the engine alone answers, with no protection at all, in order."""
        with duckdb.connect() as connection:
            for dataset in self.policy.datasets.values():
                path = self.folder / dataset.partner / dataset.source
                connection.execute(f"CREATE VIEW {path.stem} AS SELECT * FROM read_parquet('{path}')")
            return rows(connection.sql(sql).to_arrow_table())


def make_trade(folder: Path) -> Trade:
    """Generates the eight tables as Parquet, gives each partner its own, and reads the policy over them."""
    policy = read_folder(HERE / "policies").policy(CollaborationName("trade"))
    assert policy is not None
    generator = Path(sys.executable).parent / "tpchgen-cli"
    command = [str(generator), "parquet", "-q", "-s", SCALE, "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    for dataset in policy.datasets.values():
        (folder / dataset.partner).mkdir(exist_ok=True)
        shutil.move(folder / dataset.source, folder / dataset.partner / dataset.source)
    return Trade(folder, policy)
