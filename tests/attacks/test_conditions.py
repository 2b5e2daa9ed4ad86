"""Aggregates under a condition that try to point at a few people: what is shown of one row cannot be subtracted to them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cleanroom.broker import judge_query, run
from cleanroom.domain.expression import Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import AggregateArguments, Policy
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.release import release
from cleanroom.rules import approve
from cleanroom.sql.aggregation import MOST_MEASURES
from tests import oracle
from tests.attacks.test_grains import comparisons
from tests.fixtures import Fixture, cases, request, rows
from tests.judged import files
from tests.random_tables import loosened
from tests.test_corpus import REJECTED, same

CUSTOMERS, ORDERS = DatasetName("retailer.customers"), DatasetName("retailer.orders")
IMPRESSIONS = DatasetName("publisher.impressions")
K = 3


def allowing(policy: Policy) -> Policy:
    """The policy with conditional aggregates of every dataset."""
    rules = {n: replace(r, aggregate_arguments=AggregateArguments.EXPRESSIONS) for n, r in policy.rules.items()}
    return replace(policy, rules=rules)


def customers(*people: tuple[int, str | None, str]) -> list[Mapping[str, Value]]:
    """One row for each of `count` people of a region and an age band; each is worth a different power of two."""
    found: list[Mapping[str, Value]] = []
    for count, region, age_band in people:
        for _ in range(count):
            n = len(found)
            found.append(
                {
                    "user_id": n,
                    "email_sha256": f"e{n}",
                    "region": region,
                    "age_band": age_band,
                    "signup_date": datetime.date(2020, 1, 1),
                    "lifetime_value": Decimal(2**n),
                    "loyalty_tier": "gold",
                    "notes": "secret",
                }
            )
    return found


def orders(*people: tuple[int, tuple[str, ...]]) -> list[Mapping[str, Value]]:
    """One row for each category that each of `count` people bought."""
    found: list[Mapping[str, Value]] = []
    person = 0
    for count, categories in people:
        for _ in range(count):
            for category in categories:
                found.append(
                    {
                        "order_id": len(found),
                        "user_id": person,
                        "ts": datetime.datetime(2026, 1, 1),
                        "amount_usd": Decimal(1),
                        "category": category,
                    }
                )
            person += 1
    return found


def answer(
    sql: str, fixture: Fixture, folder: Path, named: Mapping[DatasetName, Sequence[Mapping[str, Value]]]
) -> list[tuple[object, ...]]:
    """What both engines release of the query over these rows, held against the oracle."""
    policy = loosened(fixture.policy, K)
    data = {CUSTOMERS: (), ORDERS: (), IMPRESSIONS: (), **named}
    verdict = judge_query(request(sql), policy)
    assert verdict.approved, verdict.findings
    plan = approve(verdict)
    tables = {step.table: release(MemoryEngine(data).run_private(step, {})) for step in plan.steps}
    oracle.assert_answer_is_sound(verdict, plan, data, tables)
    slow = rows(run(plan, MemoryEngine(data), {}).rows)
    engine = DuckDBEngine(EngineLimits(), scratch=folder)
    try:
        assert same(rows(run(plan, engine, files(data, policy, folder)).rows), slow)
    finally:
        engine.close()
    return slow


PART_AND_REST = (
    "SELECT COUNT(*), COUNT(*) FILTER (WHERE region = 'north'), COUNT(*) FILTER (WHERE NOT (region = 'north'))"
    " FROM retailer.customers"
)


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        (customers((4, "north", "65+"), (5, "south", "65+")), (9, 4, 5)),
        (customers((K, "north", "65+"), (K, "south", "65+")), (6, 3, 3)),
        (customers((K - 1, "north", "65+"), (5, "south", "65+")), (7, None, None)),
        (customers((5, "north", "65+"), (1, "south", "65+")), (6, None, None)),
        (customers((4, "north", "65+"), (5, "south", "65+"), (K, None, "65+")), (12, 4, 5)),
        (customers((4, "north", "65+"), (5, "south", "65+"), (1, None, "65+")), (10, None, None)),
        (customers((4, "north", "65+")), (4, 4, None)),
    ],
    ids=["enough", "exactly enough", "few in p", "few in not p", "enough unknown", "one unknown", "nobody in not p"],
)
def test_the_total_less_a_part_and_less_the_rest_is_nobody_or_enough(
    people: list[Mapping[str, Value]], shown: tuple[int | None, ...], small_fixture: Fixture, tmp_path: Path
) -> None:
    assert answer(PART_AND_REST, small_fixture, tmp_path, {CUSTOMERS: people}) == [shown]


@pytest.mark.parametrize(("unknown", "shown"), [(0, True), (1, False), (K - 1, False), (K, True)])
@pytest.mark.parametrize(
    "cells",
    [
        "COUNT(*) FILTER (WHERE region = 'north'), COUNT(lifetime_value) FILTER (WHERE region = 'north')",
        "COUNT(*) FILTER (WHERE region = 'north'), SUM(CASE WHEN region = 'north' THEN lifetime_value ELSE 0 END)",
        "COUNT(DISTINCT CASE WHEN region = 'north' THEN user_id END), AVG(lifetime_value) FILTER (WHERE region = 'north')",
    ],
)
def test_an_unknown_value_under_a_condition_is_a_condition_of_its_own(
    cells: str, unknown: int, shown: bool, small_fixture: Fixture, tmp_path: Path
) -> None:
    people = customers((4, "north", "65+"), (unknown, "north", "65+"), (4, "south", "65+"))
    people[4 : 4 + unknown] = [{**row, "lifetime_value": None} for row in people[4 : 4 + unknown]]
    ((*found,),) = answer(f"SELECT {cells} FROM retailer.customers", small_fixture, tmp_path, {CUSTOMERS: people})
    assert [value is not None for value in found] == [shown, shown]


NESTED = (
    "SELECT COUNT(*), SUM(lifetime_value) FILTER (WHERE region = 'north'),"
    " SUM(CASE WHEN region = 'north' THEN CASE WHEN age_band = '65+' THEN lifetime_value END END) FROM retailer.customers"
)


@pytest.mark.parametrize(("inside", "shown"), [(0, True), (1, False), (K - 1, False), (K, True)])
def test_a_condition_within_a_condition_does_not_isolate_the_few_between_them(
    inside: int, shown: bool, small_fixture: Fixture, tmp_path: Path
) -> None:
    people = customers((4, "north", "65+"), (inside, "north", "18-24"), (4, "south", "65+"))
    ((_, outer, inner),) = answer(NESTED, small_fixture, tmp_path, {CUSTOMERS: people})
    assert (outer is not None, inner is not None) == (shown, shown)


@pytest.mark.parametrize(("both", "shown"), [(0, True), (1, False), (K - 1, False), (K, True)])
def test_two_conditions_that_overlap_in_a_few_people_are_both_withheld(
    both: int, shown: bool, small_fixture: Fixture, tmp_path: Path
) -> None:
    sql = (
        "SELECT COUNT(*), SUM(CASE WHEN region = 'north' THEN 1 ELSE 0 END),"
        " COUNT(CASE WHEN age_band = '65+' THEN 1 END) FROM retailer.customers"
    )
    people = customers((4, "north", "18-24"), (both, "north", "65+"), (4, "south", "65+"), (4, "south", "18-24"))
    ((_, one, other),) = answer(sql, small_fixture, tmp_path, {CUSTOMERS: people})
    assert (one is not None, other is not None) == (shown, shown)


DISTINCT = (
    "SELECT COUNT(DISTINCT user_id), COUNT(DISTINCT user_id) FILTER (WHERE category = 'toys'),"
    " COUNT(DISTINCT CASE WHEN category = 'home' THEN user_id END) FROM retailer.orders"
)


@pytest.mark.parametrize(
    ("bought", "shown"),
    [
        (orders((4, ("toys",)), (5, ("home",))), (9, 4, 5)),
        (orders((4, ("toys",)), (5, ("home",)), (1, ("toys", "home"))), (10, None, None)),
        (orders((4, ("toys",)), (5, ("home",)), (K, ("toys", "home"))), (12, 7, 8)),
        (orders((4, ("toys",)), (5, ("home",)), (1, ("food",))), (10, None, None)),
        (orders((1, ("toys",)), (5, ("toys", "home"))), (6, None, None)),
    ],
    ids=["apart", "one in both", "enough in both", "one in neither", "one in toys alone"],
)
def test_counts_of_people_under_conditions_differ_by_nobody_or_enough(
    bought: list[Mapping[str, Value]], shown: tuple[int | None, ...], small_fixture: Fixture, tmp_path: Path
) -> None:
    assert answer(DISTINCT, small_fixture, tmp_path, {ORDERS: bought}) == [shown]


@pytest.mark.parametrize(("without", "shown"), [(1, None), (K - 1, None), (K, 4)])
def test_all_people_beside_those_who_meet_a_condition_at_least_once(
    without: int, shown: int | None, small_fixture: Fixture, tmp_path: Path
) -> None:
    """Every person has rows without p, so both atoms of rows are large; it is the values that tell the few apart."""
    sql = (
        "SELECT COUNT(DISTINCT user_id), COUNT(DISTINCT user_id) FILTER (WHERE category = 'toys') FROM retailer.orders"
    )
    bought = orders((4, ("toys", "home")), (without, ("home",)))
    assert answer(sql, small_fixture, tmp_path, {ORDERS: bought}) == [(4 + without, shown)]


@pytest.mark.parametrize(("without", "shown"), [(1, None), (K, 4)])
def test_people_counted_by_the_columns_of_two_tables_that_a_join_makes_equal(
    without: int, shown: int | None, small_fixture: Fixture, tmp_path: Path
) -> None:
    sql = (
        "SELECT COUNT(DISTINCT c.user_id), COUNT(DISTINCT o.user_id) FILTER (WHERE o.category = 'toys')"
        " FROM retailer.customers c JOIN retailer.orders o ON c.user_id = o.user_id"
    )
    bought = orders((4, ("toys", "home")), (without, ("home",)))
    data = {CUSTOMERS: customers((4 + without, "north", "65+")), ORDERS: bought}
    assert answer(sql, small_fixture, tmp_path, data) == [(4 + without, shown)]


@pytest.mark.parametrize(("north", "shown"), [(1, False), (K, True)])
def test_a_condition_on_the_column_that_groups(north: int, shown: bool, small_fixture: Fixture, tmp_path: Path) -> None:
    """Withheld in each row alone: the group that meets it is the whole row, or nobody."""
    sql = "SELECT region, COUNT(*), COUNT(*) FILTER (WHERE region = 'north') FROM retailer.customers GROUP BY region"
    found = answer(sql, small_fixture, tmp_path, {CUSTOMERS: customers((north, "north", "65+"), (4, "south", "65+"))})
    assert ("south", 4, None) in found
    assert (("north", north, north) in found) is shown


@pytest.mark.parametrize(("late", "shown"), [(1, None), (K, K)])
def test_a_condition_on_a_date_at_its_grain(
    late: int, shown: int | None, small_fixture: Fixture, tmp_path: Path
) -> None:
    bought = [
        {**row, "ts": datetime.datetime(2026, 3 if n < late else 1, 5)}
        for n, row in enumerate(orders((4 + late, ("toys",))))
    ]
    sql = "SELECT COUNT(*), COUNT(*) FILTER (WHERE ts >= DATE '2026-03-01') FROM retailer.orders"
    assert answer(sql, small_fixture, tmp_path, {ORDERS: bought}) == [(4 + late, shown)]


def test_having_and_order_see_the_withheld_cell_as_null(small_fixture: Fixture, tmp_path: Path) -> None:
    sql = (
        "SELECT region, COUNT(*) AS n FROM retailer.customers GROUP BY region"
        " HAVING COUNT(*) FILTER (WHERE age_band = '65+') > 0 ORDER BY COUNT(*) FILTER (WHERE age_band = '65+')"
    )
    people = customers((5, "north", "18-24"), (1, "north", "65+"), (4, "south", "18-24"), (K, "south", "65+"))
    assert answer(sql, small_fixture, tmp_path, {CUSTOMERS: people}) == [("south", 7)]


@pytest.mark.parametrize(
    "part",
    [
        "user_id = 7",
        "email_sha256 LIKE 'a%'",
        "lifetime_value > 900",
        "notes IS NULL",
        "region = age_band",
        "user_id IS NOT NULL",
        "lower(email_sha256) < 'b'",
        "region = 'north' OR user_id = 7",
        "CASE WHEN user_id = 7 THEN TRUE ELSE FALSE END",
    ],
)
@pytest.mark.parametrize(
    "cell",
    [
        "SUM(lifetime_value) FILTER (WHERE {})",
        "SUM(CASE WHEN {} THEN lifetime_value ELSE 0 END)",
        "SUM(CASE WHEN {} THEN 1 ELSE 0 END)",
        "COUNT(DISTINCT CASE WHEN region = 'north' THEN CASE WHEN {} THEN user_id END END)",
    ],
)
def test_a_condition_that_no_where_may_have_is_refused_in_an_aggregate_too(
    part: str, cell: str, fixture: Fixture
) -> None:
    policy = allowing(fixture.policy)
    where = judge_query(request(f"SELECT COUNT(*) FROM retailer.customers WHERE {part}"), policy)
    found = judge_query(request(f"SELECT {cell.format(part)} FROM retailer.customers"), policy)
    assert not where.approved
    assert {f.code for f in found.findings} == {f.code for f in where.findings}


def test_a_date_is_looked_at_in_filter_as_finely_as_in_where(fixture: Fixture) -> None:
    policy = allowing(fixture.policy)
    sql = "SELECT COUNT(*) {} FROM retailer.orders {}"
    for part in comparisons():
        where = judge_query(request(sql.format("", f"WHERE {part}")), policy)
        kept = judge_query(request(sql.format(f"FILTER (WHERE {part})", "")), policy)
        assert {f.code for f in where.findings} == {f.code for f in kept.findings}, part


@pytest.mark.parametrize("more", [0, 1])
def test_as_many_conditions_as_a_mask_has_bits(more: int, small_fixture: Fixture, tmp_path: Path) -> None:
    cells = ", ".join(f"COUNT(*) FILTER (WHERE region <> '{n}')" for n in range(MOST_MEASURES - 10 + more))
    having = " AND ".join(f"COUNT(*) FILTER (WHERE region <> 'r{n}') > 0" for n in range(10))
    sql = f"SELECT {cells} FROM retailer.customers HAVING {having}"
    if not more:
        people = customers((4, "north", "65+"))
        assert answer(sql, small_fixture, tmp_path, {CUSTOMERS: people}) == [(4,) * (MOST_MEASURES - 10)]
        return
    verdict = judge_query(request(sql), loosened(small_fixture.policy, K))
    assert {f.code for f in verdict.findings} == {"sql.too_large"}


PLAIN = (
    "COUNT(*) FILTER (WHERE age_band = '65+')",
    "COUNT(*) FILTER (WHERE NOT age_band = '65+')",
    "SUM(CASE WHEN age_band = '65+' THEN 1 ELSE 0 END)",
    "SUM(CASE WHEN age_band = '65+' THEN 1 END)",
    "COUNT(CASE WHEN age_band = '65+' THEN 'x' END)",
    "SUM(CASE age_band WHEN '65+' THEN lifetime_value ELSE 0 END)",
    "SUM(CASE WHEN age_band = '65+' THEN lifetime_value END) FILTER (WHERE loyalty_tier = 'gold')",
    "SUM(IF(age_band = '65+', CASE WHEN loyalty_tier = 'gold' THEN lifetime_value ELSE 0.0 END, 0))",
    "AVG(CASE WHEN age_band = '65+' THEN lifetime_value ELSE NULL END)",
    "COUNT(DISTINCT CASE WHEN age_band = '65+' THEN user_id END)",
    "COUNT(DISTINCT user_id) FILTER (WHERE age_band IS NULL OR age_band <> '65+')",
    "COUNT(DISTINCT user_id) FILTER (WHERE age_band = '65+') * 1.0 / COUNT(DISTINCT user_id)",
)


@pytest.mark.parametrize("cell", PLAIN)
def test_every_spelling_means_what_the_analysts_own_text_means(cell: str, fixture: Fixture, tmp_path: Path) -> None:
    """Where nothing is small, a group is answered as without protection."""
    wide = replace(fixture, policy=allowing(fixture.policy))
    sql = f"SELECT region, {cell} AS n FROM retailer.customers GROUP BY region"
    ours = wide.answer(sql, DuckDBEngine(EngineLimits(), scratch=tmp_path))
    plain = [row for row in wide.plain(sql) if row[0] != "atoll"]
    assert same(ours, plain)
    assert all(row[1] is not None for row in ours)


def test_an_attack_is_refused_where_conditions_are_allowed_too(fixture: Fixture) -> None:
    policy = allowing(fixture.policy)
    assert [case["id"] for case in REJECTED if judge_query(request(case["sql"]), policy).approved] == []


def test_the_corpus_conditional_query_is_answered(fixture: Fixture, tmp_path: Path) -> None:
    (case,) = (case for case in cases("analyst_advanced.yaml") if case["class"] == "conditional")
    wide = replace(fixture, policy=allowing(fixture.policy))
    ours = wide.answer(case["sql"], DuckDBEngine(EngineLimits(), scratch=tmp_path))
    assert ours
    assert same(ours, wide.plain(case["sql"]))


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT count(DISTINCT user_id) FILTER (WHERE region = 'atoll') FROM retailer.customers", [(None,)]),
        ("SELECT count(DISTINCT user_id) FILTER (WHERE region <> 'atoll') FROM retailer.customers", [(None,)]),
        ("SELECT sum(CASE WHEN region = 'atoll' THEN lifetime_value ELSE 0 END) FROM retailer.customers", [(None,)]),
    ],
)
def test_a_region_of_ten_people_is_in_no_cell_and_no_difference(
    sql: str, shown: list[tuple[object, ...]], fixture: Fixture, tmp_path: Path
) -> None:
    wide = replace(fixture, policy=allowing(fixture.policy))
    assert wide.answer(sql, DuckDBEngine(EngineLimits(), scratch=tmp_path)) == shown


def test_over_groups_a_sum_of_nothing_with_else_zero_is_zero(fixture: Fixture, tmp_path: Path) -> None:
    """Groups are public: nothing is withheld there, and CASE means what it says."""
    sql = """SELECT SUM(CASE WHEN region = 'nowhere' THEN n ELSE 0 END), SUM(n) FILTER (WHERE region = 'nowhere'),
        AVG(CASE WHEN region = 'nowhere' THEN n ELSE 0 END)
        FROM (SELECT region, COUNT(*) AS n FROM retailer.customers GROUP BY region) t"""
    assert fixture.answer(sql, DuckDBEngine(EngineLimits(), scratch=tmp_path)) == [(0, None, 0.0)]
