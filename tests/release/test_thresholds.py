"""Which rows leave: on, below and above the threshold, for one source and several."""

from __future__ import annotations

import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.steps import RawTable
from cleanroom.release import release
from tests.release.raw_tables import PERSON, ROWS, VIEWER, K, raw, step


def released_regions(table: RawTable) -> list[Value]:
    regions: list[Value] = release(table).rows.column("c10").to_pylist()
    return regions


@pytest.mark.parametrize(("units", "shown"), [(K - 1, False), (K, True), (K + 1, True), (0, False), (None, False)])
def test_a_row_leaves_from_exactly_the_threshold_on(units: int | None, shown: bool) -> None:
    table = raw(step(ROWS), ["n0"], ("north", 900, units))
    assert released_regions(table) == (["north"] if shown else [])


@pytest.mark.parametrize(
    ("people", "viewers", "shown"),
    [(K, K, True), (K, K - 1, False), (K - 1, K, False), (K, None, False), (None, K, False), (K + 1, 10 * K, True)],
)
def test_every_source_of_a_row_has_to_reach_the_threshold(people: int | None, viewers: int | None, shown: bool) -> None:
    table = raw(step(ROWS, units=(PERSON, VIEWER)), ["n0", "n1"], ("north", 900, people, viewers))
    assert released_regions(table) == (["north"] if shown else [])


def test_many_rows_of_few_people_do_not_leave() -> None:
    table = raw(step(ROWS), ["n0"], ("north", 1_000_000, K - 1))
    assert released_regions(table) == []


def test_a_threshold_of_one_still_needs_somebody() -> None:
    table = raw(step(ROWS, minimum_units=1), ["n0"], ("north", 0, 0), ("south", 1, 1))
    assert released_regions(table) == ["south"]


@pytest.mark.parametrize(("units", "rows"), [(0, 0), (K - 1, 0), (K, 1)])
def test_a_total_without_keys_is_a_group_like_any_other(units: int, rows: int) -> None:
    table = raw(step(ROWS, keys=()), ["n0"], (120, units))
    assert release(table).rows.num_rows == rows


def test_nothing_to_release_keeps_the_columns() -> None:
    empty = release(raw(step(ROWS), ["n0"])).rows
    assert empty.num_rows == 0
    assert empty.column_names == ["c10", "c11"]
