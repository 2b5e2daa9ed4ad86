"""No argument of a function is dropped: where the parser would, or where we know no such function, the query is refused."""

from __future__ import annotations

import re

import pytest
from sqlglot import exp

from cleanroom.domain.finding import Finding
from cleanroom.sql import DIALECTS, ParsedQuery, check_row_filter, parse
from cleanroom.sql.surplus import ARGUMENTS, MANY, most_arguments
from tests.sql.test_dialects import SAME, policy, read

ALL = " ".join(DIALECTS)
ROW = "SELECT {} AS v, COUNT(*) AS n FROM retailer.orders GROUP BY 1"
GROUPS = "SELECT category, {} AS v FROM retailer.orders GROUP BY 1"
SHOWN = "WITH g AS (SELECT category, COUNT(*) AS n, SUM(amount_usd) AS s FROM retailer.orders GROUP BY 1) SELECT {} AS v FROM g"

# Calls that are read, each in the place that it is for: (dialects, where, the call).
CALLS = [
    *((dialects, ROW, ours) for dialects, ours, _ in SAME if re.fullmatch(r"\w+\(.*\)", ours, re.DOTALL)),
    ("duckdb", ROW, "date_trunc('year', ts)"),
    ("duckdb", ROW, "strftime(ts, '%Y')"),
    ("duckdb", ROW, "date_diff('day', ts, CURRENT_TIMESTAMP)"),
    ("duckdb", ROW, "EXTRACT(year FROM ts)"),
    ("duckdb", ROW, "year(ts)"),
    *((ALL, ROW, f"{name}(category)") for name in ("lower", "upper")),
    ("duckdb postgres spark redshift snowflake mysql", ROW, "trim(category)"),
    ("duckdb postgres spark trino athena redshift snowflake bigquery", ROW, "length(category)"),
    (ALL, ROW, "substr(category, 1, 2)"),
    (ALL, ROW, "substring(category, 1, 2)"),
    (ALL, ROW, "nullif(category, 'a')"),
    (ALL, ROW, "CAST(ts AS DATE)"),
    *((ALL, SHOWN, f"{name}(s)") for name in ("abs", "ceil", "floor", "sqrt", "ln", "exp", "round")),
    (ALL, SHOWN, "round(s, 2)"),
    (ALL, SHOWN, "power(s, 2)"),
    ("duckdb postgres", SHOWN, "log10(s)"),
    (ALL, SHOWN, "mod(n, 2)"),
    (ALL, SHOWN, "left(category, 2)"),
    (ALL, SHOWN, "right(category, 2)"),
    (ALL, SHOWN, "replace(category, 'a', 'b')"),
    *((ALL, GROUPS, f"{name}(amount_usd)") for name in ("sum", "stddev", "stddev_pop", "var_pop", "variance")),
    *((ALL, GROUPS, f"{name}(amount_usd)") for name in ("avg", "min", "max", "median", "any_value")),
    *((ALL, GROUPS, f"{name}(amount_usd, order_id)") for name in ("covar_pop", "covar_samp", "max_by")),
    *(("duckdb", GROUPS, f"{name}(amount_usd, order_id)") for name in ("arg_min", "arg_max", "min_by")),
    ("duckdb postgres spark trino", GROUPS, "corr(amount_usd, order_id)"),
    (ALL, GROUPS, "count(order_id)"),
    ("duckdb spark trino snowflake", GROUPS, "count_if(category = 'a')"),
    (ALL, GROUPS, "count(*) FILTER (WHERE category = 'a')"),
    (ALL, SHOWN, "row_number() OVER (ORDER BY n)"),
    (ALL, SHOWN, "rank() OVER (ORDER BY n)"),
    (ALL, SHOWN, "dense_rank() OVER (ORDER BY n)"),
    (ALL, SHOWN, "percent_rank() OVER (ORDER BY n)"),
    (ALL, SHOWN, "cume_dist() OVER (ORDER BY n)"),
    (ALL, SHOWN, "ntile(4) OVER (ORDER BY n)"),
    (ALL, SHOWN, "lag(n, 1, 0) OVER (ORDER BY n)"),
    (ALL, SHOWN, "lead(n, 1, 0) OVER (ORDER BY n)"),
    (ALL, SHOWN, "first_value(n) OVER (ORDER BY n)"),
    (ALL, SHOWN, "last_value(n) OVER (ORDER BY n)"),
]
EACH = sorted({(name, where, call) for dialects, where, call in CALLS for name in dialects.split()})
"""With `nonsense`, no column of any dataset: kept, it is unknown; dropped, nothing would be said of it."""


def _with_surplus(call: str, surplus: str) -> str:
    """The call with more arguments before the parenthesis that closes its first one."""
    depth = 0
    for index, sign in enumerate(call):
        depth += (sign == "(") - (sign == ")")
        if sign == ")" and depth == 0:
            return f"{call[:index]}{'' if call[index - 1] == '(' else ', '}{surplus}{call[index:]}"
    raise AssertionError(call)


@pytest.mark.parametrize(("dialect", "where", "call"), EACH)
def test_a_call_with_more_arguments_than_it_has_is_refused(dialect: str, where: str, call: str) -> None:
    assert read(where.format(call), dialect)[1] == ()
    for surplus in ("nonsense", "nonsense, 7", "7, nonsense"):
        assert read(where.format(_with_surplus(call, surplus)), dialect)[1] != (), surplus


def _words(tree: exp.Expr) -> set[str]:
    return {str(leaf.this).lower() for leaf in tree.walk() if isinstance(leaf, exp.Identifier | exp.Var | exp.Literal)}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_of_a_listed_call_is_dropped_by_the_parser(dialect: str) -> None:
    dropped = []
    for name, most in ARGUMENTS.items():
        for given in range(1, min(most, 6) + 2):
            words = [f"nonsense{number}" for number in range(given)]
            parsed = parse(f"SELECT {name}({', '.join(words)}) FROM t", dialect)
            if isinstance(parsed, ParsedQuery) and not set(words) <= _words(parsed.tree):
                dropped.append((name, given))
    assert dropped == []


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_listed_call_has_no_more_arguments_than_it_is_listed_with(dialect: str) -> None:
    for name in ARGUMENTS:
        most = most_arguments(name, DIALECTS[dialect]) or 0
        if most < MANY:
            words = ", ".join(f"nonsense{number}" for number in range(most + 1))
            assert isinstance(parse(f"SELECT {name}({words}) FROM t", dialect), Finding), name


@pytest.mark.parametrize(
    ("dialect", "where", "call"),
    [
        ("duckdb", ROW, "date_trunc('year', ts, 'EST')"),
        ("duckdb", ROW, "date_trunc('year', ts, notes)"),
        ("duckdb", ROW, "\"date_trunc\"('year', ts, 'EST')"),
        ("duckdb", ROW, "Date_Trunc/* so */('year', ts, 'EST')"),
        ("duckdb", ROW, "lower(strftime(ts, '%Y', 7))"),
        ("duckdb", ROW, "date_diff('day', ts, CURRENT_TIMESTAMP, 5)"),
        ("duckdb", SHOWN, "log10(n, 2)"),
        ("duckdb", SHOWN, "mod(n, 2, 7)"),
        ("duckdb", SHOWN, "floor(s, 1, 2)"),
        ("duckdb", GROUPS, "max_by(amount_usd, order_id, 3, 4)"),
        ("duckdb", GROUPS, "any_value(amount_usd, order_id)"),
        ("postgres", ROW, "to_char(ts, 'YYYY', 3)"),
        ("spark", ROW, "INT(order_id, 3)"),
        ("snowflake", ROW, "substr(category, 1, 2, 3)"),
        ("snowflake", GROUPS, "corr(amount_usd, order_id, 3)"),
        ("snowflake", GROUPS, "count_if(category = 'a', 3)"),
        ("bigquery", ROW, "length(category, 3)"),
        ("mysql", ROW, "datediff(ts, ts, 4)"),
    ],
)
def test_the_refusal_says_how_many_arguments_are_read(dialect: str, where: str, call: str) -> None:
    plan, (finding,) = read(where.format(call), dialect)
    assert (plan, finding.code) == (None, "sql.unsupported")
    assert "arguments is not supported" in finding.message
    assert finding.hint is not None
    assert finding.at is not None


@pytest.mark.parametrize("dialect", ["snowflake", "redshift"])
@pytest.mark.parametrize("before", ["TOP (5)", "TOP 5", "DISTINCT", "DISTINCT TOP (5)", "DISTINCT ON (n)", "ALL"])
def test_a_call_behind_a_word_of_the_language_is_counted_too(before: str, dialect: str) -> None:
    for call in ("mod(n, 2, 7)", "mod(n, 2, nonsense)", "unknown(n)"):
        assert read(SHOWN.format(f"{before} {call}"), dialect)[1] != (), call


@pytest.mark.parametrize(
    "type",
    [
        "DECIMAL(10, 2, 7)",
        "TIMESTAMP(6, 7)",
        "TIMESTAMP(6, n)",
        "DECIMAL(10, n)",
        "DECIMAL(n, 10)",
        "DATE(3)",
        "lower(1, 2)",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_type_has_no_more_arguments_than_it_has(type: str, dialect: str) -> None:
    assert read(ROW.format(f"CAST(order_id AS {type})"), dialect)[1] != ()


@pytest.mark.parametrize("call", ["CONVERT('x', category)", "QUANTILE(amount_usd, 0.5, 3)", "f(category)"])
def test_a_function_that_is_not_listed_is_refused(call: str) -> None:
    assert {finding.code for finding in read(ROW.format(call))[1]} >= {"sql.unsupported"}


def test_an_owners_filter_drops_no_argument_either() -> None:
    dataset = policy().datasets["retailer.orders"]
    assert check_row_filter(dataset, "date_trunc('year', ts) = TIMESTAMP '2026-01-01 00:00:00'") == ()
    assert check_row_filter(dataset, "date_trunc('year', ts, 'EST') = TIMESTAMP '2026-01-01 00:00:00'") != ()
    assert check_row_filter(dataset, "mod(order_id, 2, 7) = 1") != ()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT category, COUNT(*) FROM retailer.orders WHERE category IN ('a', 'b', 'c') GROUP BY GROUPING SETS ((1), ())",
        "SELECT lower FROM (SELECT category, COUNT(*) FROM retailer.orders GROUP BY 1) AS lower(lower, n)",
        "SELECT upper FROM (SELECT category, COUNT(*) FROM retailer.orders GROUP BY 1) mod(upper, n)",
        "SELECT CAST(order_id AS DECIMAL(10, 2)), order_id::DECIMAL(10, 2), COUNT(*) FROM retailer.orders GROUP BY 1, 2",
        "SELECT coalesce(category, 'a', 'b', 'c', 'd'), COUNT(*) FROM retailer.orders GROUP BY 1",
        "WITH sum AS (SELECT category, COUNT(*) AS n FROM retailer.orders GROUP BY 1) SELECT category, n FROM sum",
    ],
)
def test_commas_that_part_no_arguments_are_not_counted(sql: str) -> None:
    assert read(sql)[1] == ()
