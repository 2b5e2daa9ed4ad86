"""The hidden columns of a private step in memory, each counted out by hand over a handful of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from cleanroom.domain.expression import Field, Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Join, JoinKind, Relation
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import PrivateStep, Removal, column_name, hidden_names
from cleanroom.engines.memory import MemoryEngine
from tests.plans import PlanBuilder, call, col, dataset, release, where

BUYERS = dataset(
    "retailer.buyers", {"buyer": "BIGINT", "a": "VARCHAR", "b": "VARCHAR", "v": "BIGINT"}, units=("buyer",)
)
VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "buyer": "BIGINT", "site": "VARCHAR"}, units=("viewer",))
Named = Mapping[str, Value]
Answer = dict[Value, dict[str, Value]]


def buyers(*rows: tuple[Value, ...]) -> list[Named]:
    return [dict(zip(("buyer", "a", "b", "v"), (*row, None, None)[:4], strict=True)) for row in rows]


def crowd(first: int, count: int, *rest: Value) -> list[Named]:
    """So many buyers of one kind, numbered from `first`."""
    return buyers(*((first + n, *rest) for n in range(count)))


def views(*rows: tuple[Value, ...]) -> list[Named]:
    return [dict(zip(("viewer", "buyer", "site"), row, strict=True)) for row in rows]


def run(step: PrivateStep, rows: Sequence[Named], others: Sequence[Named] = ()) -> Answer:
    """Each row's hidden columns by its first key; the order of the columns is the step's."""
    datasets: dict[DatasetName, Sequence[Named]] = {BUYERS.name: rows, VIEWS.name: others}
    table = MemoryEngine(datasets).run_private(step, {}).rows
    visible, hidden = [column_name(f) for f in step.aggregate.fields], list(hidden_names(step))
    assert table.column_names == visible + hidden
    found = table.to_pylist()
    return {row[visible[0]] if step.aggregate.keys else None: {name: row[name] for name in hidden} for row in found}


class Made:
    """Buyers by `a`, and what else a test puts into the step."""

    def __init__(self, *keys: str) -> None:
        self.make = PlanBuilder()
        self.scan = self.make.scan(BUYERS)
        self.rows = self.make.measure("count_rows")
        self.distinct = self.make.measure("count_distinct", col(self.scan, "v"))
        self.step = release(self.scan, self.keys(*keys), (self.rows,), units=self.scan.units, minimum_units=3)

    def keys(self, *names: str) -> tuple[Field, ...]:
        return tuple(self.make.computed(col(self.scan, name), name) for name in names)

    def with_distinct(self) -> PrivateStep:
        return replace(self.step, aggregate=replace(self.step.aggregate, measures=(self.rows, self.distinct)))


# Units that may be missing


def left_joined() -> tuple[PrivateStep, str]:
    """Buyers by `a` with their views, if any; conditional on the site and on a value."""
    make = PlanBuilder()
    left, right = make.scan(BUYERS), make.scan(VIEWS)
    rows = Join(left, right, JoinKind.LEFT, ((col(left, "buyer"), col(right, "buyer")),), False)
    distinct = make.measure("count_distinct", col(left, "v"))
    step = release(
        rows,
        (make.computed(col(left, "a")),),
        (distinct,),
        units=(*left.units, *right.units),
        conditions=(call("eq", col(right, "site"), "x"), call("gt", col(left, "v"), 1)),
        distinct=(distinct,),
    )
    return replace(step, optional=frozenset(right.units)), f"d{distinct.id}"


def test_a_missing_unit_is_nobody_and_an_atom_without_one_has_no_minimum() -> None:
    step, d = left_joined()
    found = run(
        step,
        buyers((1, "n", None, 1), (2, "n", None, 1), (3, "n", None, 2), (4, "s", None, 2), (5, "s")),
        views((7, 1, "x"), (8, 1, "x"), (7, 2, "y"), (9, 9, "x")),
    )
    # n: rows 1-7 and 1-8 (x), 2-7 (not x), 3 alone (not x, v > 1)
    assert found["n"] == {
        **{"n0": 3, "n1": 2},
        **{"a0": 1, "o0_0": 1, "o1_0": 1, f"{d}_0": 1},
        **{"a1": 1, "o0_1": 2, "o1_1": 0, f"{d}_1": 2},
    }
    assert found["s"] == {
        **{"n0": 2, "n1": 0},
        **{"a0": 1, "o0_0": 0, "o1_0": 1, f"{d}_0": 1},
        **{"a1": None, "o0_1": 0, "o1_1": 0, f"{d}_1": None},
    }


# Anti-joins


def with_removal(*, keyed: bool) -> PrivateStep:
    """Buyers by `a` without those who saw site x, and those who did."""
    make = PlanBuilder()
    left, right = make.scan(BUYERS), make.scan(VIEWS)
    seen: Relation = where(right, call("eq", col(right, "site"), "x"))
    pair = ((col(left, "buyer"), col(right, "buyer")),)
    keys = (make.computed(col(left, "a")),)
    step = release(Join(left, seen, JoinKind.ANTI, pair, False), keys, (make.measure("count_rows"),), units=left.units)
    gone = Removal(Join(left, seen, JoinKind.SEMI, pair, False), keys if keyed else (), (*left.units, *right.units))
    return replace(step, removals=(gone,))


SEEN = views((7, 1, "x"), (7, 2, "x"), (8, 3, "x"), (9, 4, "y"), (9, 3, "x"))
ASKED = buyers((1, "n"), (2, "n"), (3, None), (4, "n"), (5, "s"), (6, None))


def test_those_taken_away_are_counted_by_the_groups_keys() -> None:
    assert run(with_removal(keyed=True), ASKED, SEEN) == {
        "n": {"n0": 1, "r0_0": 2, "r0_1": 1},
        "s": {"n0": 1, "r0_0": 0, "r0_1": 0},
        None: {"n0": 1, "r0_0": 1, "r0_1": 1},
    }


def test_without_keys_all_who_were_taken_away_count_in_every_row() -> None:
    found = run(with_removal(keyed=False), ASKED, SEEN)
    assert [(row["r0_0"], row["r0_1"]) for row in found.values()] == [(3, 2)] * 3


def test_a_pool_has_those_taken_away_from_all_its_groups() -> None:
    step = replace(with_removal(keyed=True), small_groups=SmallGroups.POOL, minimum_units=2)
    rows = [*ASKED, *buyers((10, "s"), (11, "w"), (12, "gone")), *crowd(20, 2, "big")]
    found = run(step, rows, [*SEEN, *views((6, 11, "x"), (5, 12, "x"), (4, 20, "x"))])
    # n (1), NULL (1) and big (1) are too few; of w and "gone" nobody is left, so that they are no groups
    assert found == {
        "s": {"n0": 2, "r0_0": 0, "r0_1": 0, "p": 0},
        None: {"n0": 3, "r0_0": 4, "r0_1": 3, "p": 3},
    }


# Several grains


def test_the_remainder_of_a_total_is_what_no_shown_part_has() -> None:
    made = Made("a")
    step = replace(made.step, finer=(made.keys("a", "b"),))
    rows = [*crowd(1, 3, "n", "x"), *crowd(11, 2, "n", "y"), *crowd(21, 1, "n"), *crowd(31, 3, "s", "x")]
    assert run(step, rows) == {"n": {"n0": 6, "e0": 3}, "s": {"n0": 3, "e0": 0}}


def test_a_person_of_a_shown_part_and_of_another_remains() -> None:
    made = Made("a")
    step = replace(made.step, finer=(made.keys("a", "b"),))
    assert run(step, [*crowd(1, 3, "n", "x"), *crowd(1, 1, "n", "y")]) == {"n": {"n0": 3, "e0": 1}}


@pytest.mark.parametrize(("left", "rest"), [(0, 0), (1, 1), (2, 2), (3, 0)])
def test_a_part_is_shown_only_where_its_own_parts_leave_nobody_or_enough(left: int, rest: int) -> None:
    made = Made()
    step = replace(made.step, finer=(made.keys("a", "b"), made.keys("a")))
    # n is shown where its part y is nobody or enough; s is shown, as all its people are left by parts of too few
    n = [*crowd(1, 3, "n", "x"), *crowd(11, left, "n", "y")]
    s = [*crowd(21, 2, "s", "z"), *crowd(31, 1, "s", "w")]
    assert run(step, [*n, *s])[None]["e0"] == rest


def test_sets_that_do_not_contain_a_part_take_nothing_from_it() -> None:
    made = Made()
    step = replace(made.step, finer=(made.keys("b"), made.keys("a")))
    # x is shown; n leaves 1 beside x, but b is no part of a: n is shown whole
    rows = [*crowd(1, 3, "n", "x"), *crowd(11, 1, "n", "y"), *crowd(21, 1, "s", "y")]
    assert run(step, rows) == {None: {"n0": 5, "e0": 1}}


def shared(rows: Sequence[Named], *finer: tuple[str, ...]) -> Value:
    made = Made()
    step = replace(made.with_distinct(), finer=tuple(made.keys(*names) for names in finer))
    return run(step, rows)[None][f"s{made.distinct.id}_0"]


def test_values_that_occur_in_the_same_parts_are_one_class() -> None:
    rows = [*crowd(1, 3, "n", None, 1), *crowd(11, 4, "s", None, 2), *crowd(21, 4, "s", None, 3)]
    assert shared(rows, ("a",)) == 3
    assert shared([*rows, *crowd(31, 1, "n", None, 2)], ("a",)) == 3
    assert shared([*rows, *crowd(31, 2, "s", None, 4), *crowd(31, 2, "n", None, 4)], ("a",)) == 2


def test_all_parts_that_are_not_shown_are_one_to_a_class() -> None:
    rows = [*crowd(1, 1, "n", None, 1), *crowd(11, 2, "s", None, 2), *crowd(21, 4, "w", None, 3)]
    assert shared(rows, ("a",)) == 3
    assert shared(rows, ("a", "b"), ("a",)) == 3


def test_it_does_not_matter_in_which_set_a_part_is_not_shown() -> None:
    # part x of n is shown, part y is not, and so neither is n: both values are in x and in what is not shown
    rows = [*crowd(1, 2, "n", "x", 1), *crowd(11, 2, "n", "x", 2), *crowd(21, 1, "n", "y", 2)]
    assert shared(rows, ("a", "b"), ("a",)) == 5


def test_without_a_value_there_is_no_class() -> None:
    assert shared(crowd(1, 9, "n"), ("a",)) is None
    assert shared([], ("a",)) is None


def test_a_total_of_nothing_leaves_nobody() -> None:
    made = Made()
    assert run(replace(made.step, finer=(made.keys("a"),)), []) == {None: {"n0": 0, "e0": 0}}


@pytest.mark.parametrize(
    ("extra", "withheld"),
    [([], 0), (crowd(31, 2, "n", "z"), 1), (crowd(31, 2, "w", "z"), 2), (crowd(31, 3, "w", "z"), 0)],
    ids=["all enough", "one beside", "one of each", "exactly enough"],
)
def test_the_small_groups_of_this_set_and_of_those_beside_it_are_counted(extra: list[Named], withheld: int) -> None:
    made = Made("a")
    step = replace(made.step, beside=(made.keys("b"),))
    found = run(step, [*crowd(1, 3, "n", "x"), *crowd(11, 3, "s", "y"), *extra])
    assert {row["w"] for row in found.values()} == {withheld}


@pytest.mark.parametrize(("left", "withheld"), [(0, 0), (1, 1), (2, 1), (3, 0)])
def test_a_group_beside_that_its_parts_leave_too_few_of_is_withheld(left: int, withheld: int) -> None:
    made = Made("a")
    step = replace(made.step, finer=(made.keys("a", "b"),), beside=(made.keys("b"),))
    # y has three people of n, whom a part shows, and `left` others, alone in their parts of it
    rows = [*crowd(1, 3, "n", "x"), *crowd(11, 3, "n", "y"), *crowd(21, 3, "s", "x"), *crowd(31, left, "s", "y")]
    # s is left with the same people
    assert {row["w"] for row in run(step, rows).values()} == {2 * withheld}


def test_sets_beside_that_contain_each_other_are_judged_from_the_finest_on() -> None:
    made = Made("a")
    step = replace(made.step, beside=(made.keys("b"), made.keys("b", "v")))
    # x's part 1 is shown and leaves one person of x: x is withheld, and the part of that person
    rows = [*crowd(1, 3, "n", "x", 1), *crowd(11, 1, "n", "x", 2), *crowd(21, 3, "n", "y", 1)]
    assert run(step, rows) == {"n": {"n0": 7, "w": 2}}


@pytest.mark.parametrize(("seen", "rest"), [(0, 0), (1, 3), (2, 0)])
def test_a_part_with_nobody_of_an_optional_source_is_shown(seen: int, rest: int) -> None:
    step, _ = left_joined()
    total = replace(step, aggregate=replace(step.aggregate, keys=()), conditions=(), distinct_measures=())
    total = replace(total, minimum_units=2, finer=(step.aggregate.keys,))
    found = run(total, crowd(1, 3, "n"), views(*((7 + n, 1 + n, "x") for n in range(seen))))
    assert (found[None]["e0"], found[None]["e1"]) == (rest, seen if rest else 0)


# Pools


@pytest.mark.parametrize("last", [2, 3])
def test_groups_of_too_few_come_as_one_row(last: int) -> None:
    made = Made("a")
    step = replace(made.step, small_groups=SmallGroups.POOL)
    rows = [*crowd(1, 3, "n"), *crowd(11, 2, "s"), *crowd(21, 1, None), *crowd(31, last, "w")]
    expected = {"n": {"n0": 3, "p": 0}, None: {"n0": 3, "p": 2}}
    expected |= {"w": {"n0": 3, "p": 0}} if last == 3 else {None: {"n0": 5, "p": 3}}
    assert run(step, rows) == expected


def test_one_person_in_several_small_groups_is_one_in_the_pool() -> None:
    made = Made("a")
    step = replace(made.step, small_groups=SmallGroups.POOL)
    assert run(step, [*crowd(1, 2, "n"), *crowd(1, 2, "s")]) == {None: {"n0": 2, "p": 2}}


def test_a_pool_is_aggregated_together() -> None:
    made = Made("a")
    step = replace(made.with_distinct(), small_groups=SmallGroups.POOL)
    rows = [*crowd(1, 2, "n", None, 7), *crowd(11, 1, "s", None, 7), *crowd(21, 1, "s", None, 8)]
    (row,) = MemoryEngine({BUYERS.name: rows}).run_private(step, {}).rows.to_pylist()
    assert list(row.values()) == [None, 4, 2, 4, 2]


def test_a_total_is_never_pooled() -> None:
    step = replace(Made().step, small_groups=SmallGroups.POOL)
    assert run(step, crowd(1, 2, "n")) == {None: {"n0": 2, "p": 0}}
    assert run(step, []) == {None: {"n0": 0, "p": 0}}


@pytest.mark.parametrize(("seen", "own"), [(0, True), (1, False), (2, True)])
@pytest.mark.parametrize("unasked", [False, True], ids=["asked", "unasked"])
def test_a_group_with_nobody_of_an_optional_source_is_one_of_its_own(seen: int, own: bool, unasked: bool) -> None:
    step, _ = left_joined()
    optional = step.units[1:]
    pool = replace(step, conditions=(), distinct_measures=(), small_groups=SmallGroups.POOL, minimum_units=2)
    pool = replace(pool, optional=frozenset(optional), unasked=frozenset(optional if unasked else ()))
    rows = [*crowd(1, 3, "n"), *crowd(11, 1, "s"), *crowd(21, 1, "w")]
    found = run(pool, rows, views(*((7 + n, 1 + n, "x") for n in range(seen))))
    if own or unasked:
        assert found == {"n": {"n0": 3, "n1": seen, "p": 0}, None: {"n0": 2, "n1": 0, "p": 2}}
    else:
        assert found == {None: {"n0": 5, "n1": 1, "p": 3}}


def test_groups_of_enough_leave_no_pool() -> None:
    step = replace(Made("a").step, small_groups=SmallGroups.POOL)
    assert run(step, crowd(1, 3, "n")) == {"n": {"n0": 3, "p": 0}}


def test_hidden_columns_are_whole_numbers() -> None:
    made = Made("a")
    step = replace(made.with_distinct(), finer=(made.keys("a", "b"),), beside=(made.keys("b"),))
    table = MemoryEngine({BUYERS.name: []}).run_private(step, {}).rows
    assert {str(table.schema.field(name).type) for name in hidden_names(step)} == {"int64"}
