"""The 22 query texts of duckdb's tpch folder over three partners: each is accepted or refused as written down, and why."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from tests.tpch.trade import Expectation, Trade, expectations, text_of

PAGE = Path(__file__).parents[2] / "docs" / "tpch.md"
ALL = expectations()
ACCEPTED = [one for one in ALL if one.accepted]
REFUSED = [one for one in ALL if not one.accepted]
WHY = {"semantics", "language"}


def by_name(one: Expectation) -> str:
    return one.query


def test_every_text_has_its_expectation_and_every_refusal_its_ground() -> None:
    assert [one.query for one in ALL] == [f"q{number:02}" for number in range(1, 23)]
    assert {one.verdict for one in ALL} == {"accepted", "refused"}
    assert all(one.because in WHY and one.codes for one in REFUSED)
    assert all(one.minimum and one.units and not one.codes for one in ACCEPTED)


def test_the_page_has_the_table_of_the_expectations() -> None:
    rows = re.findall(r"^\| (q\d\d) \| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(one.query, shown(one), one.reason) for one in ALL]


def shown(one: Expectation) -> str:
    if one.accepted:
        return "accepted"
    return "refused: " + ", ".join(f"`{code}`" for code in one.codes)


@pytest.mark.parametrize("one", ALL, ids=by_name)
def test_only_names_of_tables_are_changed(one: Expectation, trade: Trade) -> None:
    text = text_of(one.query)
    qualified = trade.qualified(text)
    assert qualified != text
    assert re.sub(r"\b(seller|buyer|maker)\.", "", qualified) == text


@pytest.mark.parametrize("one", REFUSED, ids=by_name)
def test_a_text_is_refused_with_exactly_these_codes(one: Expectation, trade: Trade) -> None:
    verdict = trade.judge(text_of(one.query))
    assert sorted({finding.code for finding in verdict.findings}) == list(one.codes)


@pytest.mark.parametrize("one", ACCEPTED, ids=by_name)
def test_an_accepted_text_is_answered_as_by_the_engine_alone_less_exactly_the_small_groups(
    one: Expectation, trade: Trade, tmp_path: Path
) -> None:
    text = text_of(one.query)
    ours = [comparable(row) for row in trade.answer(text, DuckDBEngine(EngineLimits(), scratch=tmp_path))]
    units = {comparable(row[:-1]): row[-1] for row in trade.plain(one.units)}
    width = len(next(iter(units)))
    plain = [comparable(row) for row in trade.plain(text)]
    assert ours
    assert {row[:width] for row in plain} <= set(units)
    assert ours == [row for row in plain if enough(units[row[:width]], one.minimum)]


def enough(units: object, minimum: int) -> bool:
    assert isinstance(units, int)
    return units >= minimum


def comparable(row: tuple[object, ...]) -> tuple[object, ...]:
    """The row with numbers of every type made comparable: to nine digits."""
    return tuple(float(f"{float(value):.9g}") if isinstance(value, int | float | Decimal) else value for value in row)


def test_an_answer_by_the_name_of_a_table_that_holds_nobody_is_empty(trade: Trade, tmp_path: Path) -> None:
    by_nation = "SELECT n_name, COUNT(*) AS n FROM customer JOIN nation ON c_nationkey = n_nationkey GROUP BY n_name"
    assert len(trade.plain(by_nation)) == 25
    assert trade.answer(by_nation, DuckDBEngine(EngineLimits(), scratch=tmp_path)) == []


def test_small_groups_are_among_what_is_asked(trade: Trade) -> None:
    few = {one.query: sum(not enough(row[-1], one.minimum) for row in trade.plain(one.units)) for one in ACCEPTED}
    assert any(few.values())
