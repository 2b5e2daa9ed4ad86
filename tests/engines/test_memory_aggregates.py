"""Spreads and aggregates of two arguments in memory are DuckDB's over the same values; ties are decided by definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import pytest

from cleanroom.domain.expression import AggregateCall, Value
from cleanroom.domain.functions import MOMENT_BOUND
from cleanroom.engines.memory_aggregates import AGGREGATE_FUNCTIONS, aggregate, aggregated
from cleanroom.engines.memory_pairs import paired
from tests.plans import PlanBuilder, call, col

NAMES = {
    "stddev_pop": "stddev_pop",
    "variance_pop": "var_pop",
    "stddev": "stddev_samp",
    "variance": "var_samp",
    "covar": "covar_samp",
    "covar_pop": "covar_pop",
    "corr": "corr",
    "arg_min": "arg_min",
    "arg_max": "arg_max",
}
VALUES: list[list[Value]] = [
    [],
    [None],
    [1.5],
    [1.5, None, 1.5],
    [1.0, 2.0, 4.0, None, -3.25],
    [0.1, 0.1, 0.1],
]
PAIRS: list[list[tuple[Value, Value]]] = [
    [],
    [(None, 1.0), (1.0, None), (None, None)],
    [(1.5, 2.5)],
    [(1.5, 2.5), (None, 9.0), (9.0, None)],
    [(1.0, 2.0), (3.0, 3.0), (4.0, 7.0), (-2.0, 0.5)],
    [(0.1, 7.0), (0.2, 6.0), (0.3, 5.0)],
]


def in_duckdb(text: str, rows: Sequence[Sequence[Value]]) -> Value:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (a DOUBLE, b DOUBLE)")
        for row in rows:
            connection.execute("INSERT INTO t VALUES (?, ?)", list(row))
        found: Value = connection.execute(f"SELECT {text} FROM t").fetchall()[0][0]
        return found


def same(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return math.isclose(left, right, rel_tol=1e-12)
    return left is right


@pytest.mark.parametrize("function", ["stddev_pop", "variance_pop", "stddev", "variance"])
@pytest.mark.parametrize("values", VALUES, ids=str)
def test_a_spread_is_duckdbs(function: str, values: list[Value]) -> None:
    assert same(aggregated(function, values), in_duckdb(f"{NAMES[function]}(a)", [(v, None) for v in values]))


@pytest.mark.parametrize("function", ["covar", "covar_pop", "corr"])
@pytest.mark.parametrize("pairs", PAIRS, ids=str)
def test_an_aggregate_of_two_is_duckdbs(function: str, pairs: list[tuple[Value, Value]]) -> None:
    # DuckDB's CORR of what does not vary is NaN, and never ours.
    assert same(paired(function, pairs), in_duckdb(f"nullif({NAMES[function]}(a, b), 'nan'::DOUBLE)", pairs))


@pytest.mark.parametrize("function", ["arg_min", "arg_max"])
@pytest.mark.parametrize("pairs", [pairs for pairs in PAIRS if len({b for _, b in pairs}) == len(pairs)], ids=str)
def test_the_value_at_the_end_of_another_is_duckdbs(function: str, pairs: list[tuple[Value, Value]]) -> None:
    assert same(paired(function, pairs), in_duckdb(f"{NAMES[function]}(a, b)", pairs))


def test_of_several_at_the_end_the_outermost_is_taken_whatever_comes_first() -> None:
    pairs: list[tuple[Value, Value]] = [("b", 1), ("c", 1), ("a", 1), (None, 1)]
    assert paired("arg_min", pairs) == paired("arg_min", pairs[::-1]) == "a"
    assert paired("arg_max", pairs) == paired("arg_max", pairs[::-1]) == "c"


def test_the_ends_are_those_of_the_second_argument() -> None:
    pairs: list[tuple[Value, Value]] = [("a", Decimal("2.50")), ("b", Decimal("-1.00")), ("c", None)]
    assert (paired("arg_min", pairs), paired("arg_max", pairs)) == ("b", "a")


FAR = (math.inf, -math.inf, math.nan, MOMENT_BOUND, -MOMENT_BOUND)


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("function", ["covar", "covar_pop", "corr"])
def test_a_value_that_is_no_ordinary_number_leaves_nothing(function: str, far: float) -> None:
    assert paired(function, [(1.0, 1.0), (far, 2.0), (3.0, 5.0)]) is None
    assert paired(function, [(1.0, 1.0), (2.0, far), (3.0, 5.0)]) is None
    assert paired(function, [(1.0, 1.0), (None, far), (3.0, 5.0)]) is not None


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("function", ["stddev", "variance", "stddev_pop", "variance_pop"])
def test_a_spread_of_no_ordinary_numbers_is_null(function: str, far: float) -> None:
    assert aggregated(function, [1.0, far, 2.0]) is None


@pytest.mark.parametrize("function", ["covar", "covar_pop"])
def test_just_inside_the_bound_nothing_overflows(function: str) -> None:
    inside = math.nextafter(MOMENT_BOUND, 0)
    found = paired(function, [(inside, inside), (-inside, -inside)])
    assert isinstance(found, float)
    assert math.isfinite(found)


@pytest.mark.parametrize("pairs", [[(1.0, 2.0)], [(1.0, 2.0), (1.0, 3.0)], [(2.0, 0.1), (3.0, 0.1), (4.0, 0.1)]])
def test_without_spread_there_is_no_correlation(pairs: list[tuple[Value, Value]]) -> None:
    assert paired("corr", pairs) is None


def test_a_condition_and_the_second_argument_are_read_from_the_call() -> None:
    scan = PlanBuilder().released("t", {"a": "BIGINT", "b": "BIGINT"})
    first, second = col(scan, "a"), col(scan, "b")
    rows = [{first.field.id: a, second.field.id: b} for a, b in ((1, 9), (2, 8), (3, None), (4, 7))]
    assert aggregate(AggregateCall("arg_min", first, second=second), rows) == 4
    few = AggregateCall("arg_min", first, condition=call("lt", first, 4), second=second)
    assert aggregate(few, rows) == 2


def test_each_name_here_is_an_aggregate() -> None:
    assert set(NAMES) < AGGREGATE_FUNCTIONS
