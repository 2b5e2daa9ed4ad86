"""The corpus under its strict and its advanced rules: analysts' queries are accepted and answered right, attacks are refused."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.release import release
from cleanroom.rules import approve
from tests.fixtures import Fixture, cases
from tests.oracle import assert_answer_is_sound

CORE = cases("analyst_core.yaml")
ADVANCED = cases("analyst_advanced.yaml")
ATTACKS = [case for case in cases("attacks.yaml") if "sql" in case]
REJECTED = [case for case in ATTACKS if case["expect"] == "reject"]
NEUTRALISED = [case for case in ATTACKS if case["expect"] == "neutralise"]


def plainly(row: tuple[object, ...]) -> tuple[object, ...]:
    """The row with numbers of every type made comparable: to nine digits."""
    return tuple(_plainly(value) for value in row)


def _plainly(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value if not hasattr(value, "isoformat") else value.isoformat()[:10]
    number = float(value)
    return "nan" if math.isnan(number) else float(f"{number:.9g}")


def same(one: list[tuple[object, ...]], other: list[tuple[object, ...]]) -> bool:
    return sorted(map(repr, map(plainly, one))) == sorted(map(repr, map(plainly, other)))


def test_the_corpus_is_whole() -> None:
    assert (len(CORE), len(ADVANCED), len(REJECTED), len(NEUTRALISED)) == (61, 20, 171, 8)


@pytest.mark.parametrize("case", REJECTED, ids=lambda case: case["id"])
def test_an_attack_is_refused(case: dict[str, Any], fixture: Fixture) -> None:
    verdict = fixture.judge(case["sql"])
    assert not verdict.approved
    assert verdict.findings


@pytest.mark.parametrize("collaboration", ["strict", "advanced"])
@pytest.mark.parametrize("case", CORE, ids=lambda case: case["id"])
def test_an_everyday_query_is_answered_as_without_protection_less_the_small_groups(
    case: dict[str, Any], collaboration: str, fixture: Fixture, tmp_path: Path
) -> None:
    ours = fixture.under(collaboration).answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    plain = fixture.plain(case["sql"])
    missing = {repr(plainly(row)) for row in plain} - {repr(plainly(row)) for row in ours}
    assert ours
    assert {repr(plainly(row)) for row in ours} <= {repr(plainly(row)) for row in plain}
    assert all("atoll" in row for row in missing)
    assert not any("atoll" in row for row in ours)


@pytest.mark.parametrize("case", CORE, ids=lambda case: case["id"])
def test_an_everyday_query_is_answered_as_the_oracle_does(
    case: dict[str, Any], small_fixture: Fixture, tmp_path: Path
) -> None:
    ours = small_fixture.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    assert same(ours, small_fixture.answer(case["sql"], small_fixture.oracle))


def covers(shown: tuple[object, ...], true: tuple[object, ...]) -> bool:
    """Whether the shown row is the true one, cells that are withheld left out."""
    return all(one is None or one == other for one, other in zip(plainly(shown), plainly(true), strict=True))


@pytest.mark.parametrize("case", ADVANCED, ids=lambda case: case["id"])
def test_an_advanced_query_is_answered_as_without_protection_less_what_is_withheld(
    case: dict[str, Any], fixture: Fixture, tmp_path: Path
) -> None:
    dialect = case.get("dialect", "duckdb")
    ours = fixture.under("advanced").answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path), dialect)
    text = WITHOUT_THE_FEW.get(case["id"], case["sql"])
    plain = fixture.plain(sqlglot.transpile(text, read=dialect, write="duckdb")[0])
    assert all(any(covers(row, true) for true in plain) for row in ours)
    withheld = {row for row in plain if not any(covers(shown, row) for shown in ours)}
    assert len(withheld) == FEW.get(case["id"], 0)


FEW = {"V01": 2, "V05": 1, "V07": 4, "V17": 1, "V29": 5}
"""Advanced cases in which groups of fewer than fifty people are withheld: how many."""

WITHOUT_THE_FEW = {
    "V11": "SELECT region, COUNT(DISTINCT user_id), COUNT(DISTINCT user_id) * 100.0 / SUM(COUNT(DISTINCT user_id)) OVER ()"
    " FROM retailer.customers WHERE region <> 'atoll' GROUP BY region"
}
"""What a case means whose windows look at the released groups alone."""


@pytest.mark.parametrize("case", ADVANCED, ids=lambda case: case["id"])
def test_an_advanced_query_is_answered_as_the_oracle_does(
    case: dict[str, Any], small_fixture: Fixture, tmp_path: Path
) -> None:
    small, dialect = small_fixture.under("advanced"), case.get("dialect", "duckdb")
    ours = small.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path), dialect)
    assert same(ours, small.answer(case["sql"], small_fixture.oracle, dialect))


@pytest.mark.long
@pytest.mark.parametrize("case", CORE, ids=lambda case: case["id"])
def test_an_everyday_query_over_the_whole_fixture_is_answered_as_the_oracle_does(
    case: dict[str, Any], fixture: Fixture, tmp_path: Path
) -> None:
    ours = fixture.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    assert same(ours, fixture.answer(case["sql"], fixture.oracle))


@pytest.mark.parametrize("case", NEUTRALISED, ids=lambda case: case["id"])
def test_an_attack_that_runs_learns_of_no_small_group(
    case: dict[str, Any], small_fixture: Fixture, tmp_path: Path
) -> None:
    if not small_fixture.judge(case["sql"]).approved:
        return
    ours = small_fixture.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    assert same(ours, small_fixture.answer(case["sql"], small_fixture.oracle))
    assert not any("atoll" in row for row in ours)


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case["id"])
def test_an_attack_that_wide_rules_let_run_tells_of_nobody(case: dict[str, Any], small_fixture: Fixture) -> None:
    """No set of people behind what is shown, and no difference of two, is of one to forty-nine."""
    verdict = small_fixture.under("advanced").judge(case["sql"])
    if not verdict.approved or verdict.plan is None:
        return
    engine = small_fixture.oracle
    tables = {step.table: release(engine.run_private(step, {})) for step in approve(verdict).steps}
    assert_answer_is_sound(verdict, approve(verdict), small_fixture.data, tables)


@pytest.mark.parametrize("case", [*CORE, *ADVANCED], ids=lambda case: case["id"])
def test_an_analysts_query_under_wide_rules_tells_of_no_few_people(
    case: dict[str, Any], small_fixture: Fixture
) -> None:
    verdict = small_fixture.under("advanced").judge(case["sql"], dialect=case.get("dialect", "duckdb"))
    engine = small_fixture.oracle
    tables = {step.table: release(engine.run_private(step, {})) for step in approve(verdict).steps}
    assert_answer_is_sound(verdict, approve(verdict), small_fixture.data, tables)
