"""Sources that may have no match: none of their people or enough; and of those that nothing asks about, any number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.steps import PrivateStep
from cleanroom.release import release
from tests.release.raw_tables import KINDS, PERSON, ROWS, TOTAL, VIEWER, K, raw, step

OPTIONAL = frozenset({VIEWER})
ROW = replace(step(ROWS, units=(PERSON, VIEWER)), optional=OPTIONAL)
UNASKED = replace(ROW, unasked=OPTIONAL)
CELL = replace(step(ROWS, TOTAL, units=(PERSON, VIEWER), conditional={TOTAL: 0}), optional=OPTIONAL, unasked=OPTIONAL)
DISTINCT = replace(
    step(TOTAL, KINDS, units=(PERSON, VIEWER), conditional={TOTAL: 0}, distinct=(KINDS,)), optional=OPTIONAL
)


def shown(private: PrivateStep, people: int | None, viewers: int | None) -> bool:
    return bool(release(raw(private, ["n0", "n1"], ("north", 900, people, viewers))).rows.num_rows)


@pytest.mark.parametrize(
    ("people", "viewers", "expected"),
    [
        (K, 0, True),
        (K, K, True),
        (K, K + 1, True),
        (K, 1, False),
        (K, K - 1, False),
        (K, None, False),
        (K, -1, False),
        (0, K, False),
        (0, 0, False),
        (K - 1, 0, False),
    ],
)
def test_an_optional_source_has_nobody_in_the_row_or_enough(
    people: int | None, viewers: int | None, expected: bool
) -> None:
    assert shown(ROW, people, viewers) is expected


@pytest.mark.parametrize("viewers", [0, 1, K - 1, K, K + 1, None])
def test_a_row_that_nothing_asks_of_a_source_is_shown_whoever_is_in_it(viewers: int | None) -> None:
    assert shown(UNASKED, K, viewers)


@pytest.mark.parametrize("people", [0, 1, K - 1, None])
def test_a_source_that_is_not_asked_for_takes_no_demand_from_the_others(people: int | None) -> None:
    assert not shown(UNASKED, people, K)


# n0 n1 a0 o0_0 a1 o0_1
CELLS: list[tuple[list[int | None], bool]] = [
    ([K, K, K, K, K, K], True),
    ([2 * K, 0, K, K, None, 0], True),
    ([2 * K, K, K, K, K, 0], True),
    ([2 * K, K, K, K, K, K - 1], False),
    ([2 * K, K, K, K, K - 1, 0], False),
    ([2 * K, K - 1, K, K, K - 1, K - 1], False),
    ([2 * K, K - 1, K, K, K - 1, 0], False),
    ([2 * K, 1, K, K, None, 0], False),
    ([2 * K, None, K, K, None, 0], False),
    ([2 * K, 0, K, K, None, None], False),
    ([2 * K, 0, K - 1, K, None, 0], False),
    ([2 * K, 0, K, K - 1, None, 0], False),
    ([2 * K, 0, K, 0, None, 0], False),
    ([2 * K, 0, None, K, None, 0], False),
]


@pytest.mark.parametrize(("hidden", "expected"), CELLS, ids=str)
def test_a_conditional_cell_has_nobody_of_an_optional_source_or_enough(
    hidden: list[int | None], expected: bool
) -> None:
    table = raw(CELL, ["n0", "n1", "a0", "o0_0", "a1", "o0_1"], ("north", 900, 7, *hidden))
    assert release(table).rows.to_pylist() == [{"c10": "north", "c11": 900, "c12": 7 if expected else None}]


@pytest.mark.parametrize(
    ("required", "optional", "counted", "expected"),
    [
        (K, K, 4, True),
        (K, None, 4, True),
        (None, None, 0, True),
        (K, K - 1, 4, False),
        (K - 1, None, 4, False),
        (None, None, 4, False),
        (None, K, 4, False),
    ],
)
def test_a_class_of_values_may_have_nobody_of_an_optional_source(
    required: int | None, optional: int | None, counted: Value, expected: bool
) -> None:
    hidden = ["n0", "n1", "a0", "o0_0", "d14_0", "a1", "o0_1", "d14_1"]
    row = ("north", 7, counted, 2 * K, 2 * K, K, K, required, K, K, optional)
    found = release(raw(DISTINCT, hidden, row)).rows.column("c12").to_pylist()
    assert found == [7 if expected else None]
