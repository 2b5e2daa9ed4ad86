"""Texts that readers of SQL disagree about: what is accepted means to us what it means to the engine."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.broker import judge_query
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import DatasetName
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.sql import DIALECTS, ParsedQuery, check_row_filter, parse, resolve
from tests.fixtures import Fixture, cases, request
from tests.sql.canonical import canonical
from tests.test_corpus import plainly

FILE = Path(__file__).parents[1] / "attacks" / "cases" / "differentials.yaml"
CASES = list(YAML(typ="safe", pure=True).load(FILE.read_text()))
ATTACKS = [case["sql"] for case in cases("attacks.yaml") if case["expect"] == "reject" and "sql" in case]
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


@pytest.mark.parametrize("dialect", [name for name in DIALECTS if name != "duckdb"])
def test_what_is_refused_in_one_dialect_is_refused_in_all_others(dialect: str, small_fixture: Fixture) -> None:
    refused = [case["sql"] for case in CASES if case["expect"] != "accepted"] + ATTACKS
    quoted = ("`region`", '"reg\u0131on"')  # a name there, or a text, where it is neither here
    accepted = [
        sql
        for sql in refused
        if judge_query(request(sql, dialect=dialect), small_fixture.policy).approved
        and not any(word in sql for word in quoted)
    ]
    assert accepted == []


@pytest.mark.parametrize(
    ("sql", "codes"),
    [
        ("SELECT COUNT(*) FROM retailer.customers WHERE signup_date >= CURRENT_DATE - INTERVAL 30 DAY", []),
        ("SELECT COUNT(*) FROM retailer.customers WHERE signup_date >= today() - 30", []),
        (
            "SELECT COUNT(*) FROM retailer.customers WHERE signup_date + INTERVAL 30 DAY >= CURRENT_DATE",
            ["column.not_filterable", "function.not_allowed"],
        ),
    ],
)
def test_a_moment_counted_from_today_is_judged_as_a_literal(sql: str, codes: list[str], small_fixture: Fixture) -> None:
    written = sql.replace("CURRENT_DATE - INTERVAL 30 DAY", "TIMESTAMP '2026-03-01 00:00:00'")
    written = written.replace("today() - 30", "DATE '2026-03-01'").replace("CURRENT_DATE", "DATE '2026-03-31'")
    found, literal = (small_fixture.judge(text).findings for text in (sql, written))
    assert [f.code for f in found] == [f.code for f in literal]
    assert {"function.not_allowed"} & {f.code for f in found} == {"function.not_allowed"} & set(codes)


def test_a_query_asked_again_with_its_time_has_the_same_plan(small_fixture: Fixture) -> None:
    sql = "SELECT COUNT(*) FROM retailer.customers WHERE signup_date >= CURRENT_DATE"
    parsed = parse(sql)
    assert isinstance(parsed, ParsedQuery)
    today = datetime.datetime(2026, 3, 31, 23, 59, tzinfo=datetime.UTC)
    first, again = (resolve(parsed, small_fixture.policy, today).plan for _ in range(2))
    later = resolve(parsed, small_fixture.policy, today + datetime.timedelta(minutes=1)).plan
    eastern = today.astimezone(datetime.timezone(datetime.timedelta(hours=9)))
    assert canonical(first) == canonical(again) == canonical(resolve(parsed, small_fixture.policy, eastern).plan)
    assert canonical(first) != canonical(later)


def test_a_row_filter_may_count_from_today(small_fixture: Fixture) -> None:
    dataset = small_fixture.policy.datasets[DatasetName("retailer.customers")]
    assert check_row_filter(dataset, "signup_date >= CURRENT_DATE - INTERVAL 1 YEAR") == ()
    assert check_row_filter(dataset, "signup_date >= CURRENT_DATE - INTERVAL 1 CENTURY")


def test_half_a_character_is_a_syntax_error() -> None:
    found = parse("SELECT '\udc80'")
    assert isinstance(found, Finding)
    assert found.code == "sql.syntax"
