"""Columns that need more people than their dataset: the cell is empty where the row, or its own rows, have fewer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.domain.expression import Field
from cleanroom.release import release
from tests.release.raw_tables import OTHER, PERSON, ROWS, TOTAL, VIEWER, K, raw, step

M = 2 * K
PLAIN = replace(step(ROWS, TOTAL), cell_minimums=((TOTAL, M),))
TWO = replace(step(ROWS, TOTAL, units=(PERSON, VIEWER)), cell_minimums=((TOTAL, M),))
CELLS = replace(step(ROWS, TOTAL, OTHER, conditional={TOTAL: 0, OTHER: 0}), cell_minimums=((TOTAL, M),))


@pytest.mark.parametrize(("units", "shown"), [(M, True), (M + 1, True), (M - 1, False), (K, False)])
def test_a_cell_of_fewer_is_empty_and_its_row_stays(units: int, shown: bool) -> None:
    (row,) = release(raw(PLAIN, ["n0"], ("north", 900, 7, units))).rows.to_pylist()
    assert row == {"c10": "north", "c11": 900, "c12": 7 if shown else None}


@pytest.mark.parametrize("units", [K - 1, 0, None])
def test_a_row_of_too_few_is_not_shown_at_all(units: int | None) -> None:
    assert release(raw(PLAIN, ["n0"], ("north", 900, 7, units))).rows.num_rows == 0


@pytest.mark.parametrize("least", [1, K - 1, K])
def test_a_number_below_the_threshold_changes_nothing(least: int) -> None:
    private = replace(PLAIN, cell_minimums=((TOTAL, least),))
    assert release(raw(private, ["n0"], ("north", 900, 7, K))).rows.column("c12").to_pylist() == [7]
    assert release(raw(private, ["n0"], ("north", 900, 7, K - 1))).rows.num_rows == 0


@pytest.mark.parametrize(("units", "shown"), [(3 * K, True), (3 * K - 1, False)])
def test_of_several_numbers_the_greatest_holds(units: int, shown: bool) -> None:
    private = replace(PLAIN, cell_minimums=((TOTAL, M), (TOTAL, 3 * K), (ROWS, 1)))
    found = release(raw(private, ["n0"], ("north", 900, 7, units))).rows.column("c12").to_pylist()
    assert found == [7 if shown else None]


@pytest.mark.parametrize(
    ("people", "viewers", "shown"), [(M, M, True), (M, M - 1, False), (M - 1, M, False), (M, K, False)]
)
def test_every_source_has_that_many(people: int, viewers: int, shown: bool) -> None:
    found = release(raw(TWO, ["n0", "n1"], ("north", 900, 7, people, viewers))).rows.column("c12").to_pylist()
    assert found == [7 if shown else None]


@pytest.mark.parametrize(
    ("viewers", "shown"), [(0, True), (M, True), (1, False), (K, False), (M - 1, False), (None, False)]
)
@pytest.mark.parametrize("unasked", [frozenset(), frozenset({VIEWER})], ids=["asked", "unasked"])
def test_an_optional_source_has_nobody_or_that_many(
    viewers: int | None, shown: bool, unasked: frozenset[Field]
) -> None:
    private = replace(TWO, optional=frozenset({VIEWER}), unasked=unasked)
    found = release(raw(private, ["n0", "n1"], ("north", 900, 7, M, viewers))).rows.column("c12").to_pylist()
    assert (found == [7]) is shown


@pytest.mark.parametrize(("atom", "own", "shown"), [(M, M, True), (M, M - 1, False), (M - 1, M, False), (K, K, False)])
def test_a_conditional_cell_needs_that_many_of_its_own_and_in_what_it_leaves(atom: int, own: int, shown: bool) -> None:
    table = raw(CELLS, ["n0", "a0", "o0_0"], ("north", 900, 7, 8, 10 * K, atom, own))
    assert release(table).rows.to_pylist() == [{"c10": "north", "c11": 900, "c12": 7 if shown else None, "c13": 8}]


@pytest.mark.parametrize("number", [0, -1])
def test_a_number_that_asks_for_nobody_releases_nothing(number: int) -> None:
    with pytest.raises(ValueError, match="at least one unit"):
        release(raw(replace(PLAIN, cell_minimums=((TOTAL, number),)), ["n0"], ("north", 900, 7, K)))
