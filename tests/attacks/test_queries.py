"""Queries that try to get at one person: each ends as its case says, under the strict policy of the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from tests.fixtures import Fixture
from tests.test_corpus import same

FILES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


def _cases() -> list[Any]:
    read = YAML(typ="safe", pure=True)
    found = [(path.stem, number, case) for path in FILES for number, case in enumerate(read.load(path.read_text()))]
    return [pytest.param(case, id=f"{stem}-{number}") for stem, number, case in found]


@pytest.mark.parametrize("case", _cases())
def test_the_query_ends_as_its_case_says(case: dict[str, Any], small_fixture: Fixture) -> None:
    verdict = small_fixture.judge(case["sql"])
    codes = sorted({finding.code for finding in verdict.findings})
    assert codes == ([] if case["expect"] == "accepted" else sorted(case["expect"])), case["why"]


@pytest.mark.parametrize("case", [p for p in _cases() if p.values[0]["expect"] == "accepted"])
def test_what_is_accepted_runs_and_shows_no_small_group(
    case: dict[str, Any], small_fixture: Fixture, tmp_path: Path
) -> None:
    ours = small_fixture.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    assert same(ours, small_fixture.answer(case["sql"], small_fixture.oracle))
    assert not any("atoll" in row for row in ours)
