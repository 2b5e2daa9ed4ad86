"""Hidden columns of private steps, run by DuckDB over small random tables, against counting the slow way with sets."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import Field
from cleanroom.domain.plan import JoinKind, Relation
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import PrivateStep, Removal, column_name, hidden_names
from cleanroom.sql.render import render_private
from tests.plans import PlanBuilder, call, col, dataset, inner_join, joined, release, where

VISITS = dataset("publisher.visits", {"user_id": "BIGINT", "site": "VARCHAR", "kind": "VARCHAR", "item": "DOUBLE"})
BUYERS = dataset("retailer.buyers", {"buyer": "BIGINT", "shop": "VARCHAR"}, units=("buyer",))
TABLES = {VISITS.name: "t0", BUYERS.name: "t1"}
MINIMUM = 2

Row = dict[str, Any]
Made = dict[tuple[Any, ...], Row]


@dataclass
class Data:
    visits: list[tuple[Any, ...]]
    buyers: list[tuple[Any, ...]]


def random_data(seed: int, people: int = 5) -> Data:
    chosen = random.Random(seed)
    many = chosen.randrange(0, 16)
    visits = [
        (
            chosen.choice([None, *range(1, people + 1)]),
            chosen.choice(["a", "b", None]),
            chosen.choice(["x", "y", None]),
            chosen.choice([None, 0.0, -0.0, 1.5, float("nan")]),
        )
        for _ in range(many)
    ]
    buyers = [(p, chosen.choice(["s", "t", None])) for p in range(1, people + 1) if chosen.random() < 0.5]
    return Data(visits, buyers)


def run(step: PrivateStep, data: Data) -> Made:
    """The engine's rows by their keys (and whether they are the pooled one); NaN as a word, so that it equals itself."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t0 (user_id BIGINT, site VARCHAR, kind VARCHAR, item DOUBLE)")
    connection.execute("CREATE TABLE t1 (buyer BIGINT, shop VARCHAR)")
    if data.visits:
        connection.executemany("INSERT INTO t0 VALUES (?, ?, ?, ?)", data.visits)
    if data.buyers:
        connection.executemany("INSERT INTO t1 VALUES (?, ?)", data.buyers)
    table = connection.sql(render_private(step, TABLES)).to_arrow_table()
    assert table.column_names == [*map(column_name, step.aggregate.fields), *hidden_names(step)]
    assert all(str(table.schema.field(name).type) == "int64" for name in hidden_names(step))
    found: Made = {}
    for row in table.to_pylist():
        key = tuple(row.pop(column_name(k)) for k in step.aggregate.keys)
        name = (*key, row["p"] > 0) if "p" in row else key
        assert name not in found
        found[name] = row
    return found


def units(rows: Iterable[Row], unit: str) -> int:
    return len({row[unit] for row in rows if row[unit] is not None})


def by(rows: Iterable[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    groups: dict[tuple[Any, ...], list[Row]] = {} if names else {(): []}
    for row in rows:
        groups.setdefault(tuple(row[n] for n in names), []).append(row)
    return groups


def visit_rows(data: Data) -> list[Row]:
    """The visits of somebody, with the buyer that each matches (NULL: none)."""
    shops = dict(data.buyers)
    return [
        {
            "user": user,
            "buyer": user if user in shops else None,
            "shop": shops.get(user),
            "site": site,
            "kind": kind,
            "item": "nan" if item is not None and math.isnan(item) else item,
        }
        for user, site, kind, item in data.visits
        if user is not None
    ]


def least_class(
    rows: Sequence[Row], unit: str, places: Callable[[Row], Iterable[Hashable]], *, present: bool
) -> int | None:
    """The least class of items that occur in the same places, in units; `present`: of those classes that have one."""
    found: dict[Any, set[Hashable]] = defaultdict(set)
    counted = [row for row in rows if row["item"] is not None]
    for row in counted:
        found[row["item"]].update(places(row))
    classes: dict[Hashable, list[Row]] = defaultdict(list)
    for row in counted:
        classes[frozenset(found[row["item"]])].append(row)
    sizes = [units(members, unit) for members in classes.values()]
    return min((size for size in sizes if size or not present), default=None)


def enough(rows: Sequence[Row], *, asked: bool = True) -> bool:
    matched = units(rows, "buyer")
    return units(rows, "user") >= MINIMUM and (not asked or matched == 0 or matched >= MINIMUM)


# --- optional sources -----------------------------------------------------------------------------------------------


@dataclass
class Steps:
    """A left join of visits with buyers, and the step over it that is asked for."""

    plan: PlanBuilder
    relation: Relation
    visits: Relation
    buyers: Relation
    units: tuple[Field, ...]


def left_joined(kind: JoinKind = JoinKind.LEFT) -> Steps:
    plan = PlanBuilder()
    visits, buyers = plan.scan(VISITS), plan.scan(BUYERS)
    both = (*visits.units, *buyers.units)
    return Steps(plan, joined(kind, visits, buyers, ("user_id", "buyer")), visits, buyers, both)


@pytest.mark.parametrize("asked", [True, False])
def test_a_group_without_any_match_is_kept_and_one_with_few_only_where_nothing_depends_on_the_match(
    asked: bool,
) -> None:
    made = left_joined()
    key = made.plan.computed(col(made.visits, "site"))
    step = release(
        made.relation,
        (key,),
        (made.plan.measure("count_rows"),),
        units=made.units,
        minimum_units=MINIMUM,
        optional=made.units[1:],
        unasked=() if asked else made.units[1:],
    )
    assert render_private(step, TABLES).startswith("SELECT")
    for seed in range(25):
        data = random_data(seed)
        hand = {
            key: {"rows": len(rows), "n0": units(rows, "user"), "n1": units(rows, "buyer")}
            for key, rows in by(visit_rows(data), "site").items()
            if enough(rows, asked=asked)
        }
        got = run(step, data)
        assert {k: list(row.values()) for k, row in got.items()} == {k: list(row.values()) for k, row in hand.items()}


def conditional_by_hand(rows: Sequence[Row], distinct: int) -> Row:
    """The hidden counts of the two conditions below over the rows of one group."""
    conditions: list[Callable[[Row], bool]] = [lambda r: r["shop"] == "s", lambda r: r["kind"] == "x"]

    def mask(row: Row) -> tuple[bool, ...]:
        return tuple(condition(row) for condition in conditions)

    atoms: dict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        atoms[mask(row)].append(row)
    made: Row = {f"n{j}": units(rows, unit) for j, unit in enumerate(("user", "buyer"))}
    for j, unit in enumerate(("user", "buyer")):
        made[f"a{j}"] = min((n for atom in atoms.values() if (n := units(atom, unit))), default=None)
        for i, condition in enumerate(conditions):
            made[f"o{i}_{j}"] = units([row for row in rows if condition(row)], unit)
        made[f"d{distinct}_{j}"] = least_class(rows, unit, lambda row: [mask(row)], present=True)
    return made


def conditional_step(made: Steps, *keys: Field, **more: Any) -> PrivateStep:
    rows, items = made.plan.measure("count_rows"), made.plan.measure("count_distinct", col(made.visits, "item"))
    return release(
        made.relation,
        keys,
        (rows, items),
        units=made.units,
        conditions=(call("eq", col(made.buyers, "shop"), "s"), call("eq", col(made.visits, "kind"), "x")),
        distinct=(items,),
        minimum_units=MINIMUM,
        optional=made.units[1:],
        **more,
    )


def hidden(step: PrivateStep, found: Made) -> Made:
    return {key: {name: row[name] for name in hidden_names(step)} for key, row in found.items()}


@pytest.mark.parametrize("keyed", [True, False])
def test_conditions_count_nobody_where_an_optional_source_has_no_match(keyed: bool) -> None:
    made = left_joined()
    step = conditional_step(made, *([made.plan.computed(col(made.visits, "site"))] if keyed else []))
    distinct = step.distinct_measures[0].id
    for seed in range(30):
        data = random_data(seed)
        groups = by(visit_rows(data), *(["site"] if keyed else []))
        hand = {k: conditional_by_hand(rows, distinct) for k, rows in groups.items() if not keyed or enough(rows)}
        assert hidden(step, run(step, data)) == hand


# --- removals -------------------------------------------------------------------------------------------------------


def removing(made: Steps, *names: str) -> tuple[Relation, tuple[Field, ...], Removal]:
    """Visits of those who bought nothing, keys over them, and the visits of the others."""
    plan, visits = made.plan, made.visits
    keys = tuple(plan.computed(col(visits, name)) for name in names)
    matched = joined(JoinKind.SEMI, visits, made.buyers, ("user_id", "buyer"))
    return joined(JoinKind.ANTI, visits, made.buyers, ("user_id", "buyer")), keys, Removal(matched, keys, made.units)


def removal_by_hand(rows: Sequence[Row]) -> Row:
    return {"r0_0": units(rows, "user"), "r0_1": units(rows, "buyer")}


@pytest.mark.parametrize("by_group", [True, False])
def test_whom_an_anti_join_took_away_is_counted_in_each_group_or_in_all(by_group: bool) -> None:
    made = left_joined()
    source, keys, removal = removing(made, "site", "kind")
    removal = removal if by_group else replace(removal, keys=())
    step = release(
        source,
        keys,
        (made.plan.measure("count_rows"),),
        units=made.units[:1],
        minimum_units=MINIMUM,
        removals=(removal,),
    )
    for seed in range(30):
        data = random_data(seed)
        gone = [row for row in visit_rows(data) if row["buyer"] is not None]
        hand = {
            k: {"n0": units(rows, "user")} | removal_by_hand(by(gone, "site", "kind").get(k, []) if by_group else gone)
            for k, rows in by((r for r in visit_rows(data) if r["buyer"] is None), "site", "kind").items()
            if units(rows, "user") >= MINIMUM
        }
        assert hidden(step, run(step, data)) == hand


def test_a_total_after_an_anti_join_counts_all_who_were_removed() -> None:
    made = left_joined()
    source, _, removal = removing(made)
    step = release(source, (), (made.plan.measure("count_rows"),), units=made.units[:1], removals=(removal,))
    nobody = Data([], [])
    assert list(run(step, nobody)[()].values()) == [0, 0, 0, 0]
    everyone = Data([(1, "a", "x", None), (2, "a", "x", None), (2, "b", None, None)], [(2, "s"), (3, None)])
    assert list(run(step, everyone)[()].values()) == [1, 1, 1, 1]


# --- pooled groups --------------------------------------------------------------------------------------------------


def pooled_by_hand(groups: dict[tuple[Any, ...], list[Row]]) -> dict[tuple[Any, ...], list[Row]]:
    """The groups of enough, and the others as one; each name ends with whether it is that one."""
    found = {(*key, False): rows for key, rows in groups.items() if enough(rows)}
    small = [rows for rows in groups.values() if not enough(rows)]
    if small:
        found[(*[None] * len(next(iter(groups))), True)] = [row for rows in small for row in rows]
    return found


def test_groups_of_too_few_come_as_one_row_that_is_no_group_of_null() -> None:
    made = left_joined()
    keys = tuple(made.plan.computed(col(made.visits, name)) for name in ("site", "kind"))
    step = release(
        made.relation,
        keys,
        (made.plan.measure("count_rows"),),
        units=made.units,
        minimum_units=MINIMUM,
        optional=made.units[1:],
        small_groups=SmallGroups.POOL,
    )
    kept = set()
    for seed in range(40):
        data = random_data(seed)
        groups = by(visit_rows(data), "site", "kind")
        small = sum(not enough(rows) for rows in groups.values())
        hand = {
            k: [len(rows), units(rows, "user"), units(rows, "buyer"), small if k[-1] else 0]
            for k, rows in pooled_by_hand(groups).items()
            if enough(rows)
        }
        assert {k: list(row.values()) for k, row in run(step, data).items()} == hand
        kept |= set(hand)
    assert {(None, None, False), (None, None, True), ("a", None, False)} <= kept


def test_conditions_and_removals_are_counted_in_the_pooled_row_too() -> None:
    made = left_joined()
    key = made.plan.computed(col(made.visits, "site"))
    other = made.plan.scan(BUYERS)
    matched = inner_join(made.visits, other, ("user_id", "buyer"))
    gone = where(matched, call("eq", col(made.visits, "kind"), "y"))
    removal = Removal(gone, (key,), (*made.units[:1], *other.units))
    step = conditional_step(made, key, small_groups=SmallGroups.POOL, removals=(removal,))
    distinct = step.distinct_measures[0].id
    seen = set()
    for seed in range(40):
        data = random_data(seed, people=4)
        groups = by(visit_rows(data), "site")
        small = {k for k, rows in groups.items() if not enough(rows)}
        hand = {}
        for k, rows in pooled_by_hand(groups).items():
            inside = small if k[-1] else {k[:-1]}
            taken = [r for r in visit_rows(data) if r["buyer"] and r["kind"] == "y" and (r["site"],) in inside]
            made_row = conditional_by_hand(rows, distinct) | removal_by_hand(taken) | {"p": len(small) if k[-1] else 0}
            if enough(rows):
                hand[k] = made_row
        assert hidden(step, run(step, data)) == hand
        seen |= {(k[-1], row["r0_0"] > 0) for k, row in hand.items()}
    assert seen == {(False, False), (False, True), (True, False), (True, True)}


def test_a_whole_without_keys_is_never_pooled() -> None:
    made = left_joined()
    step = release(made.relation, (), units=made.units, minimum_units=9, small_groups=SmallGroups.POOL)
    assert run(step, Data([(1, "a", "x", 1.0)], [])) == {(False,): {"n0": 1, "n1": 0, "p": 0}}


# --- several grains -------------------------------------------------------------------------------------------------

Sets = tuple[tuple[str, ...], ...]


def shown_by_hand(rows: Sequence[Row], sets: Sequence[tuple[str, ...]]) -> dict[tuple[str, ...], set[tuple[Any, ...]]]:
    """For each set, containing ones first, the keys of the groups that are shown."""
    shown: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
    for keys in sets:
        below = [finer for finer in shown if set(keys) < set(finer)]
        shown[keys] = {
            key
            for key, members in by(rows, *keys).items()
            if enough(members) and all(n in (0, *range(MINIMUM, 99)) for n in rest_of(members, shown, below))
        }
    return shown


def rest_of(
    rows: Sequence[Row], shown: dict[tuple[str, ...], set[tuple[Any, ...]]], below: Iterable[tuple[str, ...]]
) -> Any:
    left = [row for row in rows if not any(tuple(row[n] for n in keys) in shown[keys] for keys in below)]
    return [units(left, "user"), units(left, "buyer")]


CUBES: list[tuple[tuple[str, ...], Sets, Sets]] = [
    ((), (("site", "kind", "shop"), ("site", "kind"), ("site",)), ()),
    (("site",), (("site", "kind"),), ()),
    ((), (("site", "kind"), ("site",), ("kind",)), ()),
    (
        ("site",),
        (("site", "kind", "shop"), ("site", "kind"), ("site", "shop")),
        (("kind", "shop"), ("kind",), ("shop",)),
    ),
    (("site",), (), (("kind",),)),
    (("kind",), (("site", "kind"),), (("shop",), ("site", "shop"), ("site",))),
]


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize(("own", "finer", "beside"), CUBES)
def test_what_shown_rows_of_other_grains_leave(own: tuple[str, ...], finer: Sets, beside: Sets, optional: bool) -> None:
    made = left_joined(JoinKind.LEFT if optional else JoinKind.INNER)
    columns = {"site": col(made.visits, "site"), "kind": col(made.visits, "kind"), "shop": col(made.buyers, "shop")}
    items = made.plan.measure("count_distinct", col(made.visits, "item"))

    def fields(names: tuple[str, ...]) -> tuple[Field, ...]:
        return tuple(made.plan.computed(columns[name]) for name in names)

    step = release(
        made.relation,
        fields(own),
        (items,),
        units=made.units,
        minimum_units=MINIMUM,
        optional=made.units[1:] if optional else (),
        finer=tuple(map(fields, finer)),
        beside=tuple(map(fields, beside)),
    )
    for seed in range(12):
        data = random_data(seed, people=9)
        data.visits += random_data(seed + 100, people=9).visits
        rows = [row for row in visit_rows(data) if optional or row["buyer"] is not None]
        ordered = [*finer, *sorted(beside, key=len, reverse=True), own]
        shown = shown_by_hand(rows, ordered)
        withheld = sum(len(by(rows, *keys)) - len(shown[keys]) for keys in (own, *beside))

        def places(row: Row, shown: Any = shown) -> list[Hashable]:
            names = {keys: tuple(row[n] for n in keys) for keys in finer}
            return [(keys, name) if name in shown[keys] else None for keys, name in names.items()]

        hand = {}
        for key, members in by(rows, *own).items():
            found: Row = {"n0": units(members, "user"), "n1": units(members, "buyer")}
            for j, unit in enumerate(("user", "buyer") if finer else ()):
                found[f"e{j}"] = rest_of(members, shown, finer)[j]
                found[f"s{items.id}_{j}"] = least_class(members, unit, places, present=False)
            if beside:
                found["w"] = withheld
            if enough(members) or not own:
                hand[key] = found
        assert hidden(step, run(step, data)) == hand


def _unfit() -> dict[str, PrivateStep]:
    made = left_joined()
    site, kind = (made.plan.computed(col(made.visits, name)) for name in ("site", "kind"))
    several = release(made.relation, (site,), units=made.units, finer=((site, kind),))
    crossed = release(made.relation, (site,), units=made.units, beside=((kind,),))
    condition = call("eq", col(made.visits, "kind"), "x")
    _, _, removal = removing(made)
    found = {}
    for name, step in (("finer", several), ("beside", crossed)):
        found[f"{name} with a condition"] = replace(step, conditions=(condition,))
        found[f"{name} with a removal"] = replace(step, removals=(removal,))
        found[f"{name} with pooled groups"] = replace(step, small_groups=SmallGroups.POOL)
    found["a finer set that lacks a key"] = replace(several, finer=((kind,),))
    found["a finer set of nothing"] = replace(several, finer=((),))
    found["a set beside that contains the step's"] = replace(crossed, beside=((kind, site),))
    found["a set beside that the step's contains"] = replace(crossed, beside=((),))
    keyed = replace(removal, keys=(site,))
    found["a removal by more keys"] = release(made.relation, (), units=made.units, removals=(keyed,))
    pooled = release(made.relation, (site, kind), units=made.units, removals=(keyed,), small_groups=SmallGroups.POOL)
    found["a removal by some keys of groups that are put together"] = pooled
    return found


@pytest.mark.parametrize("name", _unfit())
def test_steps_that_no_approval_makes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        render_private(_unfit()[name], TABLES)
