"""Totals beside their parts: what is left after all shown parts is nobody or enough; crossing sets withhold nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from cleanroom.release import release
from tests.release.raw_tables import KEY, KINDS, PERSON, PLACE, ROWS, TOTAL, VIEWER, K, raw, step

FINER = replace(step(ROWS), finer=((KEY, PLACE),))
FINER_OF_TWO = replace(step(ROWS, units=(PERSON, VIEWER)), finer=((KEY, PLACE),))
DISTINCT = replace(step(ROWS, KINDS, TOTAL), finer=((KEY, PLACE),))
BESIDE = replace(step(ROWS), beside=((PLACE,),))
BOTH = replace(step(ROWS), finer=((KEY, PLACE),), beside=((PLACE,),))


@pytest.mark.parametrize(
    ("left", "shown"),
    [(0, True), (K, True), (K + 1, True), (1, False), (K - 1, False), (None, False), (-1, False)],
)
def test_what_the_shown_parts_leave_of_a_total_is_nobody_or_enough(left: int | None, shown: bool) -> None:
    assert release(raw(FINER, ["n0", "e0"], ("north", 900, 10 * K, left))).rows.num_rows == shown


@pytest.mark.parametrize("left", [*product((0, K - 1, K), repeat=2)], ids=str)
def test_the_rest_of_every_unit_counts(left: tuple[int, int]) -> None:
    table = raw(FINER_OF_TWO, ["n0", "n1", "e0", "e1"], ("north", 900, 10 * K, 10 * K, *left))
    assert release(table).rows.num_rows == (K - 1 not in left)


def test_a_total_of_few_is_not_shown_whatever_its_parts_leave() -> None:
    assert release(raw(FINER, ["n0", "e0"], ("north", 900, K - 1, 0))).rows.num_rows == 0


@pytest.mark.parametrize(
    ("least", "counted", "shown"),
    [
        (K, 4, True),
        (K + 1, 4, True),
        (None, 0, True),
        (K - 1, 4, False),
        (0, 4, False),
        (None, 4, False),
        (None, None, False),
    ],
)
def test_values_that_occur_in_the_same_parts_have_enough_people(
    least: int | None, counted: int | None, shown: bool
) -> None:
    row = ("north", 900, counted, 7, 10 * K, 0, least)
    (found,) = release(raw(DISTINCT, ["n0", "e0", "s14_0"], row)).rows.to_pylist()
    assert found == {"c10": "north", "c11": 900, "c14": counted if shown else None, "c12": 7}


@pytest.mark.parametrize(
    ("withheld", "shown"), [(0, True), (1, False), (2, False), (K, False), (None, False), (-1, False)]
)
def test_where_sets_of_keys_cross_no_group_of_either_is_withheld(withheld: int | None, shown: bool) -> None:
    assert release(raw(BESIDE, ["n0", "w"], ("north", 900, 10 * K, withheld))).rows.num_rows == shown


@pytest.mark.parametrize(
    ("left", "withheld", "shown"), [(0, 0, True), (K, 0, True), (K - 1, 0, False), (0, 1, False), (K, 1, False)]
)
def test_parts_and_crossing_sets_both_have_to_allow_a_row(left: int, withheld: int, shown: bool) -> None:
    table = raw(BOTH, ["n0", "e0", "w"], ("north", 900, 10 * K, left, withheld))
    assert release(table).rows.num_rows == shown


@pytest.mark.parametrize(
    ("viewers", "left", "shown"), [(0, 0, True), (K, 0, True), (K, K, True), (K - 1, 0, False), (2 * K, K - 1, False)]
)
def test_an_optional_source_has_nobody_or_enough_in_the_total_and_in_what_is_left(
    viewers: int, left: int, shown: bool
) -> None:
    private = replace(FINER_OF_TWO, optional=frozenset({VIEWER}))
    table = raw(private, ["n0", "n1", "e0", "e1"], ("north", 900, 10 * K, viewers, K, left))
    assert release(table).rows.num_rows == shown


@pytest.mark.parametrize(("needed", "shown"), [(K - 1, True), (K, True), (K + 1, False)])
def test_a_total_of_a_column_that_needs_more_is_empty_whatever_is_left(needed: int, shown: bool) -> None:
    for private, hidden in ((FINER, ["n0", "e0"]), (BESIDE, ["n0", "w"])):
        aggregate = replace(private.aggregate, measures=(ROWS, TOTAL))
        table = raw(
            replace(private, aggregate=aggregate, cell_minimums=((TOTAL, needed),)), hidden, ("n", 9, 7, 99 * K, 0)
        )
        assert release(table).rows.to_pylist() == [{"c10": "n", "c11": 9, "c12": 7 if shown else None}]
