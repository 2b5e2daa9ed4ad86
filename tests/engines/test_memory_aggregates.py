"""Spreads and aggregates of two arguments in memory are DuckDB's over the same values; ties are decided by definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

import duckdb
import pytest

from cleanroom.domain.expression import AggregateCall, Value
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
    [1.0, math.inf],
    [1.0, math.nan, 2.0],
]
PAIRS: list[list[tuple[Value, Value]]] = [
    [],
    [(None, 1.0), (1.0, None), (None, None)],
    [(1.5, 2.5)],
    [(1.5, 2.5), (None, 9.0), (9.0, None)],
    [(1.0, 2.0), (3.0, 3.0), (4.0, 7.0), (-2.0, 0.5)],
    [(1.0, 5.0), (1.0, 6.0), (1.0, 7.0)],
    [(5.0, 1.0), (6.0, 1.0)],
    [(1.0, 1.0), (2.0, math.inf), (3.0, 2.0)],
    [(math.nan, 1.0), (1.0, 2.0)],
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
        return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=1e-12)
    return left is right


@pytest.mark.parametrize("function", ["stddev_pop", "variance_pop", "stddev", "variance"])
@pytest.mark.parametrize("values", VALUES, ids=str)
def test_a_spread_is_duckdbs(function: str, values: list[Value]) -> None:
    assert same(aggregated(function, values), in_duckdb(f"{NAMES[function]}(a)", [(v, None) for v in values]))


@pytest.mark.parametrize("function", ["covar", "covar_pop", "corr"])
@pytest.mark.parametrize("pairs", PAIRS, ids=str)
def test_an_aggregate_of_two_is_duckdbs(function: str, pairs: list[tuple[Value, Value]]) -> None:
    assert same(paired(function, pairs), in_duckdb(f"{NAMES[function]}(a, b)", pairs))


@pytest.mark.parametrize("function", ["arg_min", "arg_max"])
@pytest.mark.parametrize("pairs", [pairs for pairs in PAIRS if len({b for _, b in pairs}) == len(pairs)], ids=str)
def test_the_value_at_the_end_of_another_is_duckdbs(function: str, pairs: list[tuple[Value, Value]]) -> None:
    assert same(paired(function, pairs), in_duckdb(f"{NAMES[function]}(a, b)", pairs))


@pytest.mark.parametrize("function", ["arg_min", "arg_max"])
def test_of_several_at_the_end_the_least_is_taken_whatever_comes_first(function: str) -> None:
    pairs: list[tuple[Value, Value]] = [("c", 1), ("a", 1), ("b", 1), (None, 1)]
    assert paired(function, pairs) == paired(function, pairs[::-1]) == "a"


def test_the_ends_are_those_of_the_second_argument() -> None:
    pairs: list[tuple[Value, Value]] = [("a", Decimal("2.50")), ("b", Decimal("-1.00")), ("c", None)]
    assert (paired("arg_min", pairs), paired("arg_max", pairs)) == ("b", "a")


@pytest.mark.parametrize("scale", [1e200, 1e-200])
def test_a_correlation_beyond_what_doubles_hold_is_no_number(scale: float) -> None:
    found = paired("corr", [(scale, -scale), (-scale, scale), (0.0, 0.0)])
    assert isinstance(found, float)
    assert math.isnan(found)


def test_a_condition_and_the_second_argument_are_read_from_the_call() -> None:
    scan = PlanBuilder().released("t", {"a": "BIGINT", "b": "BIGINT"})
    first, second = col(scan, "a"), col(scan, "b")
    rows = [{first.field.id: a, second.field.id: b} for a, b in ((1, 9), (2, 8), (3, None), (4, 7))]
    assert aggregate(AggregateCall("arg_min", first, second=second), rows) == 4
    few = AggregateCall("arg_min", first, condition=call("lt", first, 4), second=second)
    assert aggregate(few, rows) == 2


def test_each_name_here_is_an_aggregate() -> None:
    assert set(NAMES) < AGGREGATE_FUNCTIONS
