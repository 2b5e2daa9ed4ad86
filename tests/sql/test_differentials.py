"""Texts that readers of SQL disagree about: what is accepted means to us what it means to the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.domain.finding import Finding
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.sql import parse
from tests.fixtures import Fixture
from tests.test_corpus import plainly

FILE = Path(__file__).parents[1] / "attacks" / "cases" / "differentials.yaml"
CASES = list(YAML(typ="safe", pure=True).load(FILE.read_text()))
OURS_ALONE = ("{#", "'a' 'b'", "!true")  # the engine does not read these: nothing to compare with


@pytest.mark.parametrize(
    "sql",
    [
        case["sql"]
        for case in CASES
        if case["expect"] == "accepted" and not any(part in case["sql"] for part in OURS_ALONE)
    ],
)
def test_an_accepted_text_is_answered_as_the_engine_reads_it(sql: str, small_fixture: Fixture, tmp_path: Path) -> None:
    ours = small_fixture.answer(sql, DuckDBEngine(EngineLimits(), scratch=tmp_path))
    plain = {repr(plainly(row)) for row in small_fixture.plain(sql)}
    assert {repr(plainly(row)) for row in ours} <= plain


@pytest.mark.parametrize("case", [case for case in CASES if case["expect"] != "accepted"], ids=lambda case: case["sql"])
def test_a_refusal_names_no_text_of_the_parser(case: dict[str, Any], small_fixture: Fixture) -> None:
    for finding in small_fixture.judge(case["sql"]).findings:
        told = f"{finding.message} {finding.hint}"
        assert not any(word in told for word in ("sqlglot", "Expecting", "exp.", "Traceback", "Error"))


@pytest.mark.parametrize(
    ("sql", "line", "position"),
    [
        ("SELECT region,\n  COUNT(*)\nFROM retailer.customers\nWHERE notes = 'x'\nGROUP BY region", 4, 7),
        ("SELECT region, COUNT(*)\nFROM retailer.customers\n  WHERE 'ü' = region AND user_id = 4 GROUP BY 1", 3, 26),
        ("SELECT COUNT(*)\nFROM retailer.customers c\nJOIN nobody.knows x ON TRUE", 3, 13),
        ("SELECT COUNT(*)\n\n  , MAX(lifetime_value) FROM retailer.customers", 3, 9),
        ("SELECT\n\tregion || notes AS k, COUNT(*) FROM retailer.customers GROUP BY 1", 2, 12),
    ],
)
def test_a_finding_points_at_the_word(sql: str, line: int, position: int, small_fixture: Fixture) -> None:
    places = {(f.at.line, f.at.position) for f in small_fixture.judge(sql).findings if f.at is not None}
    assert (line, position) in places


def test_half_a_character_is_a_syntax_error() -> None:
    found = parse("SELECT '\udc80'")
    assert isinstance(found, Finding)
    assert found.code == "sql.syntax"
