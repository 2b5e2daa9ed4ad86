"""What the oracle must not let pass: answers that were released at a lower threshold than their owners ask for."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from cleanroom.domain.expression import Value
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.rules import approve
from tests import oracle
from tests.judged import judged, released
from tests.random_tables import CUSTOMERS, IMPRESSIONS, ORDERS, REGIONS, Rows, advanced

K = 3


def customers(*people: tuple[int, str | None]) -> list[Mapping[str, Value]]:
    """So many people of each region; the first half of all are young. All have spent a different power of two."""
    regions = [region for count, region in people for _ in range(count)]
    return [
        {
            "user_id": n,
            "email_sha256": f"e{n}",
            "region": region,
            "age_band": "18-24" if n < len(regions) // 2 else "65+",
            "signup_date": datetime.date(2020, 1, 1),
            "lifetime_value": Decimal(2**n),
            "loyalty_tier": "gold",
            "notes": "",
        }
        for n, region in enumerate(regions)
    ]


def orders(*bought: Sequence[str]) -> list[Mapping[str, Value]]:
    """One row for each category that each person bought; each costs 1."""
    pairs = [(user, category) for user, categories in enumerate(bought) for category in categories]
    return [
        {
            "order_id": n,
            "user_id": user,
            "ts": datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=n),
            "amount_usd": Decimal(1 + user),
            "category": category,
        }
        for n, (user, category) in enumerate(pairs)
    ]


def rules(minimum: int) -> Policy:
    """The corpus' wide rules, nothing being NULL."""
    wide = advanced()
    return replace(wide, rules={name: replace(rule, minimum_units=minimum) for name, rule in wide.rules.items()})


def shown(sql: str, data: Rows, policy: Policy) -> list[oracle.ShownTable]:
    verdict = judged(sql, policy)
    assert verdict.approved, verdict.findings
    plan = approve(verdict)
    return oracle.shown_tables(verdict, plan, released(plan, data))


def tables(people: Sequence[Mapping[str, Value]], bought: Sequence[Mapping[str, Value]] = ()) -> Rows:
    return {CUSTOMERS: people, ORDERS: bought, IMPRESSIONS: ()}


MANY = [("toys",)] * 5
PER_UNIT = "WITH u AS (SELECT user_id, COUNT(*) AS n, SUM(amount_usd) AS s FROM retailer.orders GROUP BY user_id) "
FEW = [
    (
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY region",
        tables(customers((4, "north"), (1, "south"))),
        "a row of 1",
    ),
    (
        "SELECT COUNT(*) FROM retailer.customers WHERE user_id IN (SELECT user_id FROM retailer.orders)",
        tables(customers((9, "north")), orders(("toys",), ("toys",))),
        "a row of 2",
    ),
    (PER_UNIT + "SELECT n, COUNT(*) FROM u GROUP BY n", tables([], orders(*MANY, ("toys", "home"))), "a row of 1"),
    (
        "SELECT COUNT(*), SUM(LEAST(amount_usd, 4.5)) FROM retailer.orders",
        tables([], orders(*MANY)),
        "a difference of shown cells rests on 1",
    ),
    (
        PER_UNIT + "SELECT COUNT(*), AVG(LEAST(s, 4.5)) FROM u",
        tables([], orders(*MANY)),
        "a difference of shown cells rests on 1",
    ),
    (
        PER_UNIT + "SELECT COUNT(*), SUM(s) FILTER (WHERE n > 1) FROM u",
        tables([], orders(*MANY, ("toys", "toys"))),
        "rests on 1",
    ),
    (
        "SELECT SUM(CASE WHEN region = 'north' THEN lifetime_value WHEN region = 'south' THEN 2 ELSE 0 END)"
        " FROM retailer.customers",
        tables(customers((4, "north"), (1, "south"), (4, "atoll"))),
        "rests on 1",
    ),
    (
        "SELECT COUNT(*) FROM retailer.customers c"
        " WHERE NOT EXISTS (SELECT 1 FROM retailer.orders o WHERE o.user_id = c.user_id)",
        tables(customers((9, "north")), orders(("toys",))),
        "an anti-join took away 1",
    ),
    (
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY ROLLUP (region)",
        tables(customers((4, "north"), (1, "south"))),
        "a row of 1",
    ),
    (
        "SELECT COUNT(o.user_id), COUNT(DISTINCT c.user_id) FROM retailer.customers c"
        " LEFT JOIN retailer.orders o ON c.user_id = o.user_id",
        tables(customers((9, "north")), orders(("toys",))),
        "rests on 1",
    ),
    (
        "SELECT COUNT(DISTINCT c.user_id) FROM retailer.customers c LEFT JOIN retailer.orders o ON c.user_id = o.user_id"
        " WHERE o.category = 'toys' OR c.region = 'north'",
        tables(customers((9, "north")), orders(("toys",))),
        "a row of",
    ),
]


@pytest.mark.parametrize(("sql", "data", "reason"), FEW)
def test_what_a_lower_threshold_shows_is_caught(sql: str, data: Rows, reason: str) -> None:
    leaked = shown(sql, data, rules(1))
    with pytest.raises(AssertionError, match=reason):
        oracle.assert_tables_are_sound(leaked, data, oracle.Terms(K))
    oracle.assert_tables_are_sound(shown(sql, data, rules(K)), data, oracle.Terms(K))


def total_and_rows(data: Rows) -> list[oracle.ShownTable]:
    """A total and the rows beneath it, each with its own threshold's rows alone, as if nothing compared them."""
    found = shown("SELECT region, COUNT(*) FROM retailer.customers GROUP BY ROLLUP (region)", data, rules(1))
    kept = []
    for aggregate, table in found:
        counts = table.rows.column(table.rows.num_columns - 1).to_pylist()
        few = pa.array([count >= K for count in counts])
        kept.append((aggregate, replace(table, rows=table.rows.filter(few))))
    return kept


def test_a_total_less_the_shown_rows_beneath_it_is_caught() -> None:
    data = tables(customers((4, "north"), (1, "south")))
    with pytest.raises(AssertionError, match="a total less the rows beneath it is 1"):
        oracle.assert_tables_are_sound(total_and_rows(data), data, oracle.Terms(K))


def test_a_total_whose_rows_are_all_shown_is_sound() -> None:
    data = tables(customers((4, "north"), (K, "south")))
    oracle.assert_tables_are_sound(total_and_rows(data), data, oracle.Terms(K))


def test_two_releases_over_different_rows_of_one_dataset_are_caught() -> None:
    data = tables(customers((4, "north"), (K, "south")))
    all_of_them = shown("SELECT COUNT(*) FROM retailer.customers", data, rules(K))
    some_of_them = shown("SELECT COUNT(*) FROM retailer.customers WHERE region = 'north'", data, rules(K))
    with pytest.raises(AssertionError, match="different rows"):
        oracle.assert_tables_are_sound([*all_of_them, *some_of_them], data, oracle.Terms(K))


def test_sets_of_keys_beside_each_other_of_which_some_was_withheld_are_caught() -> None:
    sql = "SELECT region, age_band, COUNT(*) FROM retailer.customers GROUP BY CUBE (region, age_band)"
    data = tables(customers((9, "north"), (1, "south")))
    leaked = shown(sql, data, rules(1))
    kept = [
        (
            a,
            replace(
                t, rows=t.rows.filter(pa.array([n >= K for n in t.rows.column(t.rows.num_columns - 1).to_pylist()]))
            ),
        )
        for a, t in leaked
    ]
    with pytest.raises(AssertionError, match="beside each other"):
        oracle.assert_tables_are_sound(kept, data, oracle.Terms(K))
    oracle.assert_tables_are_sound(shown(sql, data, rules(K)), data, oracle.Terms(K))


def test_a_cell_of_fewer_than_its_column_asks_for_is_caught() -> None:
    data = tables(customers((4, "north")))
    found = shown("SELECT AVG(lifetime_value) FROM retailer.customers", data, rules(K))
    with pytest.raises(AssertionError, match="where its owner asks for 5"):
        oracle.assert_tables_are_sound(found, data, oracle.Terms(K, of_column={(CUSTOMERS, "lifetime_value"): 5}))


def test_a_public_key_that_is_missing_where_others_are_left_empty_is_caught() -> None:
    data = tables(customers((4, "north"), (1, "south")))
    ((aggregate, table),) = shown("SELECT region, COUNT(*) FROM retailer.customers GROUP BY region", data, rules(K))
    names = table.rows.column_names
    blank = pa.table({names[0]: ["south"], names[1]: pa.array([None], pa.int64())})
    terms = oracle.Terms(K, {CUSTOMERS: SmallGroups.BLANK}, public={(CUSTOMERS, "region"): REGIONS})
    with pytest.raises(AssertionError, match="a public key is missing"):
        oracle.assert_tables_are_sound(
            [(aggregate, replace(table, rows=pa.concat_tables([table.rows, blank])))], data, terms
        )


def test_a_partition_of_several_people_is_caught() -> None:
    """No such plan is approved; the oracle does not rest on that."""
    verdict = judged(
        "SELECT COUNT(*) FROM (SELECT user_id, RANK() OVER (ORDER BY ts) AS r FROM retailer.orders) t", rules(1)
    )
    assert not verdict.approved
    assert verdict.plan is not None
    data = tables([], orders(*MANY))
    with pytest.raises(AssertionError, match="a window's partition mixes 5 user_id"):
        oracle.Released(next(iter(oracle.releases(verdict.plan.root))), (), data, K)
