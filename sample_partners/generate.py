"""Seed → Parquet folders of a retailer and a publisher. The same seed writes the same rows; a few seconds at most."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sample_partners.people import FOUNDERS, MEMBERS, SHARED, members, moments, reader_emails

SEED = 2025
ORDERS = 60_000
WHALE_ORDERS = 400  # one member who orders more than once a day
IMPRESSIONS = 200_000
FOUNDERS_IMPRESSIONS = 90
HERE = Path(__file__).resolve().parent

CAMPAIGNS = (
    "Winter Sale",
    "Spring Fashion",
    "Back to School",
    "Garden Weeks",
    "Home Office",
    "Summer Grill",
    "Baby & Kids",
    "Fresh Friday",
    "Pet Corner",
    "Wine Club",
)
FOUNDERS_CAMPAIGN = "Founders Evening"  # invitation only: reaches about thirty people
_FORMATS = ("banner", "video", "native", "story")
_CATEGORIES = ("grocery", "fashion", "home", "toys", "garden", "electronics")

_CUSTOMERS = pa.schema(
    [
        pa.field("user_id", pa.int64(), nullable=False),
        pa.field("email_sha256", pa.string(), nullable=False),
        pa.field("region", pa.string(), nullable=False),
        ("age_band", pa.string()),
        pa.field("loyalty_tier", pa.string(), nullable=False),
        ("signup_date", pa.date32()),
        pa.field("lifetime_value", pa.decimal128(12, 2), nullable=False),
        ("consent", pa.bool_()),
        ("notes", pa.string()),
    ]
)
_ORDERS = pa.schema(
    [
        pa.field("order_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.int64(), nullable=False),
        pa.field("ts", pa.timestamp("us"), nullable=False),
        pa.field("amount_usd", pa.decimal128(12, 2), nullable=False),
        ("discount_usd", pa.decimal128(12, 2)),
        pa.field("category", pa.string(), nullable=False),
        ("channel", pa.string()),
    ]
)
_IMPRESSIONS = pa.schema(
    [
        pa.field("impression_id", pa.int64(), nullable=False),
        pa.field("email_sha256", pa.string(), nullable=False),
        pa.field("campaign_id", pa.int32(), nullable=False),
        pa.field("campaign", pa.string(), nullable=False),
        pa.field("creative_id", pa.int32(), nullable=False),
        pa.field("ad_format", pa.string(), nullable=False),
        ("device", pa.string()),
        pa.field("ts", pa.timestamp("us"), nullable=False),
        pa.field("cost_usd", pa.decimal128(10, 4), nullable=False),
        pa.field("clicked", pa.int32(), nullable=False),
        ("viewed_s", pa.decimal128(8, 2)),
    ]
)
_CREATIVES = pa.schema(
    [
        pa.field("creative_id", pa.int32(), nullable=False),
        pa.field("campaign_id", pa.int32(), nullable=False),
        pa.field("campaign", pa.string(), nullable=False),
        pa.field("ad_format", pa.string(), nullable=False),
        pa.field("language", pa.string(), nullable=False),
        ("duration_s", pa.int32()),
        pa.field("size_kb", pa.int32(), nullable=False),
    ]
)


def main(folder: Path = HERE, seed: int = SEED) -> None:
    """Afterwards `folder` holds retailer/ and publisher/ as the documents of `policies/retail-media` describe them."""
    retailer, publisher = folder / "retailer", folder / "publisher"
    _write(customers(seed), retailer / "customers", parts=2)
    _write(orders(seed), retailer / "orders", parts=4)
    assets = creatives(seed)
    _write(impressions(seed, assets), publisher / "impressions", parts=4)
    publisher.mkdir(parents=True, exist_ok=True)
    _write_file(assets, publisher / "creatives.parquet")


def customers(seed: int) -> pa.Table:
    """One row per member of the loyalty programme."""
    rows = members(seed)
    columns = {name: [getattr(row, name) for row in rows] for name in _CUSTOMERS.names}
    return pa.table(columns, schema=_CUSTOMERS)


def orders(seed: int) -> pa.Table:
    """One row per order, in the order of time. Few members order much, member 77 more than anybody."""
    rng = random.Random(f"{seed}/orders")
    weights = list(accumulate(rng.paretovariate(1.3) ** 0.5 for _ in range(MEMBERS)))
    buyers = rng.choices(range(1, MEMBERS + 1), cum_weights=weights, k=ORDERS - WHALE_ORDERS) + [77] * WHALE_ORDERS
    rng.shuffle(buyers)
    amounts = [_cents(min(rng.lognormvariate(3.4, 0.8), 5_000), 2) for _ in range(ORDERS)]
    return pa.table(
        {
            "order_id": list(range(1, ORDERS + 1)),
            "user_id": buyers,
            "ts": moments(seed, "orders", ORDERS),
            "amount_usd": amounts,
            "discount_usd": [_cents(float(a) * 0.1, 2) if rng.random() < 0.3 else None for a in amounts],
            "category": rng.choices(_CATEGORIES, _zipf(len(_CATEGORIES)), k=ORDERS),
            "channel": rng.choices(("store", "web", "app", None), (0.5, 0.3, 0.18, 0.02), k=ORDERS),
        },
        schema=_ORDERS,
    )


def creatives(seed: int) -> pa.Table:
    """One row per advertising asset; each campaign has several, in several formats."""
    rng = random.Random(f"{seed}/creatives")
    owners = [number % len(CAMPAIGNS) + 1 for number in range(60)] + [len(CAMPAIGNS) + 1] * 2
    formats = [rng.choice(_FORMATS) for _ in owners]
    return pa.table(
        {
            "creative_id": list(range(1, len(owners) + 1)),
            "campaign_id": owners,
            "campaign": [_campaign(number) for number in owners],
            "ad_format": formats,
            "language": rng.choices(("en", "es", "fr"), (0.7, 0.2, 0.1), k=len(owners)),
            "duration_s": [rng.choice((6, 15, 30)) if shape in ("video", "story") else None for shape in formats],
            "size_kb": [rng.randrange(40, 2_000) for _ in owners],
        },
        schema=_CREATIVES,
    )


def impressions(seed: int, assets: pa.Table) -> pa.Table:
    """One row per advertisement shown, in the order of time. Campaigns follow Zipf's law; one reaches few people."""
    rng = random.Random(f"{seed}/impressions")
    readers = reader_emails()
    weights = list(accumulate(rng.paretovariate(1.5) ** 0.5 for _ in readers))
    people = rng.choices(readers, cum_weights=weights, k=IMPRESSIONS)
    campaigns = rng.choices(range(1, len(CAMPAIGNS) + 1), _zipf(len(CAMPAIGNS)), k=IMPRESSIONS)
    founders = rng.sample(readers[:SHARED], FOUNDERS)
    for turn, place in enumerate(rng.sample(range(IMPRESSIONS), FOUNDERS_IMPRESSIONS)):
        people[place], campaigns[place] = founders[turn % FOUNDERS], len(CAMPAIGNS) + 1
    by_campaign: dict[int, list[dict[str, object]]] = {}
    for asset in assets.to_pylist():
        by_campaign.setdefault(asset["campaign_id"], []).append(asset)
    shown = [rng.choice(by_campaign[campaign]) for campaign in campaigns]
    return pa.table(
        {
            "impression_id": list(range(1, IMPRESSIONS + 1)),
            "email_sha256": people,
            "campaign_id": campaigns,
            "campaign": [_campaign(number) for number in campaigns],
            "creative_id": [asset["creative_id"] for asset in shown],
            "ad_format": [asset["ad_format"] for asset in shown],
            "device": rng.choices(("phone", "desktop", "tablet", None), (0.6, 0.28, 0.11, 0.01), k=IMPRESSIONS),
            "ts": moments(seed, "impressions", IMPRESSIONS),
            "cost_usd": [_cents(0.002 + rng.expovariate(180), 4) for _ in range(IMPRESSIONS)],
            "clicked": [int(rng.random() < 0.012) for _ in range(IMPRESSIONS)],
            "viewed_s": [None if rng.random() < 0.1 else _cents(rng.expovariate(0.25), 2) for _ in range(IMPRESSIONS)],
        },
        schema=_IMPRESSIONS,
    )


def _campaign(number: int) -> str:
    return (*CAMPAIGNS, FOUNDERS_CAMPAIGN)[number - 1]


def _zipf(count: int) -> list[float]:
    return [1 / rank for rank in range(1, count + 1)]


def _cents(value: float, digits: int) -> Decimal:
    return Decimal(round(value * 10**digits)).scaleb(-digits)


def _write(table: pa.Table, folder: Path, parts: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    size = -(-table.num_rows // parts)
    for part in range(parts):
        _write_file(table.slice(part * size, size), folder / f"part-{part}.parquet")


def _write_file(table: pa.Table, path: Path) -> None:
    """Written beside and renamed, so that a reader sees the old file or the new one."""
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished)
    unfinished.replace(path)


if __name__ == "__main__":
    main()
