"""Notices: what an answer may lack, told of the plan and the rules alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from cleanroom.api.results import type_name
from cleanroom.api.views import check_view
from cleanroom.broker import judge_query, run
from cleanroom.documents import read_folder
from cleanroom.domain.expression import Field
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.domain.steps import PrivateStep
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.rules import approve
from cleanroom.rules.notices import notices
from tests.fixtures import CORPUS, Fixture, cases, request

REGIONS = "SELECT region, COUNT(DISTINCT user_id) AS people FROM retailer.customers{where} GROUP BY region"
CONDITIONAL = (
    "SELECT {key}, COUNT(*), COUNT(*) FILTER (WHERE loyalty_tier = 'gold') FROM retailer.customers GROUP BY {key}"
)


@pytest.fixture(scope="module")
def advanced() -> Policy:
    """The corpus' wide rules."""
    folder = read_folder(CORPUS / "policies" / "strict"), read_folder(CORPUS / "policies" / "advanced")
    policy = dataclasses.replace(folder[1], datasets=folder[0].datasets).policy(CollaborationName("advanced"))
    assert policy is not None
    return policy


def codes(sql: str, policy: Policy) -> list[str]:
    verdict = judge_query(request(sql, policy.collaboration.name), policy)
    return [notice.code for notice in notices(approve(verdict))]


def step_of(sql: str, policy: Policy) -> PrivateStep:
    return approve(judge_query(request(sql, policy.collaboration.name), policy)).steps[0]


def told_of(step: PrivateStep, sql: str, policy: Policy) -> dict[str, str]:
    """The notices of the query were this its only step."""
    plan = approve(judge_query(request(sql, policy.collaboration.name), policy))
    return {n.code: n.message for n in notices(dataclasses.replace(plan, steps=(step,)))}


def test_an_answer_that_lacks_a_group_and_one_that_lacks_none_have_the_same_notices(
    small_fixture: Fixture, tmp_path: Path
) -> None:
    whole, lacking = REGIONS.format(where=" WHERE region = 'north'"), REGIONS.format(where="")
    answers = [small_fixture.answer(sql, DuckDBEngine(EngineLimits(), scratch=tmp_path)) for sql in (whole, lacking)]
    assert len(answers[0]) == len(small_fixture.plain(whole))
    assert len(answers[1]) < len(small_fixture.plain(lacking))
    told = [notices(approve(small_fixture.judge(sql))) for sql in (whole, lacking)]
    assert told[0] == told[1]
    assert [(n.code, n.message) for n in told[0]] == [
        ("threshold.standing", "Groups of fewer than 50 people are left out.")
    ]


def test_an_answer_with_an_empty_cell_and_one_without_have_the_same_notices(
    small_fixture: Fixture, advanced: Policy, tmp_path: Path
) -> None:
    answers, told = [], []
    for key in ("region", "loyalty_tier"):
        plan = approve(judge_query(request(CONDITIONAL.format(key=key), "advanced"), advanced))
        engine = DuckDBEngine(EngineLimits(), scratch=tmp_path)
        answers.append(run(plan, engine, small_fixture.sources()).rows.column(2).null_count)
        engine.close()
        told.append([n.code for n in notices(plan)])
    assert answers[0] == 0 < answers[1]
    assert told == [["threshold.standing", "cells.conditional"]] * 2


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM retailer.customers",
        REGIONS.format(where=""),
        "SELECT DISTINCT region FROM retailer.customers",
    ],
)
def test_a_plain_query_is_told_of_the_threshold_alone(sql: str, small_fixture: Fixture) -> None:
    assert codes(sql, small_fixture.policy) == ["threshold.standing"]


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        (
            "SELECT region, COUNT(DISTINCT c.user_id) AS people FROM retailer.customers AS c "
            "WHERE NOT EXISTS (SELECT 1 FROM retailer.orders AS o WHERE o.user_id = c.user_id) GROUP BY region",
            "removed.standing",
        ),
        (
            "SELECT region, COUNT(DISTINCT c.user_id) AS people, COUNT(DISTINCT o.user_id) AS buyers "
            "FROM retailer.customers AS c LEFT JOIN retailer.orders AS o ON c.user_id = o.user_id GROUP BY region",
            "matches.standing",
        ),
        ("SELECT region, COUNT(*) AS people FROM retailer.customers GROUP BY ROLLUP (region)", "totals.standing"),
        (
            "SELECT region, age_band, COUNT(*) FROM retailer.customers GROUP BY CUBE (region, age_band)",
            "groupings.standing",
        ),
    ],
)
def test_what_a_query_asks_decides_what_it_is_told(sql: str, code: str, advanced: Policy) -> None:
    assert code in codes(sql, advanced)


@pytest.mark.parametrize(
    ("small_groups", "words"),
    [
        (SmallGroups.DROP, "Groups of fewer than 50 people are left out."),
        (SmallGroups.BLANK, "The cells of groups of fewer than 50 people are empty."),
        (SmallGroups.POOL, "Groups of fewer than 50 people are merged into one row"),
    ],
)
def test_what_becomes_of_small_groups_is_told_as_it_is(
    small_groups: SmallGroups, words: str, small_fixture: Fixture
) -> None:
    sql = REGIONS.format(where="")
    step = dataclasses.replace(step_of(sql, small_fixture.policy), small_groups=small_groups)
    assert told_of(step, sql, small_fixture.policy)["threshold.standing"].startswith(words)


def test_a_cell_that_needs_more_people_is_told_with_its_number(small_fixture: Fixture) -> None:
    sql = REGIONS.format(where="")
    step = step_of(sql, small_fixture.policy)
    needs: tuple[tuple[Field, int], ...] = tuple((measure, 100) for measure in step.aggregate.measures)
    told = told_of(dataclasses.replace(step, cell_minimums=needs), sql, small_fixture.policy)
    assert "100 people" in told["cells.minimum"]


def test_a_refused_query_is_told_nothing(small_fixture: Fixture) -> None:
    shown = check_view(small_fixture.judge("SELECT notes FROM retailer.customers"))
    assert (shown["notices"], shown["output_columns"]) == ([], [])


@pytest.mark.parametrize("case", cases("analyst_core.yaml"), ids=lambda case: case["id"])
def test_check_tells_the_columns_that_the_result_has(
    case: dict[str, Any], small_fixture: Fixture, tmp_path: Path
) -> None:
    verdict = small_fixture.judge(case["sql"])
    engine = DuckDBEngine(EngineLimits(), scratch=tmp_path)
    result = run(approve(verdict), engine, small_fixture.sources()).rows
    engine.close()
    columns = [{"name": field.name, "type": type_name(field.type)} for field in result.schema]
    assert check_view(verdict)["output_columns"] == columns


def test_check_tells_names_that_are_taken_as_the_result_does(small_fixture: Fixture) -> None:
    shown = check_view(small_fixture.judge("SELECT region, COUNT(*) AS REGION FROM retailer.customers GROUP BY ALL"))
    assert [column["name"] for column in shown["output_columns"]] == ["region", "REGION_1"]
