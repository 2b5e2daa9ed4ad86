"""Expressions rendered for DuckDB: what they compute, and that no value makes them raise."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from cleanroom.domain.expression import Case, Cast, Column, Expression, Literal, Missing
from cleanroom.domain.functions import SCALARS
from cleanroom.domain.types import BIGINT, DATE, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR, DataType, Kind
from cleanroom.sql.render_expression import _CALLS, render_expression
from tests.plans import PlanBuilder, call, literal, typed

LARGEST = 2**63 - 1


def answer(expression: Expression) -> Any:
    connection = duckdb.connect()
    row = connection.execute(f"SELECT {render_expression(expression)}").fetchone()
    assert row is not None
    return row[0]


def column_answers(expression: Expression, name: str, type: str, *values: str) -> list[Any]:
    """The expression over a column of these SQL values, read back in their order."""
    connection = duckdb.connect()
    connection.execute(f'CREATE TABLE t (i INT, "{name}" {type})')
    for i, value in enumerate(values):
        connection.execute(f"INSERT INTO t VALUES ({i}, {value})")
    return [
        row[0] for row in connection.execute(f"SELECT {render_expression(expression)} FROM t ORDER BY i").fetchall()
    ]


def column(type: str) -> tuple[Expression, str]:
    field = PlanBuilder().field("x", typed(type), literal(None))
    return Column(field), f"c{field.id}"


def test_every_function_of_the_plan_is_rendered_and_no_other() -> None:
    assert set(_CALLS) == set(SCALARS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'",
        "''",
        "\\'",
        "a'; DROP TABLE t; --",
        "%_",
        '"',
        "ä\u200b\u2028",
        "$$x$$",
        "\n\r\t",
        "\x01",
        "?",
        "{x}",
        "🜚",
    ],
)
def test_a_string_stays_the_string_it_is(text: str) -> None:
    assert answer(literal(text)) == text


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "\0"])
def test_a_string_that_no_engine_holds_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="string"):
        render_expression(literal(text))


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        0,
        -1,
        LARGEST,
        -(2**63),
        1.5,
        -1e300,
        5e-324,
        Decimal("-12.30"),
        Decimal("0.00001"),
        Decimal("1E+3"),
        datetime.date(1, 1, 1),
        datetime.date(9999, 12, 31),
        datetime.datetime(2026, 1, 31, 23, 59, 59, 999999),
        datetime.datetime(1, 1, 1),
    ],
)
def test_a_literal_keeps_its_value(value: Any) -> None:
    assert answer(literal(value)) == value


def test_a_floating_literal_may_be_infinite_or_no_number() -> None:
    assert answer(literal(math.inf)) == math.inf
    assert math.isnan(answer(literal(math.nan)))


@pytest.mark.parametrize(
    "node",
    [
        Literal(5, VARCHAR),
        Literal(Decimal("NaN"), typed("DECIMAL(5,2)")),
        literal(datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)),
        Missing(),
        call("date_trunc", "'); --", datetime.date(2026, 1, 1)),
        call("extract", "microsecond", datetime.date(2026, 1, 1)),
        call("strftime", datetime.date(2026, 1, 1), call("upper", "%y", type=VARCHAR)),
        call("eq", datetime.date(2026, 1, 1), 5),
        call("eq", True, datetime.date(2026, 1, 1)),
        Cast(literal(1), DataType(Kind.UNKNOWN)),
    ],
)
def test_what_no_approved_plan_holds_is_refused(node: Expression) -> None:
    with pytest.raises(ValueError, match=r"."):
        render_expression(node)


DAY, NOON = datetime.date(2026, 8, 14), datetime.datetime(2026, 8, 14, 12, 30, 15, 250000)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (call("eq", 1, 1), True),
        (call("ne", "a", "A"), True),
        (call("lt", 1, 1.5), True),
        (call("eq", "5", 5), True),
        (call("eq", "five", 5), None),
        (call("ge", NOON, DAY), True),
        (call("distinct_from", None, 1), True),
        (call("not_distinct_from", None, None), True),
        (call("and", True, None), None),
        (call("or", True, None, False), True),
        (call("not", None), None),
        (call("is_null", None), True),
        (call("is_true", call("eq", None, 1)), False),
        (call("is_false", False), True),
        (call("in", "b", "a", "b"), True),
        (call("in", "c", "a", None), None),
        (call("like", "a%b", "a%"), True),
        (call("like", "A", "a"), False),
        (call("ilike", "ABC", "a_c"), True),
        (call("lower", "ÄB", type=VARCHAR), "äb"),
        (call("upper", "äb", type=VARCHAR), "ÄB"),
        (call("trim", "  a ", type=VARCHAR), "a"),
        (call("length", "äb", type=BIGINT), 2),
        (call("substring", "hello", 2, 3, type=VARCHAR), "ell"),
        (call("substring", "hello", -(2**63), LARGEST, type=VARCHAR), None),
        (call("concat", "a", None, "b", type=VARCHAR), None),
        (call("concat", "a", "'", "b", type=VARCHAR), "a'b"),
        (call("coalesce", None, 2, type=BIGINT), 2),
        (call("nullif", 1, 1, type=BIGINT), None),
        (call("nullif", 1, None, type=BIGINT), 1),
        (call("date_trunc", "month", DAY, type=TIMESTAMP), datetime.datetime(2026, 8, 1)),
        (call("date_trunc", "week", NOON, type=TIMESTAMP), datetime.datetime(2026, 8, 10)),
        (call("extract", "dayofweek", DAY, type=BIGINT), 5),
        (call("extract", "isodow", NOON, type=BIGINT), 5),
        (call("extract", "epoch", NOON, type=BIGINT), 1786710615),
        (call("extract", "hour", DAY, type=BIGINT), 0),
        (call("extract", "second", NOON, type=BIGINT), 15),
        (call("strftime", NOON, "%Y-%m %H''", type=VARCHAR), "2026-08 12''"),
        (call("date_diff", "day", DAY, datetime.date(2026, 8, 20), type=BIGINT), 6),
        (call("date_diff", "hour", DAY, NOON, type=BIGINT), 12),
        (call("add", LARGEST, 1, type=BIGINT), None),
        (call("add", LARGEST, 1, type=HUGEINT), LARGEST + 1),
        (call("subtract", 1, None, type=BIGINT), None),
        (call("multiply", LARGEST, 2, type=BIGINT), None),
        (call("multiply", Decimal("1.10"), Decimal("2.00"), type=DOUBLE), Decimal("2.2000")),
        (call("divide", 1, 4, type=DOUBLE), 0.25),
        (call("divide", 1, 0, type=DOUBLE), None),
        (call("divide", 0, 0.0, type=DOUBLE), None),
        (call("integer_divide", 7, 2, type=BIGINT), 3),
        (call("integer_divide", 7, 0, type=BIGINT), None),
        (call("integer_divide", -(2**63), -1, type=BIGINT), None),
        (call("integer_divide", 7.5, 2, type=DOUBLE), 3.0),
        (call("modulo", 7, 0, type=BIGINT), None),
        (call("modulo", -7, 3, type=BIGINT), -1),
        (call("negate", 5, type=BIGINT), -5),
        (call("abs", -5, type=BIGINT), 5),
        (call("round", 2.345, 2, type=DOUBLE), 2.35),
        (call("round", Decimal("2.345"), 1, type=DOUBLE), Decimal("2.3")),
        (call("round", Decimal("2.345"), call("add", 1, 1, type=BIGINT), type=DOUBLE), 2.35),
        (call("round", 5, type=BIGINT), 5),
        (call("floor", -1.5, type=DOUBLE), -2.0),
        (call("ceil", Decimal("1.2"), type=DOUBLE), Decimal(2)),
        (call("sqrt", -1, type=DOUBLE), None),
        (call("sqrt", -5e-324, type=DOUBLE), None),
        (call("sqrt", 0, type=DOUBLE), 0.0),
        (call("sqrt", None, type=DOUBLE), None),
        (call("ln", -1, type=DOUBLE), None),
        (call("ln", 1, type=DOUBLE), 0.0),
        (call("ln", 0, type=DOUBLE), None),
        (call("log10", 100, type=DOUBLE), 2.0),
        (call("exp", 1e9, type=DOUBLE), math.inf),
        (call("power", 2, 10, type=DOUBLE), 1024.0),
        (call("greatest", 1, None, 3, type=BIGINT), 3),
        (call("least", None, 2, type=BIGINT), 2),
        (call("left", "hello", 2, type=VARCHAR), "he"),
        (call("right", "hello", -(2**63), type=VARCHAR), ""),
        (call("replace", "aba", "a", "c", type=VARCHAR), "cbc"),
        (Case(((call("eq", 1, 2), literal("x")),), None, VARCHAR), None),
        (Case(((call("eq", 1, 1), literal(1)),), literal(2.5), DOUBLE), 1.0),
        (Cast(literal("12a"), BIGINT), None),
        (Cast(literal("2026-02-30"), DATE), None),
        (Cast(literal(NOON), DATE), DAY),
        (Cast(literal(2**40), typed("INTEGER")), None),
    ],
)
def test_an_expression_computes(node: Expression, expected: Any) -> None:
    assert answer(node) == expected


HOSTILE = {
    "BIGINT": ("NULL", str(LARGEST), f"'{-(2**63)}'", "0"),
    "TINYINT": ("NULL", "127", "-128", "0"),
    "DECIMAL(18,2)": ("NULL", "9999999999999999.99", "-9999999999999999.99", "0"),
    "DECIMAL(38,30)": ("NULL", "99999999.999999", "-99999999", "0"),
    "DECIMAL(38,0)": ("NULL", "99999999999999999999999999999999999999", "0"),
    "DOUBLE": ("NULL", "'nan'", "'inf'", "'-inf'", "1e308", "5e-324", "0"),
    "VARCHAR": ("NULL", "''", "'5'", "'x'", "'2026-01-01'", "'nan'", "repeat('9', 400)"),
    "DATE": ("NULL", "'infinity'", "'-infinity'", "'5877642-06-25 (BC)'", "'5881580-07-10'", "'2026-02-28'"),
    "TIMESTAMP": ("NULL", "'infinity'", "'-infinity'", "'290309-12-22 (BC) 00:00:00'", "'294247-01-10 04:00:54'"),
}
NUMBERS = [kind for kind in HOSTILE if kind not in ("VARCHAR", "DATE", "TIMESTAMP")]


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(
    "target", ["BIGINT", "TINYINT", "DECIMAL(5,2)", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "BOOLEAN"]
)
def test_no_value_makes_a_cast_raise(kind: str, target: str) -> None:
    x, name = column(kind)
    column_answers(call("is_null", Cast(x, typed(target))), name, kind, *HOSTILE[kind])


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(
    "function", ["add", "subtract", "multiply", "divide", "integer_divide", "modulo", "power", "round"]
)
def test_no_number_makes_arithmetic_raise(kind: str, function: str) -> None:
    x, name = column(kind)
    for other in (x, literal(0), literal(LARGEST), literal(Decimal("9.999999999")), literal(-1.5), literal(None)):
        node = call(function, x, other, type=x.type)
        column_answers(call("is_null", node), name, kind, *HOSTILE[kind])
        column_answers(call("is_null", call(function, other, x, type=x.type)), name, kind, *HOSTILE[kind])


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("function", ["negate", "abs", "round", "floor", "ceil", "sqrt", "ln", "log10", "exp"])
def test_no_number_makes_a_function_raise(kind: str, function: str) -> None:
    x, name = column(kind)
    column_answers(call("is_null", call(function, x, type=DOUBLE)), name, kind, *HOSTILE[kind])


@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP"])
@pytest.mark.parametrize("grain", ["second", "day", "week", "month", "quarter", "year"])
def test_no_moment_makes_a_function_of_it_raise(kind: str, grain: str) -> None:
    x, name = column(kind)
    nodes = [
        call("date_trunc", grain, x, type=TIMESTAMP),
        call("extract", grain, x, type=BIGINT),
        call("extract", "epoch", x, type=BIGINT),
        call("date_diff", grain, x, DAY, type=BIGINT),
        call("date_diff", grain, NOON, x, type=BIGINT),
        call("strftime", x, "%Y-%m-%d %V", type=VARCHAR),
        call("lt", x, NOON),
        call("lt", x, DAY),
        call("lt", x, "not a date"),
    ]
    for node in nodes:
        column_answers(call("is_null", node), name, kind, *HOSTILE[kind])


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("other", ["BIGINT", "DECIMAL(38,30)", "DECIMAL(38,0)", "DOUBLE", "VARCHAR"])
def test_no_value_makes_a_comparison_raise(kind: str, other: str) -> None:
    builder = PlanBuilder()
    left, right = (Column(builder.field(n, typed(t), literal(None))) for n, t in (("l", kind), ("r", other)))
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE l (c1 {kind}); CREATE TABLE r (c2 {other})")
    for table, values in (("l", HOSTILE[kind]), ("r", HOSTILE[other])):
        for value in values:
            connection.execute(f"INSERT INTO {table} VALUES ({value})")
    for node in (call("eq", left, right), call("in", left, right, left), call("lt", right, left)):
        connection.execute(f"SELECT {render_expression(node)} FROM l, r").fetchall()
    merged = Case(((call("gt", left, right), left),), right, DOUBLE)
    connection.execute(f"SELECT {render_expression(merged)} FROM l, r").fetchall()


def test_no_computed_decimal_makes_a_comparison_or_choice_raise() -> None:
    x, name = column("DECIMAL(38,2)")
    fine = call("multiply", call("multiply", x, x, type=x.type), Decimal("0.0000000001"), type=x.type)
    for node in (
        call("gt", fine, LARGEST),
        call("in", fine, x, 5),
        call("nullif", x, fine, type=x.type),
        call("coalesce", fine, x, type=x.type),
        call("greatest", x, fine, type=x.type),
        Case(((call("gt", x, 0), x),), fine, x.type),
    ):
        column_answers(node, name, "DECIMAL(38,2)", "NULL", "9" * 36, "-1.5", "123456789012")
