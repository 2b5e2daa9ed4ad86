"""How many rows are kept: LIMIT, FETCH FIRST and OFFSET say the same in their own words, or are refused."""

from __future__ import annotations

import pytest

from cleanroom.sql import DIALECTS
from tests.sql.canonical import canonical
from tests.sql.test_dialects import read

GROUPS = "SELECT category, COUNT(*) AS n FROM retailer.orders GROUP BY 1 ORDER BY 1"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("FETCH FIRST 5 ROWS ONLY", "LIMIT 5"),
        ("FETCH NEXT 5 ROW ONLY", "LIMIT 5"),
        ("FETCH FIRST ROW ONLY", "LIMIT 1"),
        ("OFFSET 2 ROWS FETCH NEXT 5 ROWS ONLY", "LIMIT 5 OFFSET 2"),
        ("LIMIT ALL", ""),
        ("LIMIT ALL OFFSET 3", "OFFSET 3"),
    ],
)
@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "redshift", "trino", "athena"])
def test_other_words_for_a_limit_mean_the_limit(theirs: str, ours: str, dialect: str) -> None:
    last = " NULLS LAST"
    wanted, none = read(f"{GROUPS}{last} {ours}")
    found, findings = read(f"{GROUPS}{last} {theirs}", dialect)
    assert (none, findings) == ((), ())
    assert canonical(found) == canonical(wanted)


@pytest.mark.parametrize(
    "limit",
    [
        "FETCH FIRST 5 ROWS WITH TIES",
        "FETCH FIRST 5 PERCENT ROWS ONLY",
        "FETCH FIRST (2 + 3) ROWS ONLY",
        "FETCH FIRST -1 ROWS ONLY",
        "FETCH FIRST 99999999999 ROWS ONLY",
        "LIMIT 5 PERCENT",
        "LIMIT 5 WITH TIES",
        "LIMIT NULL",
        "LIMIT category",
        'LIMIT "ALL"',
        "OFFSET ALL",
    ],
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_limit_that_is_no_written_number_of_rows_is_refused(limit: str, dialect: str) -> None:
    assert read(f"{GROUPS} {limit}", dialect)[1] != ()


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery", "mysql"])
def test_limit_all_is_refused_where_the_dialect_has_none(dialect: str) -> None:
    assert read(f"{GROUPS} LIMIT ALL", dialect)[1] != ()


@pytest.mark.parametrize("limit", ["FETCH FIRST 5 ROWS ONLY", "OFFSET 1 ROWS FETCH NEXT ROW ONLY"])
def test_rows_of_people_are_not_chosen_by_fetch_either(limit: str) -> None:
    of_people = f"SELECT COUNT(*) FROM (SELECT user_id FROM retailer.orders {limit}) t"
    plan, findings = read(of_people)
    same, none = read(of_people.replace(limit, "LIMIT 5" if "OFFSET" not in limit else "LIMIT 1 OFFSET 1"))
    assert (findings, none) == ((), ())
    assert canonical(plan) == canonical(same)
