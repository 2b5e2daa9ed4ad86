"""Private steps rendered for DuckDB: the text of a few, and the answers of many against counting by hand."""

from __future__ import annotations

import itertools
from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Limit, Relation, Sort
from cleanroom.domain.steps import Claim, PrivateStep
from cleanroom.domain.types import BIGINT, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR
from cleanroom.sql.render import render_claim, render_private
from cleanroom.sql.render_aggregate import release_aggregate
from tests.plans import PlanBuilder, call, col, dataset, inner_join, literal, project, release, typed, where

ORDERS = dataset(
    "retailer.orders", {"user_id": "BIGINT", "shop": "VARCHAR", "day": "DATE", "amount": "DECIMAL(18,2)", "n": "BIGINT"}
)
VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "campaign": "VARCHAR", "cost": "DOUBLE"}, units=("viewer",))
TABLES = {DatasetName("retailer.orders"): "t0", DatasetName("publisher.views"): "t1"}

ORDER_ROWS: list[tuple[Any, ...]] = [
    (1, "north", "2026-01-05", Decimal("1.50"), 1),
    (1, "north", "2026-01-06", Decimal("1.50"), 1),
    (1, "south", "2026-02-01", None, None),
    (2, "north", "2026-02-02", Decimal("-9999999999999999.99"), 2**63 - 1),
    (2, None, "2026-02-02", Decimal("9999999999999999.99"), 2**63 - 1),
    (3, None, None, Decimal("9999999999999999.99"), 2**63 - 1),
    (3, "south", "2026-01-31", Decimal("0"), -(2**63)),
    (None, "north", "2026-01-05", Decimal("1000"), 1000),
    (4, "north", "2026-01-05", None, 7),
    (4, "north", "2026-01-05", None, 7),
]
VIEW_ROWS: list[tuple[Any, ...]] = [
    (1, "a", 0.5),
    (1, "a", 0.5),
    (2, "a", float("inf")),
    (2, "b", float("nan")),
    (None, "b", 1.0),
    (3, None, -0.0),
    (9, "b", None),
]


def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t0 (user_id BIGINT, shop VARCHAR, "day" DATE, amount DECIMAL(18,2), n BIGINT)')
    connection.execute("CREATE TABLE t1 (viewer BIGINT, campaign VARCHAR, cost DOUBLE)")
    connection.executemany("INSERT INTO t0 VALUES (?, ?, ?, ?, ?)", ORDER_ROWS)
    connection.executemany("INSERT INTO t1 VALUES (?, ?, ?)", VIEW_ROWS)
    return connection


def answer(step: PrivateStep) -> list[dict[str, Any]]:
    table = database().sql(render_private(step, TABLES)).to_arrow_table()
    rows: list[dict[str, Any]] = table.to_pylist()
    return sorted(rows, key=lambda row: [(value is None, value) for value in row.values()])


def test_a_step_without_conditions_is_one_plain_aggregate() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    step = release(
        where(orders, call("eq", col(orders, "shop"), "o'hare")),
        (plan.computed(col(orders, "shop")),),
        (plan.measure("count_rows"), plan.measure("sum", col(orders, "amount"))),
        units=orders.units,
        minimum_units=50,
    )
    assert render_private(step, TABLES) == (
        'SELECT "c2" AS "c6", count(*) AS "c7", sum("c4") AS "c8", count(DISTINCT "c1") AS "n0"'
        ' FROM (SELECT "c1", "c2", "c4"'
        ' FROM (SELECT "c1", "c2", "c4"'
        ' FROM (SELECT "user_id" AS "c1", "shop" AS "c2", "amount" AS "c4" FROM "t0")'
        ' WHERE ("c1" IS NOT NULL))'
        " WHERE (\"c2\" = 'o''hare')) GROUP BY 1 HAVING (count(DISTINCT \"c1\") >= 50)"
    )


def test_a_join_names_only_the_columns_that_are_used() -> None:
    plan = PlanBuilder()
    orders, views = plan.scan(ORDERS), plan.scan(VIEWS)
    joined = inner_join(orders, views, ("user_id", "viewer"))
    step = release(joined, (), (plan.measure("count_rows"),), units=(*orders.units, *views.units))
    assert render_private(step, TABLES) == (
        'SELECT count(*) AS "c9", count(DISTINCT "c1") AS "n0", count(DISTINCT "c6") AS "n1"'
        ' FROM (SELECT "c1", "c6" FROM'
        ' (SELECT "c1" FROM (SELECT "user_id" AS "c1" FROM "t0") WHERE ("c1" IS NOT NULL)) AS l INNER JOIN'
        ' (SELECT "c6" FROM (SELECT "viewer" AS "c6" FROM "t1") WHERE ("c6" IS NOT NULL)) AS r ON (("c1" = "c6")))'
    )


def test_groups_are_counted_in_people_and_rows_without_a_person_are_gone() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    key = plan.computed(col(orders, "shop"))
    measures = (
        plan.measure("count_rows"),
        plan.measure("count", col(orders, "amount")),
        plan.measure("count_distinct", col(orders, "n")),
        plan.measure("sum", col(orders, "amount"), typed("DECIMAL(38,2)")),
        plan.measure("sum", col(orders, "n"), HUGEINT),
        plan.measure("avg", col(orders, "n"), DOUBLE),
    )
    rows = answer(release(orders, (key,), measures, units=orders.units))
    assert [list(row.values()) for row in rows] == [
        ["north", 5, 3, 3, Decimal("-9999999999999996.99"), Decimal(2**63 - 1 + 16), float((2**63 - 1 + 16) / 5), 3],
        ["south", 2, 1, 1, Decimal("0.00"), Decimal(-(2**63)), float(-(2**63)), 2],
        [None, 2, 2, 1, Decimal("19999999999999999.98"), Decimal(2 * (2**63 - 1)), float(2**63 - 1), 2],
    ]


def test_small_groups_are_left_out_and_a_whole_without_keys_is_not() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    key = plan.computed(col(orders, "shop"))
    assert [row[f"c{key.id}"] for row in answer(release(orders, (key,), units=orders.units, minimum_units=3))] == [
        "north"
    ]
    whole = release(orders, (), (plan.measure("count_rows"),), units=orders.units, minimum_units=99)
    assert [list(row.values()) for row in answer(whole)] == [[9, 4]]


@pytest.mark.parametrize("conditional", [False, True])
def test_nobody_gives_one_row_of_nothing_without_keys_and_no_row_with(conditional: bool) -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    nobody = where(orders, call("eq", 1, 2))
    measures = (
        plan.measure("count_rows"),
        plan.measure("sum", col(orders, "n")),
        plan.measure("count_distinct", col(orders, "n")),
    )
    conditions = (call("not", call("is_null", col(orders, "n"))),) if conditional else ()
    step = release(
        nobody, (), measures, units=orders.units, conditions=conditions, distinct=measures[2:] if conditional else ()
    )
    hidden = [None, 0, None] if conditional else []
    assert [list(row.values()) for row in answer(step)] == [[0, None, 0, 0, *hidden]]
    keyed = release(nobody, (plan.computed(col(orders, "shop")),), measures, units=orders.units, conditions=conditions)
    assert answer(keyed) == []


def test_the_row_filter_is_over_the_datasets_own_columns_and_comes_first() -> None:
    plan = PlanBuilder()
    odd = dataset("retailer.orders", {"c2": "VARCHAR", "c1": "BIGINT"}, units=("c1",))
    scan = plan.scan(odd, lambda s: call("eq", col(s, "c2"), "yes"))
    sql = render_private(release(scan, (), (plan.measure("count_rows"),), units=scan.units), TABLES)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t0 (c2 VARCHAR, c1 BIGINT)")
    connection.execute("INSERT INTO t0 VALUES ('yes', 1), ('no', 2), ('yes', NULL), (NULL, 3), ('yes', 1)")
    assert connection.execute(sql).fetchall() == [(2, 1)]


def test_units_pass_through_a_projection_that_does_not_name_them() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    month = plan.computed(call("date_trunc", "month", col(orders, "day"), type=TIMESTAMP), "month")
    narrow = project(orders, month, plan.computed(col(orders, "n"), "n"))
    key = plan.computed(col(narrow, "month"))
    rows = answer(release(narrow, (key,), (plan.measure("count", col(narrow, "n")),), units=orders.units))
    assert [list(row.values())[1:] for row in rows] == [[5, 3], [2, 2], [1, 1]]


def test_a_join_never_matches_null_and_keeps_every_pair() -> None:
    plan = PlanBuilder()
    orders, views = plan.scan(ORDERS), plan.scan(VIEWS)
    joined = inner_join(orders, views, ("user_id", "viewer"))
    key = plan.computed(col(joined, "campaign"))
    measures = (
        plan.measure("count_rows"),
        plan.measure("sum", col(joined, "cost")),
        plan.measure("avg", col(joined, "cost")),
    )
    rows = answer(release(joined, (key,), measures, units=(*orders.units, *views.units)))
    assert [[repr(v) for v in row.values()] for row in rows] == [
        ["'a'", "8", "inf", "inf", "2", "2"],
        ["'b'", "2", "nan", "nan", "1", "1"],
        ["None", "2", "0.0", "0.0", "1", "1"],
    ]


def test_a_literal_key_is_a_value_and_not_a_position() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    keys = (plan.computed(literal(2)), plan.computed(literal("1")), plan.computed(literal(None)))
    assert [
        list(r.values()) for r in answer(release(orders, keys, (plan.measure("count_rows"),), units=orders.units))
    ] == [[2, "1", None, 9, 4]]


def by_hand(rows: list[tuple[Any, ...]], conditions: list[Any], argument: int) -> dict[Any, dict[str, Any]]:
    """The hidden counts of orders by shop (a row: user, shop, day, amount, n), written the slow way."""
    groups: dict[Any, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        if row[0] is not None:
            groups[row[1]].append(row)
    found = {}
    for key, members in groups.items():
        masks = [tuple(c(row) is True for c in conditions) for row in members]
        atoms, values = defaultdict(set), defaultdict(set)
        for row, mask in zip(members, masks, strict=True):
            atoms[mask].add(row[0])
            if row[argument] is not None:
                values[row[argument]].add(mask)
        classes = defaultdict(set)
        for row in members:
            if row[argument] is not None:
                classes[frozenset(values[row[argument]])].add(row[0])
        found[key] = {
            "n0": len({row[0] for row in members}),
            "a0": min(map(len, atoms.values())),
            "d": min(map(len, classes.values()), default=None),
        } | {
            f"o{i}_0": len({row[0] for row, mask in zip(members, masks, strict=True) if mask[i]})
            for i in range(len(conditions))
        }
    return found


def conditional_step() -> tuple[PrivateStep, Field, Field]:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    key = plan.computed(col(orders, "shop"))
    distinct = plan.measure("count_distinct", col(orders, "amount"))
    conditions = (
        call("not", call("is_null", col(orders, "amount"))),
        call("gt", col(orders, "n"), 1),
        call("eq", col(orders, "shop"), "north"),
    )
    step = release(orders, (key,), (distinct,), units=orders.units, conditions=conditions, distinct=(distinct,))
    return step, key, distinct


def test_conditional_counts_are_those_counted_by_hand() -> None:
    step, key, distinct = conditional_step()
    hand = by_hand(
        ORDER_ROWS,
        [lambda r: r[3] is not None, lambda r: None if r[4] is None else r[4] > 1, lambda r: r[1] == "north"],
        3,
    )
    rows = answer(step)
    assert list(rows[0]) == [f"c{key.id}", f"c{distinct.id}", "n0", "a0", "o0_0", "o1_0", "o2_0", f"d{distinct.id}_0"]
    got = {row[f"c{key.id}"]: {n.partition("d")[0] or "d": v for n, v in row.items() if n[0] != "c"} for row in rows}
    assert got == hand


def test_conditional_counts_of_two_units_are_counted_for_each() -> None:
    plan = PlanBuilder()
    orders, views = plan.scan(ORDERS), plan.scan(VIEWS)
    joined = inner_join(orders, views, ("user_id", "viewer"))
    seen = plan.measure("sum", col(joined, "cost"))
    step = release(
        joined,
        (plan.computed(col(joined, "shop")),),
        (seen,),
        units=(*orders.units, *views.units),
        conditions=(call("not", call("is_null", col(joined, "amount"))),),
    )
    rows = answer(step)
    assert list(rows[0])[2:] == ["n0", "n1", "a0", "o0_0", "a1", "o0_1"]
    assert [list(row.values())[2:] for row in rows] == [[2, 2, 2, 2, 2, 2], [2, 2, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2]]


def test_conditional_counts_of_units_that_differ_are_counted_apart() -> None:
    plan = PlanBuilder()
    orders, views = plan.scan(ORDERS), plan.scan(VIEWS)
    shops = database()
    shops.execute("UPDATE t1 SET campaign = 'north'")
    joined = inner_join(orders, views, ("shop", "campaign"))
    people = plan.measure("count_distinct", col(joined, "viewer"))
    step = release(
        joined,
        (),
        (people,),
        units=(*orders.units, *views.units),
        conditions=(call("gt", col(joined, "n"), 1), call("not", call("is_null", col(joined, "cost")))),
        distinct=(people,),
    )
    (row,) = shops.sql(render_private(step, TABLES)).to_arrow_table().to_pylist()
    assert list(row.values()) == [4, 3, 4, 1, 2, 3, 3, 1, 4, 3, 1]


def measures_under_a_condition(plan: PlanBuilder, rows: Relation) -> tuple[Field, ...]:
    """Each aggregate of the rows in which n is one: TRUE on three of them, not known on one."""
    one, amount = call("eq", col(rows, "n"), 1), col(rows, "amount")
    return (
        plan.measure("count_rows", condition=one),
        plan.measure("count", amount, condition=one),
        plan.measure("count_distinct", amount, condition=one),
        plan.measure("sum", amount, typed("DECIMAL(38,2)"), one),
        plan.measure("avg", amount, DOUBLE, one),
        plan.measure("count_rows"),
    )


@pytest.mark.parametrize("conditional", [False, True])
def test_an_aggregate_under_a_condition_is_over_the_rows_on_which_it_is_true(conditional: bool) -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    measures = measures_under_a_condition(plan, orders)
    conditions = (call("eq", col(orders, "n"), 1),) if conditional else ()
    (row,) = answer(release(orders, (), measures, units=orders.units, conditions=conditions))
    connection = database()
    plain = connection.execute(
        "SELECT count(*), count(amount), count(DISTINCT amount), sum(amount), avg(amount) FROM t0"
        " WHERE n = 1 AND user_id IS NOT NULL"
    ).fetchone()
    assert plain is not None
    assert 0 < plain[0] < 9
    assert list(row.values())[:6] == [*plain, 9]


def test_a_condition_over_a_column_that_a_projection_hides() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    narrow = project(orders, plan.computed(col(orders, "n"), "n"))
    condition = call("eq", col(orders, "shop"), "south")
    step = release(narrow, (), (plan.measure("count_rows", condition=condition),), units=orders.units)
    assert [list(row.values()) for row in answer(step)] == [[2, 4]]


def test_an_aggregate_is_not_rendered_without_its_condition() -> None:
    condition = literal(True)
    with pytest.raises(ValueError, match="condition"):
        release_aggregate(AggregateCall("count_rows", condition=condition), "", "")
    with pytest.raises(ValueError, match="condition"):
        release_aggregate(AggregateCall("count_rows"), "", "TRUE")


def test_many_conditions_fit_the_mask_and_too_many_are_refused() -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    conditions = tuple(call("ge", col(orders, "n"), i - 1) for i in range(61))
    row = answer(release(orders, (), (), units=orders.units, conditions=conditions[:60]))[0]
    assert row["o0_0"] == 4
    assert row["o59_0"] == 2
    with pytest.raises(ValueError, match="conditions"):
        render_private(release(orders, (), (), units=orders.units, conditions=conditions), TABLES)


def refused_relations() -> list[Relation]:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    return [
        inner_join(orders, plan.scan(VIEWS)),
        inner_join(orders, orders, ("user_id", "user_id")),
        Limit(orders, 5, 0, released=False),
        Sort(orders, (), released=False),
        plan.released("s0", {"a": "BIGINT"}),
        plan.scan(dataset("retailer.orders", {'user_id" FROM t1 --': "BIGINT"})),
    ]


@pytest.mark.parametrize("relation", refused_relations())
def test_what_no_approved_plan_does_with_peoples_rows_is_refused(relation: Relation) -> None:
    with pytest.raises(ValueError, match=r"."):
        render_private(release(relation, (), (), units=tuple(relation.fields[:1])), TABLES)


@pytest.mark.parametrize("function", ["min", "max", "median", "any_value", "arg_min", "arg_max"])
def test_an_aggregate_that_carries_one_persons_value_is_refused(function: str) -> None:
    plan = PlanBuilder()
    orders = plan.scan(ORDERS)
    with pytest.raises(ValueError, match="one person"):
        render_private(release(orders, (), (plan.measure(function, col(orders, "n")),), units=orders.units), TABLES)


CLAIMS = [
    (("user_id",), True, ["1", "2"], True),
    (("user_id",), True, ["1", "1"], False),
    (("user_id",), True, ["NULL", "NULL", "1"], True),
    (("user_id",), True, [], True),
    (("user_id",), False, ["1", "2"], True),
    (("user_id",), False, ["1", "NULL"], False),
    (("user_id",), False, [], True),
    (("user_id", "shop"), True, ["1, 'a'", "1, 'b'"], True),
    (("user_id", "shop"), True, ["1, 'a'", "1, 'a'"], False),
    (("user_id", "shop"), True, ["1, NULL", "1, NULL"], True),
    (("shop",), True, ["1, 'a'", "2, 'A'", "3, 'a '"], True),
]


@pytest.mark.parametrize(("columns", "unique", "rows", "held"), CLAIMS)
def test_a_claim_holds_or_is_broken(columns: tuple[str, ...], unique: bool, rows: list[str], held: bool) -> None:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t0 (user_id BIGINT, shop VARCHAR)")
    for row in rows:
        connection.execute(f"INSERT INTO t0 (user_id{', shop' if ',' in row else ''}) VALUES ({row})")
    sql = render_claim(Claim(ORDERS.name, columns, unique), "t0", ORDERS)
    assert connection.execute(sql).fetchall() == [(held,)]


@pytest.mark.parametrize("columns", [(), ("nope",), ("user_id", 'shop" --')])
def test_a_claim_about_undeclared_columns_is_refused(columns: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="declared"):
        render_claim(Claim(ORDERS.name, columns, unique=True), "t0", ORDERS)


def test_conditional_counts_hold_on_every_small_table() -> None:
    """All tables of three rows over two people, two groups and two values, NULL among the values."""
    step, key, _ = conditional_step()
    sql = render_private(step, TABLES)
    connection = database()
    kinds = list(itertools.product((1, 2), ("north", None), (None, Decimal("1.00"), Decimal("2.00")), (1, 5)))
    for chosen in itertools.islice(itertools.combinations_with_replacement(kinds, 3), 0, None, 17):
        rows = [(u, shop, None, amount, n) for u, shop, amount, n in chosen]
        connection.execute("DELETE FROM t0")
        connection.executemany("INSERT INTO t0 VALUES (?, ?, ?, ?, ?)", rows)
        hand = by_hand(rows, [lambda r: r[3] is not None, lambda r: r[4] > 1, lambda r: r[1] == "north"], 3)
        got = connection.sql(sql).to_arrow_table().to_pylist()
        assert {
            row[f"c{key.id}"]: {n.partition("d")[0] or "d": v for n, v in row.items() if n[0] != "c"} for row in got
        } == hand


def test_text_keys_are_compared_byte_by_byte() -> None:
    plan = PlanBuilder()
    views = plan.scan(VIEWS)
    key = plan.computed(call("lower", col(views, "campaign"), type=VARCHAR))
    rows = answer(release(views, (key,), (plan.measure("count_rows", None, BIGINT),), units=views.units))
    assert [list(r.values()) for r in rows] == [["a", 3, 2], ["b", 2, 2], [None, 1, 1]]
