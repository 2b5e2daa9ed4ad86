"""The corpus under its strict rules: everyday queries are accepted and answered as the oracle does, attacks are refused."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from tests.fixtures import Fixture, cases

CORE = cases("analyst_core.yaml")
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
    assert (len(CORE), len(REJECTED), len(NEUTRALISED)) == (61, 171, 8)


@pytest.mark.parametrize("case", REJECTED, ids=lambda case: case["id"])
def test_an_attack_is_refused(case: dict[str, Any], fixture: Fixture) -> None:
    verdict = fixture.judge(case["sql"])
    assert not verdict.approved
    assert verdict.findings


@pytest.mark.parametrize("case", CORE, ids=lambda case: case["id"])
def test_an_everyday_query_is_answered_as_without_protection_less_the_small_groups(
    case: dict[str, Any], fixture: Fixture, tmp_path: Path
) -> None:
    ours = fixture.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
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
