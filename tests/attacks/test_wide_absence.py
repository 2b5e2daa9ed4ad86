"""Whether one person is among another owner's is not told by who is absent: the same query with them there and without."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from cleanroom.domain.identifiers import DatasetName
from tests.attacks.test_wide_answers import Data, Row, answer, customer, impression, order, wide
from tests.random_tables import CUSTOMERS, IMPRESSIONS, ORDERS

TARGET = 7
INVENTED = [impression(p) for p in range(100, 110)]
SEEN = [impression(p) for p in (*range(20), *range(300, 310)) if p != TARGET]
KNOWN = [customer(p) for p in range(20) if p != TARGET]
MARKED = 999
"""A campaign of the runner's own: ten whom nobody knows, and the one who is looked for."""

ALONE: Data = {IMPRESSIONS: [*INVENTED, impression(TARGET)]}
AMONG_MANY: Data = {
    IMPRESSIONS: [*SEEN, *(impression(p, campaign=MARKED) for p in (TARGET, *range(100, 110)))],
    CUSTOMERS: KNOWN,
}
IN_TWO_CAMPAIGNS: Data = {IMPRESSIONS: [impression(p, campaign=c) for p in (TARGET, *range(100, 110)) for c in (1, 2)]}
SEEN_TWICE: Data = {IMPRESSIONS: [row for row in ALONE[IMPRESSIONS] for _ in range(2)]}
IN_CAMPAIGN_ONE: Data = {IMPRESSIONS: [*INVENTED, *(impression(p, campaign=1) for p in (TARGET, *range(200, 205)))]}
CUSTOMERS_WITHOUT_ORDERS: Data = {
    IMPRESSIONS: [*INVENTED, *(impression(p) for p in (0, 1, 2, 3, TARGET))],
    CUSTOMERS: [customer(p) for p in (0, 1, 2, 3, TARGET, *range(20, 30))],
    ORDERS: [order(p) for p in range(20, 30)],
}

ABSENT = "NOT EXISTS (SELECT 1 FROM retailer.customers c WHERE c.email_sha256 = i.email_sha256)"
LOOKED_UP = "publisher.impressions i LEFT JOIN retailer.customers c ON i.email_sha256 = c.email_sha256"
WITHOUT_ORDERS = (
    "(SELECT d.email_sha256, d.region FROM retailer.customers d"
    " WHERE NOT EXISTS (SELECT 1 FROM retailer.orders o WHERE o.user_id = d.user_id))"
)
SECOND_FIRST = "CASE WHEN c.region IS NULL AND i.campaign_id = 2 THEN 0 ELSE 1 END"


def by_group(sql: str, data: Data) -> Mapping[tuple[object, ...], object]:
    """The last number of each shown row, by what stands before it."""
    return {row[:-1]: row[-1] for row in answer(sql, data, wide())}


def told_apart(sql: str, data: Data, dataset: DatasetName, row: Row) -> list[tuple[object, ...]]:
    """The groups that are shown with the row and without it, with other numbers."""
    without, there = by_group(sql, data), by_group(sql, {**data, dataset: [*data.get(dataset, ()), row]})
    return [key for key in without if key in there and without[key] != there[key]]


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        pytest.param(
            f"SELECT CASE WHEN c.email_sha256 IS NULL THEN 'no' ELSE 'yes' END, COUNT(DISTINCT i.email_sha256) FROM {LOOKED_UP}"
            " GROUP BY 1",
            ALONE,
            id="absence as a key",
        ),
        pytest.param(
            f"SELECT c.region, COUNT(DISTINCT i.email_sha256) FROM {LOOKED_UP} GROUP BY 1",
            ALONE,
            id="a column of whoever may be missing as a key",
        ),
        pytest.param(
            f"SELECT n, COUNT(*) FROM (SELECT i.email_sha256, COUNT(c.user_id) AS n FROM {LOOKED_UP} GROUP BY 1) t GROUP BY n",
            ALONE,
            id="the number of matches as a key",
        ),
        pytest.param(
            f"SELECT i.campaign_id, c.region, COUNT(DISTINCT i.email_sha256) FROM {LOOKED_UP} GROUP BY 1, 2",
            AMONG_MANY,
            id="a key that may be missing beside one that is not",
        ),
        pytest.param(
            "SELECT COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i WHERE NOT EXISTS (SELECT 1 FROM"
            " publisher.impressions j WHERE j.email_sha256 = i.email_sha256 AND j.campaign_id = 1 AND NOT EXISTS"
            " (SELECT 1 FROM retailer.customers c WHERE c.email_sha256 = j.email_sha256))",
            IN_CAMPAIGN_ONE,
            id="absence from those who are absent",
        ),
        pytest.param(
            "SELECT COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i WHERE i.email_sha256 NOT IN (SELECT"
            " j.email_sha256 FROM publisher.impressions j LEFT JOIN retailer.customers c ON c.email_sha256 = j.email_sha256"
            " WHERE j.campaign_id = 1 AND c.region IS NULL)",
            IN_CAMPAIGN_ONE,
            id="NOT IN those without a match",
        ),
        pytest.param(
            f"SELECT COUNT(*) FROM (SELECT i.email_sha256, COUNT(i.email_sha256) AS n FROM {LOOKED_UP} LEFT JOIN"
            " publisher.impressions j ON c.email_sha256 = j.email_sha256 GROUP BY 1) t WHERE n = 2",
            SEEN_TWICE,
            id="how often a match repeats the rows that are kept",
        ),
        pytest.param(
            f"SELECT COUNT(DISTINCT e) FROM (SELECT i.email_sha256 AS e, ARG_MIN(i.campaign_id, {SECOND_FIRST}) AS f FROM"
            f" {LOOKED_UP} GROUP BY 1) t WHERE f = 2",
            IN_TWO_CAMPAIGNS,
            id="a value that a match orders",
        ),
        pytest.param(
            "SELECT COUNT(DISTINCT e) FROM (SELECT i.email_sha256 AS e, FIRST_VALUE(i.campaign_id) OVER (PARTITION BY"
            f" i.email_sha256 ORDER BY {SECOND_FIRST}) AS f FROM {LOOKED_UP}) t WHERE f = 2",
            IN_TWO_CAMPAIGNS,
            id="a window that a match orders",
        ),
        pytest.param(
            f"SELECT COUNT(*) FILTER (WHERE campaign_id = {MARKED}) FROM publisher.impressions i WHERE {ABSENT}",
            AMONG_MANY,
            id="FILTER where many are absent",
        ),
        pytest.param(
            f"SELECT SUM(CASE WHEN campaign_id = {MARKED} THEN cost_usd ELSE 0 END) FROM publisher.impressions i"
            f" WHERE {ABSENT}",
            AMONG_MANY,
            id="CASE where many are absent",
        ),
        pytest.param(
            f"SELECT COUNT(DISTINCT i.email_sha256) FILTER (WHERE i.campaign_id = {MARKED}) FROM {LOOKED_UP}"
            " WHERE c.region IS NULL",
            AMONG_MANY,
            id="FILTER where many have no match",
        ),
        pytest.param(
            f"SELECT campaign_id, COUNT(*) FROM publisher.impressions i WHERE {ABSENT} GROUP BY 1",
            AMONG_MANY,
            id="a group where many are absent",
        ),
        pytest.param(
            "SELECT COUNT(*) FROM (SELECT DISTINCT email_sha256, campaign_id FROM publisher.impressions i"
            f" WHERE {ABSENT}) t WHERE campaign_id = {MARKED}",
            AMONG_MANY,
            id="a condition above a DISTINCT of those absent",
        ),
        pytest.param(
            "SELECT campaign_id, COUNT(*) FROM (SELECT email_sha256, campaign_id, COUNT(*) AS n FROM publisher.impressions i"
            f" WHERE {ABSENT} GROUP BY 1, 2) t GROUP BY 1",
            AMONG_MANY,
            id="groups of one row for each of those absent",
        ),
        pytest.param(
            "SELECT campaign_id, COUNT(*) FROM (SELECT campaign_id, ROW_NUMBER() OVER (PARTITION BY email_sha256 ORDER BY ts)"
            f" AS r FROM publisher.impressions i WHERE {ABSENT}) t WHERE r = 1 GROUP BY 1",
            AMONG_MANY,
            id="groups of the first row of those absent",
        ),
        pytest.param(
            "SELECT campaign_id, COUNT(*) FROM (SELECT i.email_sha256, i.campaign_id, COUNT(*) AS n FROM"
            f" {LOOKED_UP} WHERE c.region IS NULL GROUP BY 1, 2) t GROUP BY 1",
            AMONG_MANY,
            id="groups of one row for each of those without a match",
        ),
        pytest.param(
            "SELECT campaign_id, COUNT(DISTINCT e) FROM (SELECT i.email_sha256 AS e, i.campaign_id, COUNT(c.user_id) OVER"
            f" (PARTITION BY i.email_sha256) AS n FROM {LOOKED_UP}) t WHERE n = 0 GROUP BY 1",
            AMONG_MANY,
            id="no match in a window",
        ),
        pytest.param(
            "SELECT j.campaign_id, COUNT(DISTINCT j.email_sha256) FROM publisher.impressions j JOIN (SELECT DISTINCT"
            f" i.email_sha256 FROM publisher.impressions i WHERE {ABSENT}) t ON t.email_sha256 = j.email_sha256 GROUP BY 1",
            AMONG_MANY,
            id="those absent joined with themselves",
        ),
    ],
)
def test_whether_one_person_is_a_customer_is_not_told_by_who_is_not(sql: str, data: Data) -> None:
    assert told_apart(sql, data, CUSTOMERS, customer(TARGET)) == []


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param(
            f"SELECT COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i LEFT JOIN {WITHOUT_ORDERS} c"
            " ON i.email_sha256 = c.email_sha256 WHERE c.region IS NULL",
            id="no match among those who are left",
        ),
        pytest.param(
            f"SELECT c.region, COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i LEFT JOIN {WITHOUT_ORDERS} c"
            " ON i.email_sha256 = c.email_sha256 GROUP BY 1",
            id="a key of those who are left",
        ),
        pytest.param(
            "SELECT COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i WHERE NOT EXISTS (SELECT 1 FROM"
            " retailer.customers d LEFT JOIN retailer.orders o ON o.user_id = d.user_id WHERE d.email_sha256 ="
            " i.email_sha256 AND o.category IS NULL)",
            id="absent from those without a match",
        ),
    ],
)
def test_whether_one_customer_has_orders_is_not_told_by_who_has_none(sql: str) -> None:
    assert told_apart(sql, CUSTOMERS_WITHOUT_ORDERS, ORDERS, order(TARGET)) == []


def test_enough_who_are_absent_are_still_counted() -> None:
    sql = f"SELECT campaign_id, COUNT(*) FROM publisher.impressions i WHERE {ABSENT} GROUP BY 1"
    assert by_group(sql, AMONG_MANY) == {(100,): 10, (MARKED,): 11}
