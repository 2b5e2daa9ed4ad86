"""Rows of people on their way to a release: per-unit tables, windows and the kinds of joins, run by DuckDB."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import Expression, Field, SortKey, WindowCall
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, JoinKind, Limit, Relation, Scan, Sort
from cleanroom.domain.types import BIGINT, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR
from cleanroom.sql.render_rows import provided, rows
from tests.plans import PlanBuilder, call, col, dataset, joined, literal, per_unit, project, where, windowed

CLICKS = dataset("publisher.clicks", {"user_id": "BIGINT", "page": "VARCHAR", "at": "TIMESTAMP", "spent": "DOUBLE"})
BUYERS = dataset("retailer.buyers", {"buyer": "BIGINT", "mail": "VARCHAR", "score": "DOUBLE"}, units=("buyer",))
TABLES = {CLICKS.name: "t0", BUYERS.name: "t1"}

CLICK_ROWS: list[tuple[Any, ...]] = [
    (1, "a", "2026-01-01 10:00:00", 1.0),
    (1, "a", "2026-01-02 09:00:00", 2.0),
    (1, "b", None, float("nan")),
    (2, "a", "2026-01-03 08:00:00", float("inf")),
    (2, None, "2026-01-01 07:00:00", 1e308),
    (2, None, "2026-01-04 07:00:00", 1e308),
    (3, "b", "2026-01-02 00:00:00", None),
    (None, "a", "2026-01-02 00:00:00", 4.0),
]
BUYER_ROWS: list[tuple[Any, ...]] = [
    (12, "a", 1.0),
    (11, "a", -0.0),
    (11, "a", 0.0),
    (13, None, 5.0),
    (14, "c", None),
    (None, "b", 7.0),
]


def selected(relation: Relation, *fields: Field) -> list[tuple[Any, ...]]:
    """The rows of these columns, ordered by them, NULL last."""
    connection = duckdb.connect()
    connection.execute('CREATE TABLE t0 (user_id BIGINT, page VARCHAR, "at" TIMESTAMP, spent DOUBLE)')
    connection.execute("CREATE TABLE t1 (buyer BIGINT, mail VARCHAR, score DOUBLE)")
    connection.executemany("INSERT INTO t0 VALUES (?, ?, ?, ?)", CLICK_ROWS)
    connection.executemany("INSERT INTO t1 VALUES (?, ?, ?)", BUYER_ROWS)
    columns = ", ".join(f"c{field.id}" for field in fields)
    return connection.execute(
        f"SELECT {columns} FROM ({rows(relation, frozenset(fields), TABLES)}) ORDER BY ALL NULLS LAST"
    ).fetchall()


def named(relation: Relation, *names: str) -> list[tuple[Any, ...]]:
    return selected(relation, *(col(relation, name).field for name in names))


def test_a_per_unit_table_has_one_row_for_each_person_and_carries_the_person() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    key = plan.computed(col(clicks, "user_id"), "person")
    first = plan.measure("min", col(clicks, "at"), TIMESTAMP)
    often = plan.measure("count_rows")
    pages = plan.measure("count_distinct", col(clicks, "page"))
    on_a = plan.measure("count_rows", condition=call("eq", col(clicks, "page"), "a"))
    table = per_unit(clicks, (key,), (first, often, pages, on_a))
    found = selected(table, key, often, pages, on_a, *clicks.units)
    assert found == [(1, 3, 2, 2, 1), (2, 3, 1, 1, 2), (3, 1, 1, 0, 3)]
    assert [str(row[0]) for row in selected(table, first)] == [
        "2026-01-01 07:00:00",
        "2026-01-01 10:00:00",
        "2026-01-02 00:00:00",
    ]


def test_a_finer_per_unit_table_keeps_groups_whose_key_is_null() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    keys = (plan.computed(col(clicks, "user_id")), plan.computed(col(clicks, "page")))
    often = plan.measure("count_rows")
    assert selected(per_unit(clicks, keys, (often,)), *keys, often) == [
        (1, "a", 2),
        (1, "b", 1),
        (2, "a", 1),
        (2, None, 2),
        (3, "b", 1),
    ]


def test_a_person_is_carried_where_no_column_names_them() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    table = per_unit(clicks, (plan.computed(col(clicks, "user_id")),), (plan.measure("count_rows"),))
    narrow = project(table, plan.computed(literal(1), "one"))
    again = where(narrow, call("eq", col(narrow, "one"), 1))
    assert selected(again, *clicks.units) == [(1,), (2,), (3,)]
    assert provided(table) == {*table.keys, *table.measures, *clicks.units}


def test_no_value_of_a_person_makes_a_per_unit_table_fail() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    spent = col(clicks, "spent")
    key = plan.computed(col(clicks, "user_id"))
    total, mean, most = (plan.measure(name, spent, DOUBLE) for name in ("sum", "avg", "max"))
    found = selected(per_unit(clicks, (key,), (total, mean, most)), key, total, mean, most)
    assert [list(map(repr, row)) for row in found] == [
        ["1", "nan", "nan", "nan"],
        ["2", "inf", "inf", "inf"],
        ["3", "None", "None", "None"],
    ]


@pytest.mark.parametrize(("function", "expected"), [("arg_min", ["a", "b"]), ("arg_max", ["b", "b"])])
def test_of_several_rows_at_one_moment_arg_min_takes_the_least_and_arg_max_the_greatest(
    function: str, expected: list[str]
) -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    key = plan.computed(col(clicks, "user_id"))
    month = call("date_trunc", "month", col(clicks, "at"), type=TIMESTAMP)
    by_month = plan.measure(
        function, col(clicks, "page"), VARCHAR, second=call("coalesce", month, month, type=TIMESTAMP)
    )
    none = plan.measure(function, col(clicks, "page"), VARCHAR, condition=call("eq", 1, 2), second=col(clicks, "at"))
    some = where(clicks, call("not", call("is_null", col(clicks, "page"))))
    by_day = plan.measure(function, col(clicks, "page"), VARCHAR, second=literal(1))
    found = selected(per_unit(some, (key,), (by_month, by_day, none)), key, by_month, by_day, none)
    assert found == [(1, "a", expected[0], None), (2, "a", "a", None), (3, "b", expected[1], None)]


def test_a_sum_of_sums_and_its_mean_stay_inside_their_types() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    key = plan.computed(col(clicks, "user_id"))
    total = plan.measure("sum", literal(2**63 - 1), HUGEINT)
    once = per_unit(clicks, (key,), (total,))
    again = plan.computed(col(once, "computed"))
    sums, means = plan.measure("sum", col(once, "sum"), HUGEINT), plan.measure("avg", col(once, "sum"), DOUBLE)
    assert selected(per_unit(once, (again,), (sums, means)), sums, means) == [
        (2**63 - 1, float(2**63 - 1)),
        (3 * (2**63 - 1), 3 * float(2**63 - 1)),
        (3 * (2**63 - 1), 3 * float(2**63 - 1)),
    ]


def test_rows_of_one_person_are_numbered_among_themselves() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    partition, order = (col(clicks, "user_id"),), (SortKey(col(clicks, "at")), SortKey(col(clicks, "page")))
    number = plan.window(WindowCall("row_number", (), partition, order))
    before = plan.window(WindowCall("lag", (col(clicks, "page"),), partition, order), VARCHAR)
    table = windowed(clicks, number, before)
    user = col(clicks, "user_id").field
    assert selected(table, user, number, before) == [
        (1, 1, None),
        (1, 2, "a"),
        (1, 3, "a"),
        (2, 1, None),
        (2, 2, None),
        (2, 3, "a"),
        (3, 1, None),
    ]
    first = where(table, call("eq", col(table, "row_number"), 1))
    assert selected(first, *clicks.units) == [(1,), (2,), (3,)]


def test_a_left_join_keeps_every_left_row_and_has_nobody_where_nothing_matches() -> None:
    plan = PlanBuilder()
    clicks, buyers = plan.scan(CLICKS), plan.scan(BUYERS)
    table = joined(JoinKind.LEFT, clicks, buyers, ("page", "mail"))
    assert named(table, "user_id", "page", "buyer") == [
        *[(1, "a", 11)] * 4,
        *[(1, "a", 12)] * 2,
        (1, "b", None),
        *[(2, "a", 11)] * 2,
        (2, "a", 12),
        (2, None, None),
        (2, None, None),
        (3, "b", None),
    ]


def test_a_semi_join_has_each_left_row_once_with_the_least_unit_that_matches() -> None:
    plan = PlanBuilder()
    clicks, buyers = plan.scan(CLICKS), plan.scan(BUYERS)
    table = joined(JoinKind.SEMI, clicks, buyers, ("page", "mail"))
    user, page = col(clicks, "user_id").field, col(clicks, "page").field
    assert selected(table, user, page, *buyers.units) == [(1, "a", 11), (1, "a", 11), (2, "a", 11)]
    assert selected(table, user) == [(1,), (1,), (2,)]


def test_a_semi_join_has_each_row_once_where_values_are_equal_only_as_numbers_of_another_type() -> None:
    plan = PlanBuilder()
    texts = dataset("publisher.clicks", {"user_id": "BIGINT", "page": "VARCHAR"})
    left, right = plan.scan(BUYERS), plan.scan(texts)
    table = joined(JoinKind.SEMI, left, right, ("score", "user_id"))
    assert selected(table, *left.units, *right.units) == [(12, 1)]
    zeros = joined(JoinKind.SEMI, plan.scan(BUYERS), plan.scan(BUYERS), ("score", "score"))
    assert [row[0] for row in selected(zeros, *zeros.left.fields[:1])] == [11, 11, 12, 13]


def test_an_anti_join_keeps_what_has_no_match_and_null_matches_nothing() -> None:
    plan = PlanBuilder()
    clicks, buyers = plan.scan(CLICKS), plan.scan(BUYERS)
    table = joined(JoinKind.ANTI, clicks, buyers, ("page", "mail"))
    assert named(table, "user_id", "page") == [(1, "b"), (2, None), (2, None), (3, "b")]
    nobody = joined(JoinKind.ANTI, clicks, where(buyers, call("eq", 1, 2)), ("page", "mail"))
    assert len(named(nobody, "user_id")) == 7
    assert provided(table) == set(clicks.fields)


def test_a_semi_join_with_a_per_unit_table_counts_its_people() -> None:
    plan = PlanBuilder()
    clicks, buyers = plan.scan(CLICKS), plan.scan(BUYERS)
    mails = per_unit(buyers, (plan.computed(col(buyers, "mail"), "mail"), plan.computed(col(buyers, "buyer"))))
    table = joined(JoinKind.SEMI, clicks, mails, ("page", "mail"))
    assert selected(table, *clicks.units, *buyers.units) == [(1, 11), (1, 11), (2, 11)]


def _one_more(plan: PlanBuilder, argument: Expression) -> Field:
    return plan.computed(call("coalesce", argument, argument, type=BIGINT), "again")


def test_a_field_that_comes_from_below_is_not_computed_again() -> None:
    plan = PlanBuilder()
    clicks = plan.scan(CLICKS)
    person = _one_more(plan, col(clicks, "user_id"))
    table = per_unit(clicks, (person,))
    assert selected(project(table, person), person) == [(1,), (2,), (3,)]


def _unfit(plan: PlanBuilder, clicks: Scan, buyers: Scan) -> dict[str, tuple[Relation, Field]]:
    key = plan.computed(col(clicks, "user_id"))
    unknown = plan.measure("median", col(clicks, "spent"), DOUBLE)
    everyone = plan.window(WindowCall("row_number", (), (), ()))
    semi = joined(JoinKind.SEMI, clicks, buyers, ("page", "mail"))
    return {
        "an aggregate that is for releases alone": (per_unit(clicks, (key,), (unknown,)), unknown),
        "a table without keys": (per_unit(clicks, ()), clicks.units[0]),
        "a column that a per-unit table does not have": (per_unit(clicks, (key,)), col(clicks, "page").field),
        "a release": (Aggregate(clicks, (key,), (), released=True), key),
        "a window over everyone": (windowed(clicks, everyone), everyone),
        "a column of a semi-join's right side": (semi, col(buyers, "mail").field),
        "a unit of an anti-join's right side": (
            joined(JoinKind.ANTI, clicks, buyers, ("page", "mail")),
            buyers.units[0],
        ),
        "a full join": (joined(JoinKind.FULL, clicks, buyers, ("page", "mail")), clicks.units[0]),
        "a left join without keys": (joined(JoinKind.LEFT, clicks, buyers), clicks.units[0]),
        "a join with itself": (joined(JoinKind.SEMI, clicks, clicks, ("page", "page")), clicks.units[0]),
        "an order": (Sort(clicks, (), released=False), clicks.units[0]),
        "a choice of rows": (Limit(clicks, 3, 0, released=False), clicks.units[0]),
    }


_PLAN = PlanBuilder()
UNFIT = _unfit(_PLAN, _PLAN.scan(CLICKS), _PLAN.scan(BUYERS))


@pytest.mark.parametrize("name", UNFIT)
def test_what_peoples_rows_never_pass_through_is_refused(name: str) -> None:
    relation, field = UNFIT[name]
    with pytest.raises(ValueError, match=r"."):
        rows(relation, frozenset({field}), {DatasetName("publisher.clicks"): "t0", BUYERS.name: "t1"})
