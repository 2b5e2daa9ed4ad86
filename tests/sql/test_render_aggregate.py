"""Aggregates over people's rows, run by DuckDB: no value makes one fail, and what is not defined is NULL."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import AggregateCall, Expression
from cleanroom.domain.types import BIGINT, DOUBLE
from cleanroom.sql.render import render_private
from cleanroom.sql.render_aggregate import aggregate, release_aggregate, unit_aggregate
from tests.plans import PlanBuilder, call, col, dataset, literal, release

POINTS = dataset("retailer.points", {"user_id": "BIGINT", "x": "DOUBLE", "y": "DOUBLE", "n": "DECIMAL(18,2)"})
INF, NAN = math.inf, math.nan
ONE = ("stddev", "variance", "stddev_pop", "variance_pop")
TWO = ("covar", "covar_pop", "corr")


def measured(function: str, rows: list[tuple[Any, ...]], *, y: bool = False, conditional: bool = False) -> Any:
    """The aggregate of x (and y) over rows of (x, y, n), as a step answers it."""
    plan = PlanBuilder()
    points = plan.scan(POINTS)
    positive = call("gt", col(points, "user_id"), 0)
    measure = plan.measure(
        function, col(points, "x"), DOUBLE, positive if conditional else None, col(points, "y") if y else None
    )
    step = release(points, (), (measure,), units=points.units, conditions=(positive,) if conditional else ())
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (user_id BIGINT, x DOUBLE, y DOUBLE, n DECIMAL(18,2))")
    for i, row in enumerate(rows):
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", [i + 1, *row, *[None] * (3 - len(row))])
    if conditional:  # a row that the condition leaves out
        connection.execute("INSERT INTO t VALUES (-1, 1e300, 'nan', 0)")
    return connection.sql(render_private(step, {POINTS.name: "t"})).to_arrow_table().column(0).to_pylist()[0]


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("function", "expected"),
    [("stddev", math.sqrt(5 / 3)), ("variance", 5 / 3), ("stddev_pop", math.sqrt(1.25)), ("variance_pop", 1.25)],
)
def test_spread_passes_over_null(function: str, expected: float, conditional: bool) -> None:
    rows = [(1.0,), (2.0,), (None,), (3.0,), (4.0,)]
    assert measured(function, rows, conditional=conditional) == pytest.approx(expected)


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(("function", "expected"), [("covar", 1.5), ("covar_pop", 1.0), ("corr", 1.0)])
def test_pairs_of_which_one_side_is_null_are_passed_over(function: str, expected: float, conditional: bool) -> None:
    rows = [(1.0, 2.0), (None, INF), (2.0, 3.5), (NAN, None), (3.0, 5.0)]
    assert measured(function, rows, y=True, conditional=conditional) == pytest.approx(expected)


@pytest.mark.parametrize("hostile", [INF, -INF, NAN, 1e308, -1e308, 1e140])
@pytest.mark.parametrize("function", [*ONE, *TWO])
def test_a_value_whose_square_may_overflow_makes_the_cell_null(function: str, hostile: float) -> None:
    two = function in TWO
    assert measured(function, [(1.0, 2.0), (hostile, 3.0), (2.0, 1.0)], y=two) is None
    assert measured(function, [(hostile, 1.0)] * 3, y=two) is None
    if two:
        assert measured(function, [(1.0, 2.0), (3.0, hostile)], y=True) is None


@pytest.mark.parametrize("function", [*ONE, *TWO])
def test_large_values_inside_the_bound_stay_finite(function: str) -> None:
    near = 9.9e139
    assert math.isfinite(measured(function, [(near, -near), (-near, near), (0.0, 1.0)], y=function in TWO))


@pytest.mark.parametrize(
    ("function", "none", "one", "equal"),
    [
        ("stddev", None, None, 0.0),
        ("variance", None, None, 0.0),
        ("stddev_pop", None, 0.0, 0.0),
        ("variance_pop", None, 0.0, 0.0),
        ("covar", None, None, 0.0),
        ("covar_pop", None, 0.0, 0.0),
        ("corr", None, None, None),
    ],
)
def test_too_few_values_and_values_without_spread(function: str, none: Any, one: Any, equal: Any) -> None:
    two = function in TWO
    assert measured(function, [], y=two) is none
    assert measured(function, [(None, 1.0)], y=two) is none
    assert measured(function, [(5.0, 6.0)], y=two) == one
    assert measured(function, [(5.0, 6.0), (5.0, 6.0)], y=two) == equal


@pytest.mark.parametrize("function", ["arg_min", "arg_max", "min", "max", "median", "any_value"])
def test_what_carries_a_value_of_one_person_is_never_released(function: str) -> None:
    with pytest.raises(ValueError, match="one person"):
        release_aggregate(AggregateCall(function, literal(1), second=literal(2)), "1", "", "2")


@pytest.mark.parametrize("function", [*ONE, *TWO, "median", "any_value"])
def test_what_needs_many_people_is_never_inside_one(function: str) -> None:
    with pytest.raises(ValueError, match="one person"):
        unit_aggregate(AggregateCall(function, literal(1), second=literal(2)))


@pytest.mark.parametrize(
    ("function", "argument", "second"),
    [
        ("corr", literal(1), None),
        ("arg_max", literal(1), None),
        ("sum", literal(1), literal(2)),
        ("stddev", literal(1), literal(2)),
        ("covar", None, literal(2)),
    ],
)
def test_each_aggregate_has_its_number_of_arguments(
    function: str, argument: Expression | None, second: Expression | None
) -> None:
    with pytest.raises(ValueError, match="argument"):
        aggregate(AggregateCall(function, argument, second=second), "1" if argument else "", "", "2" if second else "")


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("greatest", ("x", "y"), [2.0, 5.0, 7.0, None, NAN, INF]),
        ("least", ("x", "y"), [1.0, 5.0, 7.0, None, 1.0, -0.5]),
        ("least", ("x", 3.0), [1.0, 3.0, 3.0, 3.0, 3.0, -0.5]),
        ("greatest", ("x", "n"), [1.0, 5.0, 2.25, None, NAN, 1e15]),
    ],
)
def test_greatest_and_least_pass_over_null(function: str, arguments: tuple[Any, ...], expected: list[Any]) -> None:
    plan = PlanBuilder()
    points = plan.scan(POINTS)
    parts = [col(points, a) if isinstance(a, str) else a for a in arguments]
    key = plan.computed(col(points, "user_id"))
    measure = plan.measure("sum", call(function, *parts, type=DOUBLE), DOUBLE)
    step = release(points, (key,), (measure,), units=points.units)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (user_id BIGINT, x DOUBLE, y DOUBLE, n DECIMAL(18,2))")
    rows = [
        (1.0, 2.0, None),
        (5.0, None, None),
        (None, 7.0, Decimal("2.25")),
        (None, None, None),
        (NAN, 1.0, Decimal(1)),
        (-0.5, INF, Decimal(10**15)),
    ]
    for i, row in enumerate(rows):
        connection.execute("INSERT INTO t VALUES (?, ?, ?, ?)", [i, *row])
    found = connection.execute(f"SELECT * FROM ({render_private(step, {POINTS.name: 't'})}) ORDER BY 1").fetchall()
    assert [repr(row[1]) for row in found] == list(map(repr, expected))


def test_a_bound_by_a_literal_counts_where_the_column_is_a_whole_number() -> None:
    plan = PlanBuilder()
    points = plan.scan(POINTS)
    clamped = call("least", call("greatest", col(points, "user_id"), 2, type=BIGINT), 4, type=BIGINT)
    step = release(points, (), (plan.measure("sum", clamped),), units=points.units)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t AS SELECT i AS user_id, 0.0 AS x, 0.0 AS y, 0.0 AS n FROM range(1, 7) AS r(i)")
    assert connection.execute(render_private(step, {POINTS.name: "t"})).fetchall()[0][0] == 2 + 2 + 3 + 4 + 4 + 4
