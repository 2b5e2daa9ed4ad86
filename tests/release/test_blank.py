"""Groups of a public domain are all there: those that are not shown have empty cells, withheld and absent ones alike."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import MOST_PUBLIC_GROUPS, PrivateStep
from cleanroom.release import release
from tests.release.raw_tables import KEY, PLACE, ROWS, TOTAL, K, raw, step


def blank(*domains: tuple[Value, ...], keys: int = 1) -> PrivateStep:
    private = step(ROWS, TOTAL, keys=(KEY, PLACE)[:keys])
    return replace(private, small_groups=SmallGroups.BLANK, public_keys=domains)


REGIONS = blank(("south", "north", "west"))


def released(private: PrivateStep, *rows: tuple[Value, ...]) -> list[tuple[Value, ...]]:
    table = release(raw(private, ["n0"], *rows)).rows
    return [tuple(row.values()) for row in table.to_pylist()]


def test_a_withheld_group_and_an_absent_one_look_the_same() -> None:
    withheld = released(REGIONS, ("north", 900, 7, K), ("south", 9, 1, K - 1))
    absent = released(REGIONS, ("north", 900, 7, K))
    assert withheld == absent == [("north", 900, 7), ("south", None, None), ("west", None, None)]


@pytest.mark.parametrize(("units", "row"), [(K, ("north", 900, 7)), (K - 1, ("north", None, None))])
def test_a_group_is_shown_from_exactly_the_threshold_on(units: int, row: tuple[Value, ...]) -> None:
    assert released(REGIONS, ("north", 900, 7, units))[0] == row


def test_nothing_found_is_all_blank() -> None:
    assert released(REGIONS) == [("north", None, None), ("south", None, None), ("west", None, None)]


def test_all_combinations_of_several_keys_are_there() -> None:
    private = blank(("n", "s"), ("x", "y"), keys=2)
    found = released(private, ("s", "x", 900, 7, K), ("n", "y", 9, 1, 1))
    assert found == [("n", "x", None, None), ("n", "y", None, None), ("s", "x", 900, 7), ("s", "y", None, None)]


def test_a_withheld_group_that_is_not_public_leaves_no_trace() -> None:
    found = released(REGIONS, ("secret", 9, 1, K - 1), (None, 9, 1, K - 1))
    assert [row[0] for row in found] == ["north", "south", "west"]


def test_a_shown_group_that_is_not_public_stays_in_its_place() -> None:
    found = released(REGIONS, ("other", 900, 7, K), (None, 800, 6, K))
    assert [row[0] for row in found] == ["north", "other", "south", "west", None]


def test_a_public_value_named_twice_is_one_group() -> None:
    assert released(blank(("north", "north"))) == [("north", None, None)]


def test_withheld_values_are_in_no_buffer() -> None:
    secret = 0x5EC2E75EC2E7
    table = release(raw(REGIONS, ["n0"], ("north", secret, secret, K - 1), ("tiny-secret", secret, secret, 1))).rows
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    sent = bytes(sink.getvalue())
    assert secret.to_bytes(8, "little") not in sent
    assert b"tiny-secret" not in sent
    assert table.column("c10").num_chunks == 1


def test_types_stay_as_they_are() -> None:
    with_blank = release(raw(REGIONS, ["n0"], ("north", 900, 7, K))).rows
    without = release(raw(step(ROWS, TOTAL), ["n0"], ("north", 900, 7, K))).rows
    assert with_blank.schema == without.schema


def test_a_total_that_is_withheld_is_a_blank_row() -> None:
    total = replace(step(ROWS, keys=()), small_groups=SmallGroups.BLANK)
    assert released(total, (900, K)) == [(900,)]
    assert released(total, (9, K - 1)) == [(None,)]


@pytest.mark.parametrize(
    ("first", "second", "allowed"), [(100, 100, True), (73, 137, False), (1, MOST_PUBLIC_GROUPS, True)]
)
def test_there_are_at_most_so_many_public_groups(first: int, second: int, allowed: bool) -> None:
    private = blank(tuple(f"k{n}" for n in range(first)), tuple(f"v{n}" for n in range(second)), keys=2)
    if allowed:
        assert len(released(private)) == MOST_PUBLIC_GROUPS
    else:
        with pytest.raises(ValueError, match="public groups"):
            released(private)


def test_more_groups_than_memory_are_never_made() -> None:
    with pytest.raises(ValueError, match="public groups"):
        released(blank(*[tuple(f"k{n}" for n in range(9_999))] * 2, keys=2))


@pytest.mark.parametrize("domains", [(), (("n",), ("s",))], ids=["no domain", "one too many"])
def test_every_key_has_its_public_values(domains: tuple[tuple[Value, ...], ...]) -> None:
    with pytest.raises(ValueError, match="public values"):
        released(blank(*domains))


@pytest.mark.parametrize("value", [7, 1.5, True])
def test_a_public_value_of_another_type_releases_nothing(value: Value) -> None:
    with pytest.raises(ValueError, match="type") as error:
        released(blank(("north", value)))
    assert str(value) not in str(error.value)


def test_public_values_are_of_no_account_elsewhere() -> None:
    assert released(replace(REGIONS, small_groups=SmallGroups.DROP)) == []
