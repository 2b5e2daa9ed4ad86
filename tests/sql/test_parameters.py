"""Sent values → literals; declared types take exactly the values of their own; rewrites keep every `:name`."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cleanroom.broker import explain, judge_query
from cleanroom.documents import read_folder
from cleanroom.domain.expression import Literal
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.parameters import WrittenNumber
from cleanroom.domain.types import parse_type
from cleanroom.sql.parameters import as_declared, sent, sent_parameters
from tests.fixtures import CORPUS, request

NOON = datetime.datetime(2026, 1, 31, 12)


@pytest.mark.parametrize(
    ("value", "type", "found"),
    [
        ("x", "VARCHAR", "x"),
        ("", "VARCHAR", ""),
        (5, "VARCHAR", None),
        (True, "VARCHAR", None),
        (True, "BOOLEAN", True),
        ("true", "BOOLEAN", None),
        (1, "BOOLEAN", None),
        (5, "BIGINT", 5),
        (2**63 - 1, "BIGINT", 2**63 - 1),
        (2**63, "BIGINT", None),
        (-(2**63), "BIGINT", -(2**63)),
        (5.0, "BIGINT", None),
        ("5", "BIGINT", None),
        (True, "BIGINT", None),
        (5, "DOUBLE", 5.0),
        (WrittenNumber("1.5"), "DOUBLE", 1.5),
        (WrittenNumber("1e2"), "DOUBLE", 100.0),
        ("1.5", "DOUBLE", None),
        (False, "DOUBLE", None),
        (5, "DECIMAL(4,2)", Decimal("5.00")),
        (WrittenNumber("99.99"), "DECIMAL(4,2)", Decimal("99.99")),
        (WrittenNumber("99.999"), "DECIMAL(4,2)", None),
        (100, "DECIMAL(4,2)", None),
        ("12.5", "DECIMAL(4,2)", Decimal("12.50")),
        ("12,5", "DECIMAL(4,2)", None),
        (True, "DECIMAL(4,2)", None),
        (WrittenNumber("1e1"), "DECIMAL(4,2)", None),
        ("2026-01-31", "DATE", datetime.date(2026, 1, 31)),
        ("2026-02-30", "DATE", None),
        (" 2026-01-31", "DATE", None),
        ("2026-01-31 12:00:00", "DATE", None),
        ("20260131", "DATE", None),
        (20260131, "DATE", None),
        ("today", "DATE", None),
        ("2026-01-31 12:00:00", "TIMESTAMP", NOON),
        ("2026-01-31T12:00:00", "TIMESTAMP", NOON),
        ("2026-01-31", "TIMESTAMP", NOON.replace(hour=0)),
        ("2026-01-31T12:00:00Z", "TIMESTAMP", None),
        ("infinity", "TIMESTAMP", None),
    ],
)
def test_a_declared_type_takes_its_own_values_exactly(value: Any, type: str, found: Any) -> None:
    wanted, literal = parse_type(type), sent(value)
    assert wanted is not None
    assert literal is not None
    typed = as_declared(literal, wanted)
    assert typed == (None if found is None else Literal(found, wanted))
    if typed is not None:
        assert isinstance(typed.value, bool) == isinstance(found, bool)
        assert as_declared(typed, wanted) == typed  # what a record keeps is judged as what was sent


def rewrite(sql: str, dialect: str = "duckdb", **values: Any) -> str | None:
    """What is proposed instead; found approved with the same values."""
    policy = read_folder(CORPUS / "policies" / "strict").policy(CollaborationName("strict"))
    assert policy is not None
    asked = replace(request(sql, dialect=dialect), parameters=sent_parameters(values))
    verdict = explain(judge_query(asked, policy), asked, policy)
    assert not verdict.approved
    found = verdict.findings[0].rewrite
    assert found is None or judge_query(asked.saying(found), policy).approved
    return found


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "spark", "trino", "snowflake", "bigquery", "mysql"])
def test_a_rewrite_keeps_every_parameter(dialect: str) -> None:
    sql = "SELECT region, notes, COUNT(*) AS n FROM retailer.customers WHERE region = :v GROUP BY region, notes"
    found = rewrite(sql, dialect, v="north")
    assert found is not None
    assert ":v" in found
    assert "notes" not in found
    assert "north" not in found


def test_where_a_change_would_lose_a_parameter_none_is_proposed() -> None:
    assert rewrite("SELECT COUNT(*) AS n FROM retailer.customers WHERE notes = 'x' AND region = :v", v="north")
    assert rewrite("SELECT COUNT(*) AS n FROM retailer.customers WHERE notes = :v AND region = 'north'", v="x") is None
