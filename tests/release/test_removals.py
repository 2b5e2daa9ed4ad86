"""Whom an anti-join took away: a row is shown where they are nobody or enough, of every unit of every anti-join."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from cleanroom.domain.steps import Removal
from cleanroom.release import release
from tests.release.raw_tables import KEY, PERSON, ROWS, SCAN, VIEWER, K, raw, step

ONE = replace(step(ROWS), removals=(Removal(SCAN, (KEY,), (PERSON,)),))
TWO = replace(step(ROWS), removals=(Removal(SCAN, (KEY,), (PERSON, VIEWER)), Removal(SCAN, (), (PERSON,))))


@pytest.mark.parametrize(
    ("removed", "shown"),
    [(0, True), (K, True), (K + 1, True), (1, False), (K - 1, False), (None, False), (-1, False)],
)
def test_nobody_was_taken_away_or_enough(removed: int | None, shown: bool) -> None:
    assert release(raw(ONE, ["n0", "r0_0"], ("north", 900, 10 * K, removed))).rows.num_rows == shown


@pytest.mark.parametrize("counts", [*product((0, K - 1, K), repeat=3)], ids=str)
def test_every_unit_of_every_anti_join_counts(counts: tuple[int, int, int]) -> None:
    table = raw(TWO, ["n0", "r0_0", "r0_1", "r1_0"], ("north", 900, K, *counts))
    assert release(table).rows.num_rows == (K - 1 not in counts)


@pytest.mark.parametrize("units", [0, K - 1, None])
def test_those_taken_away_do_not_stand_in_for_those_who_are_there(units: int | None) -> None:
    assert release(raw(ONE, ["n0", "r0_0"], ("north", 900, units, 10 * K))).rows.num_rows == 0


def test_each_row_stands_for_itself() -> None:
    rows = [("north", 1, K, 0), ("south", 2, K, 1), ("west", 3, K, K)]
    assert release(raw(ONE, ["n0", "r0_0"], *rows)).rows.column("c10").to_pylist() == ["north", "west"]
