"""Accepted or not, nothing that is shown of many people can be subtracted to one: tiny tables in which one person stands out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import product

import pytest

from cleanroom.broker import judge_query, run
from cleanroom.domain.expression import Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Policy
from cleanroom.engines.memory import MemoryEngine
from cleanroom.rules import approve
from tests.fixtures import request, rows
from tests.random_tables import CUSTOMERS, IMPRESSIONS, ORDERS, advanced

Row = Mapping[str, Value]
Data = Mapping[DatasetName, Sequence[Row]]
K = 3
SECRET = 777


def customer(person: int, *, region: str = "north", band: str = "65+", value: int | None = 10) -> Row:
    return {
        "user_id": person,
        "email_sha256": f"e{person}",
        "region": region,
        "age_band": band,
        "signup_date": datetime.date(2020, 1, 1),
        "lifetime_value": None if value is None else Decimal(value),
        "loyalty_tier": "gold",
        "notes": "secret",
    }


def order(person: int, category: str = "toys", *, amount: int = 10, day: int = 1) -> Row:
    ts = datetime.datetime(2026, 1, day)
    return {"order_id": 0, "user_id": person, "ts": ts, "amount_usd": Decimal(amount), "category": category}


def impression(person: int, *, campaign: int = 100, cost: int = 1, clicked: int = 0, day: int = 1) -> Row:
    return {
        "email_sha256": f"e{person}",
        "campaign_id": campaign,
        "ad_format": "banner",
        "device": "tv",
        "ts": datetime.datetime(2026, 1, 1) + datetime.timedelta(days=day - 1),
        "cost_usd": Decimal(cost),
        "clicked": clicked,
    }


def wide(*nullable: str) -> Policy:
    """The wide rules at a low threshold, with averages of days, and these columns declared to be missing now and then."""
    policy = advanced()
    datasets = {
        name: replace(d, columns=tuple(replace(c, nullable=c.nullable or c.name in nullable) for c in d.columns))
        for name, d in policy.datasets.items()
    }
    rules = {name: replace(rule, minimum_units=K) for name, rule in policy.rules.items()}
    seen = rules[IMPRESSIONS].columns
    days = {**seen, "ts": replace(seen["ts"], aggregate=frozenset({"avg"}))}
    rules[IMPRESSIONS] = replace(rules[IMPRESSIONS], columns=days)
    return replace(policy, datasets=datasets, rules=rules)


def answer(sql: str, data: Data, policy: Policy) -> list[tuple[object, ...]]:
    """The shown rows; none where the query is refused."""
    verdict = judge_query(request(sql, "advanced"), policy)
    full: Data = {CUSTOMERS: (), ORDERS: (), IMPRESSIONS: (), **data}
    return rows(run(approve(verdict), MemoryEngine(full), {}).rows) if verdict.approved else []


def numbers(shown: Sequence[tuple[object, ...]]) -> list[Decimal]:
    return [Decimal(str(cell)) for row in shown for cell in row if isinstance(cell, int | float | Decimal)]


def can_tell(secret: int, shown: Sequence[tuple[object, ...]]) -> bool:
    """Whether the secret is a sum or a difference of two shown numbers, as they are or times a shown count."""
    found = numbers(shown)
    sides = [Decimal(0), *found, *(one * other for one, other in product(found, repeat=2))]
    near = {round(side, 3) for side in sides}
    return any(round(side - secret, 3) in near for side in sides)


TOYS_AND_HOME = [order(p, c) for p in range(5) for c in ("toys", "home")]
CROSSING = (
    "(SELECT CASE WHEN region = 'north' THEN 1 ELSE 0 END AS a, CASE WHEN region IN ('north', 'atoll') THEN 1 ELSE 0 END"
    " AS b, lifetime_value AS v FROM retailer.customers) t"
)
REGIONS = [customer(n, region="south" if n % 2 else "north") for n in range(10)]
FIRST = "ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY ts) AS r"
SEEN_FIRST = "ROW_NUMBER() OVER (PARTITION BY email_sha256 ORDER BY device) AS r"
PART_AND_ALL = (
    "(SELECT user_id, SUM(amount_usd) FILTER (WHERE category <> 'rare') AS x, SUM(amount_usd) AS y"
    " FROM retailer.orders GROUP BY user_id)"
)
FIRST_OF = (
    "(SELECT category, s, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY n) AS r FROM (SELECT user_id, category,"
    " date_trunc('day', ts) AS d, COUNT(*) AS n, SUM(amount_usd) AS s FROM retailer.orders GROUP BY user_id, {}) t) u"
    " WHERE r = 1"
)
SPANS = (
    "SELECT COUNT(*), AVG(date_diff('day', a, b)), AVG(date_diff('day', a, c)) FROM (SELECT email_sha256, MIN(ts) AS a,"
    " MAX(ts) AS b, MAX(ts) FILTER (WHERE clicked = 0) AS c FROM publisher.impressions GROUP BY 1) t"
)


@pytest.mark.parametrize(
    ("sql", "data"),
    [
        pytest.param(
            f"SELECT a, b, SUM(v) FROM {CROSSING} GROUP BY GROUPING SETS ((a), (b))",
            {CUSTOMERS: [*REGIONS, customer(99, region="atoll", value=SECRET)]},
            id="crossing groupings",
        ),
        pytest.param(
            f"SELECT a, b, SUM(v) FROM {CROSSING} GROUP BY CUBE (a, b)",
            {CUSTOMERS: [*REGIONS, customer(99, region="atoll", value=SECRET)]},
            id="crossing groupings and what both make",
        ),
        pytest.param(
            "SELECT SUM(x), SUM(y) FROM (SELECT user_id, SUM(amount_usd) FILTER (WHERE category = 'toys') AS x,"
            " SUM(amount_usd) FILTER (WHERE category IN ('toys', 'rare')) AS y FROM retailer.orders GROUP BY user_id) t",
            {ORDERS: [*TOYS_AND_HOME, order(2, "rare", amount=SECRET)]},
            id="two conditions on one person's rows",
        ),
        pytest.param(
            f"SELECT SUM(x), SUM(y) FROM {PART_AND_ALL} t",
            {ORDERS: [*TOYS_AND_HOME, order(2, "rare", amount=SECRET)]},
            id="one condition on one person's rows beside none",
        ),
        pytest.param(
            f"SELECT a.s, b.s FROM (SELECT SUM(amount_usd) AS s FROM (SELECT amount_usd, {FIRST} FROM retailer.orders"
            f" WHERE category = 'toys') x WHERE r = 1) a CROSS JOIN (SELECT SUM(amount_usd) AS s FROM (SELECT amount_usd,"
            f" category, {FIRST} FROM retailer.orders) y WHERE r = 1 AND category = 'toys') b",
            {ORDERS: [*(order(p) for p in range(4)), order(7, "home"), order(7, amount=SECRET, day=2)]},
            id="a filter below a window and above it",
        ),
        pytest.param(
            f"SELECT * FROM (SELECT campaign_id, SUM(cost_usd) AS s FROM (SELECT campaign_id, cost_usd, {SEEN_FIRST} FROM"
            f" publisher.impressions) x WHERE r = 1 GROUP BY 1) a CROSS JOIN (SELECT SUM(cost_usd) AS t FROM (SELECT"
            f" cost_usd, {SEEN_FIRST} FROM publisher.impressions) y WHERE r = 1) b",
            {
                IMPRESSIONS: [
                    *(impression(p) for p in range(4)),
                    *(impression(p, campaign=101) for p in range(20, 24)),
                    impression(7, cost=SECRET + 3),
                    impression(7, campaign=101, cost=3),
                ]
            },
            id="rows that an order does not tell apart",
        ),
        pytest.param(
            SPANS,
            {
                IMPRESSIONS: [
                    *(impression(p, day=d) for p in range(5) for d in (1, 11)),
                    impression(2, clicked=1, day=11 + SECRET),
                ]
            },
            id="two spans of days of which one leaves rows out",
        ),
        pytest.param(
            "SELECT SUM(lifetime_value), SUM(LEAST(lifetime_value, 20)) FROM retailer.customers",
            {CUSTOMERS: [*REGIONS, customer(99, value=SECRET + 20)]},
            id="a clamp that binds one person",
        ),
        pytest.param(
            f"SELECT SUM(x), SUM(y) FROM (SELECT DISTINCT user_id, x, y FROM {PART_AND_ALL} u) t",
            {ORDERS: [*TOYS_AND_HOME, order(2, "rare", amount=SECRET)]},
            id="a condition behind a DISTINCT",
        ),
        pytest.param(
            f"SELECT SUM(x), SUM(y) FROM (SELECT user_id, x, y, COUNT(*) AS n FROM {PART_AND_ALL} u GROUP BY 1, 2, 3) t",
            {ORDERS: [*TOYS_AND_HOME, order(2, "rare", amount=SECRET)]},
            id="a condition behind a GROUP BY",
        ),
        pytest.param(
            f"SELECT SUM(x), SUM(y) FROM retailer.customers c LEFT JOIN (SELECT DISTINCT user_id, x, y FROM {PART_AND_ALL} u)"
            " t ON c.user_id = t.user_id",
            {CUSTOMERS: REGIONS, ORDERS: [*TOYS_AND_HOME, order(2, "rare", amount=SECRET)]},
            id="a condition behind a DISTINCT that is joined",
        ),
        pytest.param(
            "SELECT SUM(v), SUM(w) FROM (SELECT DISTINCT user_id, lifetime_value AS v, LEAST(lifetime_value, 20) AS w"
            " FROM retailer.customers) t",
            {CUSTOMERS: [*REGIONS, customer(99, value=SECRET + 20)]},
            id="a clamp behind a DISTINCT",
        ),
        *(
            pytest.param(
                f"SELECT COUNT(*), AVG(date_diff('day', a, b)), AVG({other}) FROM (SELECT email_sha256, DATE '2026-01-01' AS a,"
                " MAX(ts) AS b, ARG_MIN(ts, clicked) AS c, COUNT(*) AS n FROM publisher.impressions GROUP BY 1) t",
                {IMPRESSIONS: [*(impression(p, day=11) for p in range(5)), impression(2, clicked=1, day=11 + SECRET)]},
                id=f"a second span of days in {other.partition('(')[0].partition(' ')[0]}",
            )
            for other in (
                "LEAST(date_diff('day', a, c), 100000)",
                "COALESCE(date_diff('day', a, c), 0)",
                "CASE WHEN n > 1000 THEN date_diff('day', a, b) ELSE date_diff('day', a, c) END",
            )
        ),
        pytest.param(
            f"SELECT * FROM (SELECT SUM(s) AS s FROM {FIRST_OF.format('category, d')}) a CROSS JOIN"
            f" (SELECT SUM(s) AS t FROM {FIRST_OF.format('d, category')}) b",
            {
                ORDERS: [
                    *(order(p) for p in range(4)),
                    *(order(p, "home") for p in range(20, 24)),
                    order(9, "home", amount=SECRET + 3, day=9),
                    order(9, amount=3, day=2),
                ]
            },
            id="keys in another order, which settle another first row",
        ),
    ],
)
def test_nobodys_value_is_a_difference_of_what_is_shown(sql: str, data: Data) -> None:
    assert not can_tell(SECRET, answer(sql, data, wide()))


@pytest.mark.parametrize(
    ("removed", "shown"), [(0, [(8,)]), (1, []), (K - 1, []), (K, [(5,)])], ids=["none", "one", "few", "enough"]
)
@pytest.mark.parametrize(
    "absent",
    [
        "c.email_sha256 IS NULL",
        "c.region IS NULL",
        "COALESCE(c.region, 'nowhere') = 'nowhere'",
        "c.email_sha256 IS NULL OR FALSE",
        "NOT (c.email_sha256 IS NOT NULL)",
        "(c.user_id IS NULL) IS TRUE",
    ],
)
def test_absence_told_by_a_left_join_takes_away_nobody_or_enough(
    absent: str, removed: int, shown: list[tuple[int]]
) -> None:
    sql = (
        "SELECT COUNT(DISTINCT i.email_sha256) FROM publisher.impressions i LEFT JOIN retailer.customers c"
        f" ON i.email_sha256 = c.email_sha256 WHERE {absent}"
    )
    data = {CUSTOMERS: [customer(p) for p in range(removed)], IMPRESSIONS: [impression(p) for p in range(8)]}
    assert answer(sql, data, wide()) == shown


@pytest.mark.parametrize("function", ["RANK", "DENSE_RANK"])
def test_rows_that_an_order_does_not_tell_apart_have_one_rank(function: str) -> None:
    sql = (
        f"SELECT r, COUNT(*) FROM (SELECT {function}() OVER (PARTITION BY user_id ORDER BY date_trunc('month', ts)) AS r"
        " FROM retailer.orders) t GROUP BY r"
    )
    bought = [order(p, amount=d, day=d) for p in range(4) for d in (1, 2)]
    assert answer(sql, {ORDERS: bought}, wide()) == [(1, 8)]


def test_whether_one_value_is_there_is_not_told_by_what_fills_it_in() -> None:
    sql = (
        "SELECT SUM(v), SUM(w) FROM (SELECT DISTINCT user_id, COALESCE(lifetime_value, 0) AS v,"
        f" COALESCE(lifetime_value, {SECRET}) AS w FROM retailer.customers) t"
    )
    shown = answer(sql, {CUSTOMERS: [*REGIONS, customer(99, value=None)]}, wide("lifetime_value"))
    assert not can_tell(SECRET, shown)
