"""A seed → small random tables and the rules over them: NULLs, duplicates, empty sides, single people, crowds."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache

from cleanroom.documents import read_folder
from cleanroom.domain.expression import Value
from cleanroom.domain.identifiers import CollaborationName, DatasetName
from cleanroom.domain.policy import AggregateArguments, AnalysisRule, ColumnRule, Dataset, Policy, SmallGroups
from tests.fixtures import CORPUS

Rows = Mapping[DatasetName, Sequence[Mapping[str, Value]]]

CUSTOMERS, ORDERS = DatasetName("retailer.customers"), DatasetName("retailer.orders")
IMPRESSIONS = DatasetName("publisher.impressions")
REGIONS = ("north", "south", "atoll")
CATEGORIES = ("toys", "home", "food")
FORMATS = ("banner", "video")
DEVICES = ("tv", "phone")
NULLABLE = {
    "retailer.customers": ("email_sha256", "region", "lifetime_value"),
    "retailer.orders": ("user_id", "amount_usd", "category"),
    "publisher.impressions": ("email_sha256", "cost_usd", "clicked"),
}
MORE_FUNCTIONS = frozenset({"greatest", "trim", "length", "substring", "concat", "nullif"})
MORE_AGGREGATES = frozenset({"count", "count_distinct", "stddev", "variance", "corr", "covar", "stddev_pop"})
ROW_FILTERS = {
    "retailer.customers": "region <> 'south'",
    "retailer.orders": "category IN ('toys', 'home')",
    "publisher.impressions": "device = 'tv' OR campaign_id = 100",
}
SHARED = ("email_sha256",)
SIZES = ((0, 4, 4), (1, 3, 5), (4, 8, 8), (8, 14, 0), (9, 0, 16), (16, 24, 24), (24, 48, 48), (24, 48, 48))


@dataclass(frozen=True, slots=True)
class Scenario:
    """The rules that hold and the tables that are there."""

    policy: Policy
    data: Rows


def scenario(dice: random.Random) -> Scenario:
    """Rules, and tables that keep what they declare."""
    policy = random_policy(dice)
    return Scenario(policy, random_rows(dice, policy))


# --- rules ---------------------------------------------------------------------------------------------------------


@cache
def advanced() -> Policy:
    """The corpus' wide rules."""
    policy = read_folder(CORPUS / "policies" / "advanced").policy(CollaborationName("advanced"))
    assert policy is not None
    return policy


def loosened(policy: Policy, minimum: int) -> Policy:
    """The policy with columns that may be NULL, a low threshold, conditional aggregates, and counts of more columns."""
    nullable = {name: frozenset(columns) for name, columns in NULLABLE.items()}
    datasets = {name: _with_nullable(dataset, nullable[name]) for name, dataset in policy.datasets.items()}
    rules = {}
    for name, rule in policy.rules.items():
        columns = {column: _counted(use) for column, use in rule.columns.items()}
        rules[name] = replace(
            rule, minimum_units=minimum, columns=columns, aggregate_arguments=AggregateArguments.EXPRESSIONS
        )
    return replace(policy, datasets=datasets, rules=rules)


def _counted(use: ColumnRule) -> ColumnRule:
    return replace(use, aggregate=use.aggregate | {"count", "count_distinct"} if use.aggregate else use.aggregate)


def _with_nullable(dataset: Dataset, nullable: frozenset[str]) -> Dataset:
    return replace(dataset, columns=tuple(replace(c, nullable=c.name in nullable) for c in dataset.columns))


def random_policy(dice: random.Random) -> Policy:
    """The corpus' wide rules with a low threshold, now and then with NULLs, row filters, small groups kept, and addresses
    that two customers share."""
    wide = advanced()
    minimum, shared = dice.choice((2, 2, 3)), dice.random() < 0.2
    small_groups = dice.choice((SmallGroups.DROP,) * 4 + (SmallGroups.POOL, SmallGroups.BLANK))
    datasets, rules = {}, {}
    for name, dataset in wide.datasets.items():
        nullable = frozenset(column for column in NULLABLE[name] if dice.random() < 0.25)
        kept_apart = dataset.unique if not shared else tuple(columns for columns in dataset.unique if columns != SHARED)
        declared = replace(_with_nullable(dataset, nullable), unique=kept_apart)
        datasets[name] = _with_public_values(declared, small_groups)
        least = dice.choice((minimum, minimum, minimum, 3))
        kept = small_groups if dice.random() < 0.9 else dice.choice(tuple(SmallGroups))
        rules[name] = _random_rule(dice, replace(wide.rules[name], minimum_units=least, small_groups=kept))
    return replace(wide, datasets=datasets, rules=rules)


def _random_rule(dice: random.Random, rule: AnalysisRule) -> AnalysisRule:
    columns = {
        name: replace(use, aggregate=use.aggregate | MORE_AGGREGATES) if "sum" in use.aggregate else use
        for name, use in rule.columns.items()
    }
    if dice.random() < 0.1:
        named = dice.choice([name for name, use in columns.items() if use.aggregate])
        columns[named] = replace(columns[named], minimum_units=rule.minimum_units + 2)
    filtered = ROW_FILTERS[rule.dataset] if dice.random() < 0.1 else None
    return replace(rule, columns=columns, functions=rule.functions | MORE_FUNCTIONS, row_filter=filtered)


def _with_public_values(dataset: Dataset, small_groups: SmallGroups) -> Dataset:
    if small_groups is not SmallGroups.BLANK:
        return dataset
    public = {"region": REGIONS, "ad_format": FORMATS, "device": DEVICES}
    columns = tuple(replace(c, values=public[c.name]) if c.name in public else c for c in dataset.columns)
    return replace(dataset, columns=columns)


# --- tables --------------------------------------------------------------------------------------------------------


def crowd(seed: int) -> Rows:
    """Two dozen people with two events each or so: enough that conditional cells are shown as often as withheld."""
    return _rows(random.Random(seed), loosened(advanced(), 2), 24, 48, 48)


def random_rows(dice: random.Random, policy: Policy) -> Rows:
    """Tables of one of several sizes; no two events are at one moment."""
    return _rows(dice, policy, *dice.choice(SIZES))


def _rows(dice: random.Random, policy: Policy, people: int, orders: int, impressions: int) -> Rows:
    known = max(people, 3)
    drawn = {
        CUSTOMERS: [_customer(dice, number) for number in range(people)],
        ORDERS: [_order(dice, number, known) for number in range(orders)],
        IMPRESSIONS: [_impression(dice, number, known) for number in range(impressions)],
    }
    if SHARED not in policy.datasets[CUSTOMERS].unique:
        drawn[CUSTOMERS] = [{**row, "email_sha256": f"e{at // 2}"} for at, row in enumerate(drawn[CUSTOMERS])]
    return {name: [_with_nulls(dice, row, policy.datasets[name]) for row in rows] for name, rows in drawn.items()}


def _with_nulls(dice: random.Random, row: Mapping[str, Value], dataset: Dataset) -> Mapping[str, Value]:
    missing = {c.name for c in dataset.columns if c.nullable and c.name in NULLABLE[dataset.name]}
    return {name: None if name in missing and dice.random() < 0.15 else value for name, value in row.items()}


def _customer(dice: random.Random, number: int) -> Mapping[str, Value]:
    return {
        "user_id": number,
        "email_sha256": f"e{number}",
        "region": dice.choice(REGIONS),
        "age_band": dice.choice(("18-24", "65+")),
        "signup_date": datetime.date(2020, 1, 1),
        "lifetime_value": _money(dice),
        "loyalty_tier": dice.choice(("gold", "bronze")),
        "notes": "secret",
    }


def _order(dice: random.Random, number: int, people: int) -> Mapping[str, Value]:
    return {
        "order_id": number,
        "user_id": _somebody(dice, people),
        "ts": _moment(dice, number),
        "amount_usd": _money(dice),
        "category": dice.choice(CATEGORIES),
    }


def _impression(dice: random.Random, number: int, people: int) -> Mapping[str, Value]:
    return {
        "email_sha256": f"e{_somebody(dice, people)}",
        "campaign_id": dice.randrange(100, 103),
        "ad_format": dice.choice(FORMATS),
        "device": dice.choice(DEVICES),
        "ts": _moment(dice, number),
        "cost_usd": _money(dice),
        "clicked": dice.randrange(2),
    }


def _somebody(dice: random.Random, people: int) -> int:
    """Mostly one of the customers, some oftener than others."""
    return (
        min(dice.randrange(people + 2), dice.randrange(people + 2)) if dice.random() < 0.5 else dice.randrange(people)
    )


def _money(dice: random.Random) -> Decimal:
    return Decimal(dice.randrange(40)) / 4


def _moment(dice: random.Random, number: int) -> datetime.datetime:
    return datetime.datetime(2026, 1, 1) + datetime.timedelta(days=dice.randrange(80), minutes=number)
