"""Which cells leave: atoms, the cell's own people, the classes of distinct values, each on its boundary."""

from __future__ import annotations

import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.steps import PrivateStep
from cleanroom.release import release
from tests.release.raw_tables import KINDS, OTHER, PERSON, ROWS, TOTAL, VIEWER, K, raw, step

TWO_CELLS = step(ROWS, TOTAL, OTHER, conditional={TOTAL: 0, OTHER: 1})
TWO_UNITS = step(ROWS, TOTAL, units=(PERSON, VIEWER), conditional={TOTAL: 0})
DISTINCT = step(ROWS, TOTAL, KINDS, conditional={TOTAL: 0, KINDS: 1}, distinct=(KINDS,))
PLAIN_DISTINCT = step(ROWS, TOTAL, KINDS, conditional={TOTAL: 0}, distinct=(KINDS,))


def cells(private: PrivateStep, hidden: str, *row: Value) -> list[Value]:
    """The measures of the only row that is released."""
    table = release(raw(private, hidden.split(), ("north", *row))).rows
    (only,) = table.to_pylist()
    return [only[f"c{measure.id}"] for measure in private.aggregate.measures]


@pytest.mark.parametrize(("least", "shown"), [(K - 1, False), (K, True), (K + 1, True), (1, False), (None, False)])
def test_a_small_atom_withholds_every_conditional_cell_of_its_row(least: int | None, shown: bool) -> None:
    found = cells(TWO_CELLS, "n0 a0 o0_0 o1_0", 900, 7, 8, 3 * K, least, 2 * K, 2 * K)
    assert found == ([900, 7, 8] if shown else [900, None, None])


@pytest.mark.parametrize(("own", "shown"), [(K - 1, False), (K, True), (K + 1, True), (0, False), (None, False)])
def test_a_cell_needs_people_of_its_own_and_leaves_the_others_alone(own: int | None, shown: bool) -> None:
    found = cells(TWO_CELLS, "n0 a0 o0_0 o1_0", 900, 7, 8, 3 * K, K, own, 2 * K)
    assert found == [900, 7 if shown else None, 8]


def test_two_conditions_of_one_measure_both_have_to_hold() -> None:
    private = step(TOTAL, OTHER, conditional={TOTAL: 0, OTHER: 1})
    both = (*private.conditional, type(private.conditional[0])(TOTAL, 1))
    private = PrivateStep(
        private.table, private.aggregate, private.units, private.conditions, both, (), private.minimum_units
    )
    assert cells(private, "n0 a0 o0_0 o1_0", 7, 8, 3 * K, K, K, K - 1) == [None, None]


@pytest.mark.parametrize("short", ["a0", "a1", "o0_0", "o0_1"], ids=lambda name: f"one unit short in {name}")
def test_every_source_counts_for_a_conditional_cell(short: str) -> None:
    hidden = ["n0", "n1", "a0", "a1", "o0_0", "o0_1"]
    assert cells(TWO_UNITS, " ".join(hidden), 900, 7, *[K] * 6) == [900, 7]
    counts = [K - 1 if name == short else K for name in hidden]
    assert cells(TWO_UNITS, " ".join(hidden), 900, 7, *counts) == [900, None]


@pytest.mark.parametrize(
    ("least", "distinct", "shown"),
    [(K - 1, 4, False), (K, 4, True), (K + 1, 4, True), (None, 0, True), (None, 4, False), (None, None, False)],
)
def test_a_small_class_of_values_withholds_the_conditional_cells(
    least: int | None, distinct: int | None, shown: bool
) -> None:
    found = cells(DISTINCT, "n0 a0 o0_0 o1_0 d14_0", 900, 7, distinct, 3 * K, K, K, K, least)
    assert found == ([900, 7, distinct] if shown else [900, None, None])


def test_an_unconditional_distinct_count_is_left_alone() -> None:
    found = cells(PLAIN_DISTINCT, "n0 a0 o0_0 d14_0", 900, 7, 4, 3 * K, K, K, K - 1)
    assert found == [900, None, 4]


def test_a_row_that_is_dropped_takes_its_cells_with_it() -> None:
    hidden = ["n0", "a0", "o0_0", "o1_0"]
    table = raw(TWO_CELLS, hidden, ("north", 900, 7, 8, K - 1, K, K, K))
    assert release(table).rows.num_rows == 0


def test_cells_without_a_condition_need_no_atoms() -> None:
    assert cells(step(ROWS, TOTAL), "n0", 900, 7, K) == [900, 7]
