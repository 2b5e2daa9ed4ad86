"""The in-memory engine computes every scalar function and cast as DuckDB does on the text that is rendered for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Call, Case, Cast, Expression, Literal, Missing, Value
from cleanroom.domain.functions import SCALARS
from cleanroom.domain.types import BIGINT, BOOLEAN, DOUBLE, HUGEINT, UNKNOWN, DataType, parse_type
from cleanroom.engines.memory_expressions import evaluate
from cleanroom.engines.memory_functions import SCALAR_FUNCTIONS
from cleanroom.sql.render_expression import render_expression
from tests.engines.memory_cases import CAST_CASES, SCALAR_CASES
from tests.plans import literal, typed


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def truth(engine: duckdb.DuckDBPyConnection, expressions: list[Expression]) -> list[tuple[Value, str]]:
    """What DuckDB makes of each, and of what type it is."""
    parts = (f"{text}, typeof({text})" for text in map(render_expression, expressions))
    row = engine.execute(f"SELECT {', '.join(parts)}").fetchall()[0]
    return list(zip(row[::2], row[1::2], strict=True))


def same(left: Value, right: Value) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or math.isclose(left, right, rel_tol=1e-12, abs_tol=1e-300)
    numbers = isinstance(left, int | Decimal) and isinstance(right, int | Decimal)
    return left == right and (numbers or type(left) is type(right))


def named_type(text: str) -> DataType:
    if text == '"NULL"':
        return UNKNOWN
    return HUGEINT if text == "HUGEINT" else parse_type(text) or UNKNOWN


def test_every_scalar_function_is_implemented_and_tried() -> None:
    assert set(SCALAR_FUNCTIONS) == set(SCALARS) == set(SCALAR_CASES)


@pytest.mark.parametrize("function", SCALARS)
def test_a_scalar_function_is_what_duckdb_makes_of_it(function: str, engine: duckdb.DuckDBPyConnection) -> None:
    calls = [Call(function, tuple(map(literal, arguments)), UNKNOWN) for arguments in SCALAR_CASES[function]]
    expected = truth(engine, list(calls))
    typed_calls = [replace(call, type=named_type(kind)) for call, (_, kind) in zip(calls, expected, strict=True)]
    found = [evaluate(call, {}) for call in typed_calls]
    wrong = [
        f"{function}{arguments}: {mine!r}, in DuckDB {theirs!r} ({kind})"
        for arguments, mine, (theirs, kind) in zip(SCALAR_CASES[function], found, expected, strict=True)
        if not same(mine, theirs)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("function", "argument"),
    [("sqrt", -1), ("sqrt", -0.5), ("ln", 0), ("ln", -1.0), ("log10", 0.0), ("log10", -math.inf)],
)
def test_a_root_or_logarithm_outside_its_domain_is_null(function: str, argument: Value) -> None:
    assert evaluate(Call(function, (literal(argument),), DOUBLE), {}) is None


@pytest.mark.parametrize("target", CAST_CASES)
def test_a_cast_is_what_duckdb_makes_of_it(target: str, engine: duckdb.DuckDBPyConnection) -> None:
    casts = [Cast(literal(value), typed(target)) for value in CAST_CASES[target]]
    expected = [value for value, _ in truth(engine, list(casts))]
    wrong = [
        f"{case.argument} AS {target}: {mine!r}, in DuckDB {theirs!r}"
        for case, mine, theirs in zip(casts, [evaluate(c, {}) for c in casts], expected, strict=True)
        if not same(mine, theirs)
    ]
    assert not wrong, "\n".join(wrong)


def test_case_takes_the_first_true_branch_and_unknown_is_not_true() -> None:
    unknown, yes = Literal(None, BOOLEAN), Literal(True, BOOLEAN)
    one, two, half = Literal(1, BIGINT), Literal(2, BIGINT), Literal(0.5, DOUBLE)
    assert evaluate(Case(((unknown, one), (yes, two)), None, BIGINT), {}) == 2
    assert evaluate(Case(((unknown, one),), None, BIGINT), {}) is None
    assert same(evaluate(Case(((yes, one),), half, DOUBLE), {}), 1.0)


def test_a_branch_that_is_not_taken_is_not_evaluated() -> None:
    assert evaluate(Case(((Literal(True, BOOLEAN), Literal(1, BIGINT)),), Missing(), BIGINT), {}) == 1


def test_decimals_are_never_rounded_on_the_way() -> None:
    wide = DataType(HUGEINT.kind)
    big = Literal(10**37 + 1, wide)
    assert evaluate(Call("add", (big, big), wide), {}) == 2 * 10**37 + 2
    assert evaluate(Call("negate", (big,), wide), {}) == -(10**37) - 1


def test_a_name_that_did_not_resolve_cannot_be_evaluated() -> None:
    with pytest.raises(EngineError):
        evaluate(Call("not", (Missing(),), BOOLEAN), {})
