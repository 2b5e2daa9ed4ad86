"""Queries that random search found to end wrongly once: each is refused, or answered as the oracle asks."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.rules import approve
from tests.judged import check, judged, released
from tests.random_tables import CUSTOMERS, Rows, Scenario, loosened
from tests.test_oracle import MANY, K, customers, orders, rules, tables


def rows_of(sql: str, data: Rows, policy: Policy, folder: Path) -> list[list[tuple[Value, ...]]]:
    """What each release of the answer shows, once the oracle finds the answer sound."""
    assert check(sql, Scenario(policy, data), folder, random.Random(1)) == "accepted"
    plan = approve(judged(sql, policy))
    shown = released(plan, data)
    return [[tuple(row.values()) for row in shown[step.table].rows.to_pylist()] for step in plan.steps]


@pytest.mark.parametrize("sets", ["ROLLUP (region)", "CUBE (region)", "GROUPING SETS ((region), ())"])
@pytest.mark.parametrize(
    "audience",
    [
        "user_id NOT IN (SELECT user_id FROM retailer.orders)",
        "NOT EXISTS (SELECT 1 FROM retailer.orders x WHERE x.user_id = c.user_id)",
    ],
)
def test_several_grains_of_people_without_a_match_are_refused(sets: str, audience: str) -> None:
    sql = f"SELECT region, COUNT(*) FROM retailer.customers c WHERE {audience} GROUP BY {sets}"
    verdict = judged(sql, rules(K))
    assert {finding.code for finding in verdict.findings} == {"release.overlap"}


def pooling(policy: Policy, small: SmallGroups = SmallGroups.POOL) -> Policy:
    return replace(policy, rules={n: replace(r, small_groups=small) for n, r in policy.rules.items()})


SMALL = tables(customers((4, "north"), (2, "south"), (2, "atoll")))


def test_small_groups_are_pooled_where_there_is_one_grain(tmp_path: Path) -> None:
    sql = "SELECT region, COUNT(*) FROM retailer.customers GROUP BY region"
    assert rows_of(sql, SMALL, pooling(rules(K)), tmp_path) == [[("north", 4), (None, 4)]]


def test_small_groups_are_dropped_at_the_finest_of_several_grains_too(tmp_path: Path) -> None:
    sql = "SELECT region, COUNT(*) FROM retailer.customers GROUP BY ROLLUP (region)"
    assert rows_of(sql, SMALL, pooling(rules(K)), tmp_path) == [[("north", 4)], [(8,)]]


@pytest.mark.parametrize(("bought", "shown"), [(1, False), (K - 1, False), (K, True)])
def test_a_group_of_people_whose_purchases_were_counted_beside_those_without_any(
    bought: int, shown: bool, tmp_path: Path
) -> None:
    """The count is of no column, but it asks for the orders all the same: those who bought once are told from nobody."""
    sql = (
        "WITH u AS (SELECT user_id, COUNT(*) AS n FROM retailer.orders GROUP BY user_id)"
        " SELECT CASE WHEN u.n >= 2 THEN 'many' ELSE 'one' END AS k, COUNT(DISTINCT c.user_id)"
        " FROM retailer.customers c LEFT JOIN u ON u.user_id = c.user_id GROUP BY 1"
    )
    data = tables(customers((9, "north")), orders(*MANY[:bought]))
    assert rows_of(sql, data, rules(K), tmp_path) == [[("one", 9)] if shown else []]


@pytest.mark.parametrize(("bought", "shown"), [(1, False), (K, True)])
def test_a_condition_on_a_match_and_its_contrary_count_those_who_have_one(
    bought: int, shown: bool, tmp_path: Path
) -> None:
    """Each condition is both that of one cell and what tells the rows of another apart."""
    latest = (
        "(SELECT user_id, category FROM retailer.orders"
        " QUALIFY ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY ts DESC) = 1)"
    )
    sql = (
        "SELECT COUNT(c.user_id) FILTER (WHERE o.category = 'toys'), COUNT(c.user_id) FILTER (WHERE NOT o.category = 'toys')"
        f" FROM retailer.customers c LEFT JOIN {latest} o ON c.user_id = o.user_id"
    )
    data = tables(customers((9, "north")), orders(*MANY[:bought]))
    assert rows_of(sql, data, rules(K), tmp_path) == [[(bought if shown else None, None)]]


def test_a_total_and_a_column_that_asks_for_more_people(tmp_path: Path) -> None:
    """An aggregate of a column may need more people than a row; then its total less the cells that were shown does, too."""
    policy = rules(K)
    rule = policy.rules[CUSTOMERS]
    columns = {**rule.columns, "lifetime_value": replace(rule.columns["lifetime_value"], minimum_units=K + 1)}
    policy = replace(policy, rules={**policy.rules, CUSTOMERS: replace(rule, columns=columns)})
    data = tables(customers((4, "north"), (K, "south")))
    sql = "SELECT region, AVG(lifetime_value) FROM retailer.customers GROUP BY ROLLUP (region)"
    assert rows_of(sql, data, policy, tmp_path) == [[("north", 3.75), ("south", None)], [(None,)]]


def test_a_match_is_asked_for_by_a_key_that_its_owner_lets_be_null(tmp_path: Path) -> None:
    """Rows that belong to nobody are in no scan: no promise of the owner is needed, and none is checked."""
    policy = loosened(rules(K), K)
    bought = [*orders(*MANY), {**orders(("toys",))[0], "user_id": None}]
    sql = (
        "SELECT COUNT(*) FROM retailer.orders o RIGHT JOIN retailer.customers c ON o.user_id = c.user_id"
        " WHERE o.user_id IS NOT NULL"
    )
    assert rows_of(sql, tables(customers((9, "north")), bought), policy, tmp_path) == [[(5,)]]
