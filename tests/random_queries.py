"""Random small tables with NULLs and duplicates, and random queries of the language over them, legal and not."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from cleanroom.domain.expression import Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import AggregateArguments, Policy

Rows = Mapping[DatasetName, Sequence[Mapping[str, Value]]]

REGIONS = ("north", "south", "atoll")
CATEGORIES = ("toys", "home", None)
FORMATS = ("banner", "video")
NULLABLE = {
    "retailer.customers": {"email_sha256", "region", "lifetime_value"},
    "retailer.orders": {"user_id", "amount_usd", "category"},
    "publisher.impressions": {"email_sha256", "cost_usd", "clicked"},
}


def loosened(policy: Policy, minimum: int) -> Policy:
    """The policy with columns that may be NULL, a low threshold, conditional aggregates, and counts of more columns."""
    datasets = {
        name: replace(
            dataset,
            columns=tuple(replace(c, nullable=c.name in NULLABLE[name]) for c in dataset.columns),
        )
        for name, dataset in policy.datasets.items()
    }
    rules = {}
    for name, rule in policy.rules.items():
        columns = {
            column: replace(
                use, aggregate=use.aggregate | {"count", "count_distinct"} if use.aggregate else use.aggregate
            )
            for column, use in rule.columns.items()
        }
        rules[name] = replace(
            rule, minimum_units=minimum, columns=columns, aggregate_arguments=AggregateArguments.EXPRESSIONS
        )
    return replace(policy, datasets=datasets, rules=rules)


def _sometimes_null(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, st.none())


MONEY = st.integers(0, 40).map(lambda cents: Decimal(cents) / 4)
MOMENT = st.integers(0, 80).map(lambda day: datetime.datetime(2026, 1, 1) + datetime.timedelta(days=day, hours=day % 5))


@st.composite
def tables(draw: st.DrawFn) -> Rows:
    """Up to eight people, known to both partners, one or none; each with any number of events."""
    people = list(range(draw(st.integers(0, 8))))
    customers = [
        {
            "user_id": person,
            "email_sha256": draw(_sometimes_null(st.just(f"e{person}"))),
            "region": draw(_sometimes_null(st.sampled_from(REGIONS))),
            "age_band": draw(st.sampled_from(("18-24", "65+"))),
            "signup_date": datetime.date(2020, 1, 1),
            "lifetime_value": draw(_sometimes_null(MONEY)),
            "loyalty_tier": draw(st.sampled_from(("gold", "bronze"))),
            "notes": "secret",
        }
        for person in people
    ]
    orders = [
        {
            "order_id": number,
            "user_id": draw(_sometimes_null(st.integers(0, 8))),
            "ts": draw(MOMENT),
            "amount_usd": draw(_sometimes_null(MONEY)),
            "category": draw(st.sampled_from(CATEGORIES)),
        }
        for number in range(draw(st.integers(0, 16)))
    ]
    impressions = [
        {
            "email_sha256": draw(_sometimes_null(st.integers(0, 9).map(lambda n: f"e{n}"))),
            "campaign_id": draw(st.integers(100, 102)),
            "ad_format": draw(st.sampled_from(FORMATS)),
            "device": "tv",
            "ts": draw(MOMENT),
            "cost_usd": draw(_sometimes_null(MONEY)),
            "clicked": draw(_sometimes_null(st.integers(0, 1))),
        }
        for _ in range(draw(st.integers(0, 16)))
    ]
    return {
        DatasetName("retailer.customers"): customers,
        DatasetName("retailer.orders"): orders,
        DatasetName("publisher.impressions"): impressions,
    }


def crowd(seed: int) -> Rows:
    """Two dozen people with two events each or so: enough that conditional cells are shown as often as withheld."""
    dice = random.Random(seed)

    def maybe(value: Value) -> Value:
        return value if dice.random() < 0.93 else None

    def moment() -> datetime.datetime:
        return datetime.datetime(2026, 1, 1) + datetime.timedelta(days=dice.randrange(80))

    def money() -> Value:
        return maybe(Decimal(dice.randrange(40)) / 4)

    people = range(24)
    customers = [
        {
            "user_id": n,
            "email_sha256": maybe(f"e{n}"),
            "region": maybe(dice.choice(REGIONS)),
            "age_band": dice.choice(("18-24", "65+")),
            "signup_date": datetime.date(2020, 1, 1),
            "lifetime_value": money(),
            "loyalty_tier": dice.choice(("gold", "bronze")),
            "notes": "secret",
        }
        for n in people
    ]
    orders = [
        {
            "order_id": number,
            "user_id": maybe(dice.choice(people)),
            "ts": moment(),
            "amount_usd": money(),
            "category": dice.choice(CATEGORIES),
        }
        for number in range(48)
    ]
    impressions = [
        {
            "email_sha256": maybe(f"e{dice.choice(people)}"),
            "campaign_id": dice.randrange(100, 103),
            "ad_format": dice.choice(FORMATS),
            "device": "tv",
            "ts": moment(),
            "cost_usd": money(),
            "clicked": maybe(dice.randrange(2)),
        }
        for _ in range(48)
    ]
    return {
        DatasetName("retailer.customers"): customers,
        DatasetName("retailer.orders"): orders,
        DatasetName("publisher.impressions"): impressions,
    }


C = "retailer.customers c"
FROMS = {
    "c": C,
    "o": "retailer.orders o",
    "i": "publisher.impressions i",
    "co": f"{C} JOIN retailer.orders o ON c.user_id = o.user_id",
    "ci": f"{C} JOIN publisher.impressions i USING (email_sha256)",
    "cio": f"{C}, publisher.impressions i, retailer.orders o WHERE c.email_sha256 = i.email_sha256 AND o.user_id = c.user_id",
    "coc": "retailer.orders o JOIN retailer.orders c ON o.user_id = c.user_id",  # a dataset with itself
    "ix": f"publisher.impressions i, {C}",  # no equality: refused
}
KEYS = {
    "c": ("c.region", "c.age_band", "upper(c.loyalty_tier)", "CASE WHEN c.region = 'atoll' THEN 'far' ELSE 'near' END"),
    "o": ("o.category", "date_trunc('month', o.ts)", "EXTRACT(month FROM o.ts)", "coalesce(o.category, 'none')"),
    "i": ("i.campaign_id", "i.ad_format", "CAST(i.ts AS DATE)", "strftime(i.ts, '%Y-%m')", "date_trunc('week', i.ts)"),
}
PREDICATES = {
    "c": ("c.region <> 'atoll'", "c.age_band IN ('18-24')", "NOT (c.loyalty_tier = 'gold')", "c.region IS NULL"),
    "o": ("o.category = 'toys'", "o.ts >= TIMESTAMP '2026-02-01'", "date_trunc('month', o.ts) = DATE '2026-01-01'"),
    "i": ("i.campaign_id BETWEEN 100 AND 101", "i.ad_format LIKE 'b%'", "i.ts < DATE '2026-02-10'"),
}
MEASURES = {
    "c": ("COUNT(DISTINCT c.user_id)", "SUM(c.lifetime_value)", "AVG(c.lifetime_value)", "COUNT(c.lifetime_value)"),
    "o": ("COUNT(DISTINCT o.user_id)", "SUM(o.amount_usd)", "COUNT(DISTINCT o.amount_usd)", "AVG(o.amount_usd)"),
    "i": ("COUNT(DISTINCT i.email_sha256)", "SUM(i.cost_usd)", "SUM(i.clicked)", "COUNT(i.clicked)"),
}
ILLEGAL_KEYS = ("c.notes", "c.user_id", "o.ts", "i.email_sha256", "c.lifetime_value")
ILLEGAL_PREDICATES = (
    "c.user_id = 3",
    "o.amount_usd > 2",
    "c.region = c.age_band",
    "i.ts > TIMESTAMP '2026-01-05 10:00:00'",
)
ILLEGAL_MEASURES = ("MAX(c.lifetime_value)", "SUM(c.user_id)", "COUNT(c.notes)", "SUM(o.amount_usd * 2)")
OUTER = (
    "SELECT * FROM ({q}) t",
    "SELECT k0, m0 FROM ({q}) t WHERE m0 IS NOT NULL ORDER BY m0 DESC, k0",
    "WITH t AS ({q}) SELECT count(*) AS groups, sum(m0) AS total FROM t",
    "WITH t AS ({q}) SELECT k0, m0 * 2 AS twice, m0 / NULLIF(m0 - 1, 0) AS ratio FROM t",
    "WITH t AS ({q}) SELECT k0, m0, sum(m0) OVER (PARTITION BY 1) AS s, rank() OVER (ORDER BY m0, k0) AS r FROM t",
    "WITH t AS ({q}) SELECT max(m0) FILTER (WHERE m0 > 2) AS some, sum(CASE WHEN m0 > 99 THEN m0 ELSE 0 END) AS few FROM t",
    "SELECT a.k0, a.m0, b.m0 AS again FROM ({q}) a JOIN ({q}) b ON a.k0 = b.k0",
)


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A query text: mostly legal in each part, so that a good share is accepted as a whole."""
    shape = draw(st.sampled_from([*FROMS, "c", "o", "i", "co", "ci", "cio"]))
    aliases = [alias for alias in "coi" if alias in shape]
    if shape == "coc":
        aliases = ["o"]
    keys = _some(draw, KEYS, aliases, ILLEGAL_KEYS, 2)
    measures = _some(draw, MEASURES, aliases, ILLEGAL_MEASURES, 3) or ["COUNT(*)"]
    if draw(st.integers(0, 2)) == 0:
        measures.append("COUNT(*)")
    measures = [text for measure in measures for text in _perhaps_conditional(draw, measure, aliases)]
    predicates = _some(draw, PREDICATES, aliases, ILLEGAL_PREDICATES, 2)
    columns = [f"{key} AS k{n}" for n, key in enumerate(keys)] + [f"{m} AS m{n}" for n, m in enumerate(measures)]
    glue = " AND " if " WHERE " in FROMS[shape] else " WHERE "
    text = f"SELECT {', '.join(columns)} FROM {FROMS[shape]}"
    text += "".join((glue if n == 0 else " AND ") + predicate for n, predicate in enumerate(predicates))
    text += _grouping(draw, keys)
    if draw(st.integers(0, 3)) == 0:
        text += draw(st.sampled_from((" HAVING COUNT(*) > 2", " HAVING m0 IS NOT NULL")))
    if draw(st.integers(0, 2)) == 0:
        return draw(st.sampled_from(OUTER)).format(q=text)
    if draw(st.integers(0, 3)) == 0:
        text += " ORDER BY ALL LIMIT 3" if len(columns) > 1 else " ORDER BY 1"
    return text


def _perhaps_conditional(draw: st.DrawFn, measure: str, aliases: list[str]) -> list[str]:
    """The measure as it is, under a condition, or taken apart: all of it beside those for whom something holds."""
    kind = draw(st.sampled_from(("plain", "plain", "conditional", "total and part", "part and rest", "all three")))
    condition = _condition(draw, aliases)
    if kind == "plain" or condition is None:
        return [measure]
    part, rest = (_under(draw, measure, text) for text in (condition, f"NOT ({condition})"))
    return {
        "conditional": [part],
        "total and part": [measure, part],
        "part and rest": [part, rest],
        "all three": [part, measure, rest],
    }[kind]


def _condition(draw: st.DrawFn, aliases: list[str]) -> str | None:
    parts = _some(draw, PREDICATES, aliases, ILLEGAL_PREDICATES, 2)
    return draw(st.sampled_from((" AND ", " OR "))).join(parts) or None


def _under(draw: st.DrawFn, measure: str, condition: str) -> str:
    """The measure of those rows on which the condition is TRUE, in one of its spellings."""
    function, _, argument = measure.removesuffix(")").partition("(")
    distinct = "DISTINCT " if argument.startswith("DISTINCT ") else ""
    value = "1" if argument == "*" else argument.removeprefix("DISTINCT ")
    spellings = [
        f"{measure} FILTER (WHERE {condition})",
        f"{function}({distinct}CASE WHEN {condition} THEN {value} END)",
    ]
    if function == "SUM" or argument == "*":
        spellings.append(f"SUM(CASE WHEN {condition} THEN {value} ELSE 0 END)")
        spellings.append(f"SUM(IF({condition}, {value}, NULL))")
    return draw(st.sampled_from(spellings))


def _grouping(draw: st.DrawFn, keys: list[str]) -> str:
    if not keys:
        return ""
    written = draw(st.sampled_from(("names", "positions", "all", "aliases")))
    by = {
        "names": ", ".join(keys),
        "positions": ", ".join(str(n + 1) for n in range(len(keys))),
        "all": "ALL",
        "aliases": ", ".join(f"k{n}" for n in range(len(keys))),
    }
    return f" GROUP BY {by[written]}"


def _some(
    draw: st.DrawFn, legal: Mapping[str, Sequence[str]], aliases: list[str], illegal: Sequence[str], most: int
) -> list[str]:
    pool = [text for alias in aliases for text in legal[alias]]
    bad = [text for text in illegal if text.partition(".")[0][-1] in aliases]
    wild = bad and draw(st.integers(0, 11)) == 0
    chosen = st.lists(st.sampled_from(bad if wild else pool), max_size=most, unique=True)
    return draw(chosen)
