"""Final steps rendered for DuckDB: order, limits, windows and arithmetic over released tables."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import Field, FrameBound, SortKey, WindowCall
from cleanroom.domain.plan import (
    Aggregate,
    JoinKind,
    Limit,
    OneRow,
    Project,
    Relation,
    ReleasedScan,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from cleanroom.domain.types import BIGINT, DOUBLE, VARCHAR
from cleanroom.sql.render import render_final
from tests.plans import PlanBuilder, call, col, dataset, final, inner_join, joined, literal, project, where

ROWS = [("a", 3, 30), ("b", 1, None), (None, 2, 20), ("d", 5, 2**100), ("e", None, -5)]


def table(plan: PlanBuilder) -> ReleasedScan:
    return plan.released("groups", {"name": "VARCHAR", "n": "BIGINT", "total": "HUGEINT"})


def answer(relation: Relation) -> list[tuple[Any, ...]]:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    for name, first in (("r0", 1), ("r1", 4)):
        connection.execute(f"CREATE TABLE {name} (c{first} VARCHAR, c{first + 1} BIGINT, c{first + 2} HUGEINT)")
        connection.executemany(f"INSERT INTO {name} VALUES (?, ?, ?)", ROWS)
    return connection.execute(render_final(final(relation), {"groups": "r0", "others": "r1"})).fetchall()


def ordered(relation: Relation, *keys: SortKey) -> Sort:
    return Sort(relation, keys, released=True)


def test_order_and_limit_stand_in_the_outermost_select() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    top = Limit(ordered(groups, SortKey(col(groups, "n"), descending=True)), 2, 1, released=True)
    sql = render_final(final(project(top, plan.computed(col(top, "name")))), {"groups": "r0"})
    assert sql == (
        'SELECT "c4" FROM (SELECT "c1" AS "c4", s0 FROM (SELECT "c1", "c2", "c3", s0 FROM'
        ' (SELECT "c1", "c2", "c3", "c2" AS s0 FROM (SELECT "c1", "c2", "c3" FROM "r0"))'
        " ORDER BY s0 DESC NULLS LAST LIMIT 2 OFFSET 1)) ORDER BY s0 DESC NULLS LAST"
    )


@pytest.mark.parametrize(
    ("descending", "nulls_first", "expected"),
    [
        (False, False, ["b", None, "a", "d", "e"]),
        (True, False, ["d", "a", None, "b", "e"]),
        (False, True, ["e", "b", None, "a", "d"]),
        (True, True, ["e", "d", "a", None, "b"]),
    ],
)
def test_a_projection_above_a_sort_keeps_its_order(descending: bool, nulls_first: bool, expected: list[Any]) -> None:
    plan = PlanBuilder()
    groups = table(plan)
    by = ordered(groups, SortKey(col(groups, "n"), descending=descending, nulls_first=nulls_first))
    assert [row[0] for row in answer(project(by, plan.computed(col(by, "name"))))] == expected


def test_the_last_sort_decides_and_a_limit_below_keeps_the_rows_it_chose() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    top = Limit(ordered(groups, SortKey(col(groups, "n"), descending=True)), 3, 0, released=True)
    again = ordered(top, SortKey(call("negate", col(top, "n"), type=BIGINT), descending=True), SortKey(literal(1)))
    assert [row[0] for row in answer(again)] == [None, "a", "d"]


def test_having_sees_released_values_and_never_raises() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    huge = call("gt", call("multiply", col(groups, "total"), col(groups, "total"), type=DOUBLE), 100)
    assert [row[0] for row in answer(where(groups, huge))] == ["a", None]
    ratio = plan.computed(call("divide", col(groups, "total"), call("subtract", col(groups, "n"), 2, type=BIGINT)))
    assert answer(project(groups, ratio)) == [(30.0,), (None,), (None,), (2**100 / 3,), (None,)]


def test_an_outer_query_aggregates_released_rows() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    functions = ("count_rows", "count", "sum", "avg", "min", "max", "median", "stddev", "variance", "any_value")
    measures = tuple(plan.measure(f, None if f == "count_rows" else col(groups, "n")) for f in functions)
    (row,) = answer(Aggregate(groups, (), measures, released=True))
    assert row[:7] == (5, 4, 11, 2.75, 1, 5, 2.5)
    assert [round(v, 6) for v in row[7:9]] == [1.707825, 2.916667]
    assert row[9] == 3


def test_an_outer_query_aggregates_the_released_rows_that_meet_a_condition() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    few = call("lt", col(groups, "n"), 5)
    measures = (
        plan.measure("count_rows", condition=few),
        plan.measure("max", col(groups, "n"), condition=few),
        plan.measure("sum", col(groups, "total"), condition=few),
        plan.measure("sum", col(groups, "n"), condition=call("eq", 1, 2)),
    )
    assert answer(Aggregate(groups, (), measures, released=True)) == [(3, 3, 50, None)]


def test_a_sum_that_would_overflow_is_null_and_others_are_exact() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    total = plan.measure("sum", col(groups, "total"))
    assert answer(Aggregate(groups, (), (total,), released=True)) == [(None,)]
    small = where(groups, call("lt", col(groups, "n"), 5))
    assert answer(Aggregate(small, (), (total,), released=True)) == [(50,)]
    none = where(groups, call("eq", 1, 2))
    assert answer(Aggregate(none, (), (total, plan.measure("count_rows")), released=True)) == [(None, 0)]


def test_an_aggregate_without_keys_of_no_rows_is_one_row() -> None:
    plan = PlanBuilder()
    groups = where(table(plan), literal(False))
    assert answer(Aggregate(groups, (), (plan.measure("count_rows"),), released=True)) == [(0,)]
    key = plan.computed(literal(1))
    assert answer(Aggregate(groups, (key,), (plan.measure("count_rows"),), released=True)) == []


def window(plan: PlanBuilder, groups: Relation, function: str, *arguments: Any, frame: Any = None) -> list[Any]:
    order = (SortKey(col(groups, "n")),)
    made = plan.window(WindowCall(function, arguments, (), order, frame))
    by = ordered(Window(groups, (made,), released=True), SortKey(col(groups, "n")))
    return [row[-1] for row in answer(by)]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("row_number", [1, 2, 3, 4, 5]),
        ("rank", [1, 2, 3, 4, 5]),
        ("dense_rank", [1, 2, 3, 4, 5]),
        ("percent_rank", [0.0, 0.25, 0.5, 0.75, 1.0]),
        ("cume_dist", [0.2, 0.4, 0.6, 0.8, 1.0]),
        ("count_rows", [1, 2, 3, 4, 5]),
    ],
)
def test_a_window_without_arguments(function: str, expected: list[Any]) -> None:
    plan = PlanBuilder()
    assert window(plan, table(plan), function) == expected


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("ntile", (2,), [1, 1, 1, 2, 2]),
        ("ntile", (0,), [None] * 5),
        ("ntile", (-1,), [None] * 5),
        ("lag", ("n",), [None, 1, 2, 3, 5]),
        ("lag", ("n", 2**63 - 1), [None] * 5),
        ("lag", ("n", -(2**63)), [None] * 5),
        ("lead", ("n", 1, 0), [2, 3, 5, None, 0]),
        ("lead", ("n", 1, "x"), [2, 3, 5, None, None]),
        ("first_value", ("name",), ["b"] * 5),
        ("last_value", ("name",), ["b", None, "a", "d", "e"]),
        ("sum", ("n",), [1, 3, 6, 11, 11]),
        ("sum", ("total",), [None, 20, 50, None, None]),
        ("avg", ("n",), [1.0, 1.5, 2.0, 2.75, 2.75]),
        ("max", ("n",), [1, 2, 3, 5, 5]),
        ("count", ("name",), [1, 1, 2, 3, 4]),
    ],
)
def test_a_window_with_arguments_never_raises(function: str, arguments: tuple[Any, ...], expected: list[Any]) -> None:
    plan = PlanBuilder()
    groups = table(plan)
    names = {"n", "name", "total"}
    parts = [col(groups, a) if a in names else literal(a) for a in arguments]
    assert window(plan, groups, function, *parts) == expected


def test_a_frame_counts_rows() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    n = col(groups, "n")
    assert window(plan, groups, "sum", n, frame=(FrameBound(-1), FrameBound(0))) == [1, 3, 5, 8, 5]
    assert window(plan, groups, "sum", n, frame=(FrameBound(1), FrameBound(None))) == [10, 8, 5, None, None]
    assert window(plan, groups, "sum", n, frame=(FrameBound(None), FrameBound(2))) == [6, 11, 11, 11, 11]


def test_a_partition_and_a_literal_order_are_no_positions() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    call_ = WindowCall("count_rows", (), (call("is_null", col(groups, "name")),), (SortKey(literal(1)),))
    rows = answer(Window(groups, (plan.window(call_),), released=True))
    assert sorted(row[-1] for row in rows) == [1, 4, 4, 4, 4]


def test_released_tables_join_on_their_keys() -> None:
    plan = PlanBuilder()
    left = table(plan)
    right = plan.released("others", {"name2": "VARCHAR", "n2": "BIGINT", "total2": "HUGEINT"})
    joined = inner_join(ordered(left, SortKey(col(left, "n"))), right, ("n", "n2"))
    assert sorted(row[1] for row in answer(joined)) == [1, 2, 3, 5]


def test_a_select_without_a_table_is_one_row() -> None:
    plan = PlanBuilder()
    one = Project(OneRow(), (plan.computed(literal("x")), plan.computed(literal(Decimal("1.5")))), released=True)
    assert answer(one) == [("x", Decimal("1.5"))]


def test_a_column_named_twice_comes_out_twice() -> None:
    plan = PlanBuilder()
    name = plan.computed(col(table(plan), "name"))
    groups = table(PlanBuilder())
    rows = answer(Project(groups, (name, name), released=True))
    assert rows[0] == ("a", "a")


def refused_relations() -> list[Relation]:
    plan = PlanBuilder()
    groups = table(plan)
    people = plan.scan(dataset("retailer.customers", {"user_id": "BIGINT"}))
    unknown: Field = plan.window(WindowCall("pg_sleep", (), (), ()))
    return [
        people,
        project(people, plan.computed(col(people, "user_id"))),
        joined(JoinKind.FULL, groups, plan.released("others", {"x": "BIGINT"})),
        joined(JoinKind.ANTI, groups, plan.released("others", {"x": "BIGINT"})),
        inner_join(groups, groups, ("n", "n")),
        Limit(groups, -1, 0, released=True),
        Limit(groups, None, -1, released=True),
        Window(groups, (unknown,), released=True),
    ]


@pytest.mark.parametrize("relation", refused_relations())
def test_what_no_approved_last_step_does_is_refused(relation: Relation) -> None:
    with pytest.raises(ValueError, match=r"."):
        render_final(final(relation), {"groups": "r0", "others": "r1"})


def test_no_name_of_the_analysts_is_in_the_text() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    evil = plan.computed(call("upper", col(groups, "name"), type=VARCHAR), 'x" FROM secret --')
    assert "secret" not in render_final(final(project(groups, evil)), {"groups": "r0"})


def others(plan: PlanBuilder) -> ReleasedScan:
    return plan.released("others", {"key": "VARCHAR", "m": "BIGINT", "sum": "HUGEINT"})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (JoinKind.INNER, [("a", "a"), ("b", "b")]),
        (JoinKind.LEFT, [("a", "a"), ("b", "b"), ("d", None), ("e", None), (None, None)]),
        (JoinKind.FULL, [("a", "a"), ("b", "b"), ("d", None), ("e", None), (None, None), (None, None)]),
    ],
)
def test_released_tables_are_joined_and_null_matches_nothing(kind: JoinKind, expected: list[Any]) -> None:
    plan = PlanBuilder()
    groups = table(plan)
    right = others(plan)
    few = where(right, call("le", col(right, "m"), 3))
    both = joined(kind, groups, few, ("name", "key"))
    rows = answer(project(both, plan.computed(col(both, "name")), plan.computed(col(both, "key"))))
    assert sorted(rows, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize(("kind", "expected"), [(JoinKind.SEMI, ["a", "b"]), (JoinKind.ANTI, ["d", "e", None])])
def test_membership_in_a_released_column_repeats_no_row(kind: JoinKind, expected: list[Any]) -> None:
    plan = PlanBuilder()
    groups, right = table(plan), others(plan)
    few = where(right, call("le", col(right, "m"), 3))
    made = tuple(plan.field(name, field.type, literal(None)) for name, field in zip("kmt", few.fields, strict=True))
    twice = SetOperation((few, few), SetKind.UNION_ALL, made)
    found = answer(joined(kind, groups, twice, ("name", "k")))
    assert sorted((row[0] for row in found), key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.LEFT])
@pytest.mark.parametrize("empty", [False, True])
def test_a_scalar_is_joined_without_keys(kind: JoinKind, empty: bool) -> None:
    plan = PlanBuilder()
    groups, right = table(plan), others(plan)
    most = Aggregate(right, (), (plan.measure("max", col(right, "m")),), released=True)
    one = where(most, call("eq", 1, 2 if empty else 1))
    both = joined(kind, groups, one)
    expected = [] if empty and kind is JoinKind.INNER else [None if empty else 5] * 5
    assert [row[3] for row in answer(both)] == expected


SETS = [
    (SetKind.UNION_ALL, [1, 1, 2, 2, 3, 3, 5, 5, None, None, 0, 0]),
    (SetKind.UNION, [1, 2, 3, 5, None, 0]),
    (SetKind.INTERSECT, [1, 2, 3, 5, None]),
    (SetKind.EXCEPT, []),
]


@pytest.mark.parametrize(("kind", "expected"), SETS)
def test_tables_are_put_together_by_position(kind: SetKind, expected: list[Any]) -> None:
    plan = PlanBuilder()
    groups, right = table(plan), others(plan)
    one = project(groups, plan.computed(col(groups, "n")))
    other = project(right, plan.computed(col(right, "m")))
    zero = project(OneRow(), plan.computed(literal(Decimal("0.00"))))
    inputs: list[Relation] = [one, other]
    if kind in (SetKind.UNION_ALL, SetKind.UNION):
        inputs += [zero] * (2 if kind is SetKind.UNION_ALL else 1)
    found = answer(SetOperation(tuple(inputs), kind, (plan.field("n", DOUBLE, literal(None)),)))
    assert sorted((row[0] for row in found), key=repr) == sorted(
        (None if v is None else float(v) for v in expected), key=repr
    )
    assert all(value is None or isinstance(value, float) for (value,) in found)


def test_what_is_taken_away_is_taken_from_left_to_right() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    names = project(groups, plan.computed(col(groups, "name")))
    first = Limit(ordered(names, SortKey(col(names, "computed"))), 1, 0, released=True)
    nothing = project(OneRow(), plan.computed(literal(None)))
    taken = SetOperation((names, first, nothing), SetKind.EXCEPT, (plan.field("name", VARCHAR, literal(None)),))
    assert sorted(row[0] for row in answer(taken)) == ["b", "d", "e"]


def test_a_value_that_the_common_type_does_not_hold_is_null() -> None:
    plan = PlanBuilder()
    groups = table(plan)
    both = SetOperation((groups, groups), SetKind.UNION, tuple(plan.field("x", t, literal(None)) for t in FITS))
    assert {row[2] for row in answer(both)} == {30, None, 20, -5}


FITS = (VARCHAR, BIGINT, BIGINT)


@pytest.mark.parametrize("columns", [(1, 1), (0, 3), (2, 2)])
def test_tables_of_different_shapes_are_not_put_together(columns: tuple[int, int]) -> None:
    plan = PlanBuilder()
    groups = table(plan)
    parts = tuple(project(groups, *(plan.computed(literal(1)) for _ in range(n))) for n in columns)
    made = tuple(plan.field("x", BIGINT, literal(None)) for _ in range(3))
    with pytest.raises(ValueError, match="shapes"):
        render_final(final(SetOperation(parts, SetKind.UNION_ALL, made)), {"groups": "r0"})
