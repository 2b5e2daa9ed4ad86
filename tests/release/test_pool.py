"""Groups of too few as one row: shown where they are at least two groups and enough people of every source together."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import RawTable
from cleanroom.release import release
from tests.release.raw_tables import KEY, PERSON, ROWS, TOTAL, VIEWER, K, raw, step

POOL = replace(step(ROWS), small_groups=SmallGroups.POOL)
POOL_OF_TWO = replace(step(ROWS, units=(PERSON, VIEWER)), small_groups=SmallGroups.POOL)
POOL_CELLS = replace(step(ROWS, TOTAL, conditional={TOTAL: 0}), small_groups=SmallGroups.POOL)


@pytest.mark.parametrize(
    ("units", "pooled", "shown"),
    [
        (K, 2, True),
        (K + 1, 3, True),
        (K, 1, False),
        (10 * K, 1, False),
        (K - 1, 2, False),
        (K - 1, 20, False),
        (0, 2, False),
        (None, 2, False),
        (K, None, False),
        (K, -1, False),
    ],
)
def test_a_pool_holds_two_groups_and_enough_people(units: int | None, pooled: int | None, shown: bool) -> None:
    assert release(raw(POOL, ["n0", "p"], (None, 900, units, pooled))).rows.num_rows == shown


@pytest.mark.parametrize(("viewers", "shown"), [(K, True), (K - 1, False), (0, False), (None, False)])
def test_a_pool_has_enough_of_every_source(viewers: int | None, shown: bool) -> None:
    assert release(raw(POOL_OF_TWO, ["n0", "n1", "p"], (None, 900, K, viewers, 2))).rows.num_rows == shown


@pytest.mark.parametrize(("viewers", "shown"), [(K, True), (K - 1, False), (1, False), (0, True), (None, False)])
def test_a_pool_has_nobody_of_an_optional_source_or_enough(viewers: int | None, shown: bool) -> None:
    private = replace(POOL_OF_TWO, optional=frozenset({VIEWER}))
    assert release(raw(private, ["n0", "n1", "p"], (None, 900, K, viewers, 2))).rows.num_rows == shown


@pytest.mark.parametrize(("units", "shown"), [(K, True), (K - 1, False)])
def test_a_group_of_its_own_is_judged_as_ever(units: int, shown: bool) -> None:
    assert release(raw(POOL, ["n0", "p"], ("north", 900, units, 0))).rows.num_rows == shown


@pytest.mark.parametrize(("own", "shown"), [(K, True), (K - 1, False)])
def test_conditional_cells_of_a_pool_are_judged_as_any(own: int, shown: bool) -> None:
    table = raw(POOL_CELLS, ["n0", "a0", "o0_0", "p"], (None, 900, 7, 10 * K, K, own, 2))
    assert release(table).rows.column("c12").to_pylist() == [7 if shown else None]


def test_the_pool_comes_after_the_group_whose_keys_are_null_wherever_it_was_found() -> None:
    rows: list[tuple[Value, ...]] = [(None, 1, K, 2), (None, 2, K, 0), ("north", 3, K, 0)]
    for found in (rows, rows[::-1]):
        assert release(raw(POOL, ["n0", "p"], *found)).rows.column("c11").to_pylist() == [3, 2, 1]


@pytest.mark.parametrize("pooled", [1, 2, -1, None])
def test_a_pool_that_still_names_a_group_releases_nothing(pooled: int | None) -> None:
    with pytest.raises(ValueError, match="c10") as error:
        release(raw(POOL, ["n0", "p"], ("secret", 900, K, pooled), ("north", 900, K, 0)))
    assert "secret" not in str(error.value)


def test_several_pools_release_nothing() -> None:
    with pytest.raises(ValueError, match="several"):
        release(raw(POOL, ["n0", "p"], (None, 900, K, 2), (None, 901, K, 2)))


def test_a_missing_count_of_pooled_groups_releases_nothing() -> None:
    table = raw(POOL, ["n0", "p"], ("north", 900, K, 0))
    with pytest.raises(ValueError, match="columns p"):
        release(RawTable(POOL, table.rows.drop_columns(["p"])))


def test_a_key_that_has_no_value_at_all_is_pooled_too() -> None:
    nothing = pa.table({"c10": pa.nulls(2), "c11": pa.array([1, 2]), "n0": pa.array([K, K]), "p": pa.array([2, 0])})
    assert KEY in POOL.aggregate.keys
    assert release(RawTable(POOL, nothing)).rows.column("c11").to_pylist() == [2, 1]


@pytest.mark.parametrize(("units", "pooled", "shown"), [(K, 0, True), (K - 1, 0, False), (K, 1, False)])
def test_a_total_is_no_pool(units: int, pooled: int, shown: bool) -> None:
    private = replace(step(ROWS, keys=()), small_groups=SmallGroups.POOL)
    assert release(raw(private, ["n0", "p"], (900, units, pooled))).rows.num_rows == shown
