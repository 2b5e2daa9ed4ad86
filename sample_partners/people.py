"""Seed → the people of both companies: who is a member, who is a reader, who is both."""

from __future__ import annotations

import datetime
import hashlib
import random
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

MEMBERS = 20_000
SHARED = 9_000  # members who also read the publisher's pages
READERS_ONLY = 16_000
ISLANDERS = 12  # a region too small to be shown
FOUNDERS = 30  # the reach of a campaign too small to be shown
YEAR = 2025

_REGIONS = ("north", "south", "east", "west")
_REGION_SHARE = (0.34, 0.28, 0.22, 0.16)
_AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_AGE_SHARE = (0.12, 0.22, 0.24, 0.19, 0.14, 0.09)
_TIERS = ("bronze", "silver", "gold")
_TIER_SHARE = (0.6, 0.3, 0.1)


@dataclass(frozen=True, slots=True)
class Member:
    """One person in the retailer's loyalty programme."""

    user_id: int
    email_sha256: str
    region: str
    age_band: str | None
    loyalty_tier: str
    signup_date: datetime.date | None
    lifetime_value: Decimal
    consent: bool | None
    notes: str | None


def hashed(address: str) -> str:
    """SHA-256 of the address, in hexadecimal: what both companies store in its place."""
    return hashlib.sha256(address.encode()).hexdigest()


def member_email(user_id: int) -> str:
    return hashed(f"member{user_id}@mail.example")


def reader_emails() -> tuple[str, ...]:
    """The publisher's readers. The first are also members: every islander and the founders among them."""
    shared = tuple(member_email(user_id) for user_id in range(1, SHARED + 1))
    return shared + tuple(hashed(f"reader{n}@mail.example") for n in range(1, READERS_ONLY + 1))


def members(seed: int) -> tuple[Member, ...]:
    """All members, in the order of their ids, from 1. The same seed gives the same people."""
    rng = random.Random(f"{seed}/members")
    return tuple(_member(user_id, rng) for user_id in range(1, MEMBERS + 1))


def _member(user_id: int, rng: random.Random) -> Member:
    region = "islands" if user_id <= ISLANDERS else rng.choices(_REGIONS, _REGION_SHARE)[0]
    signup = datetime.date(2019, 1, 1) + datetime.timedelta(days=int(2500 * rng.random() ** 0.7))
    return Member(
        user_id=user_id,
        email_sha256=member_email(user_id),
        region=region,
        age_band=None if rng.random() < 0.03 else rng.choices(_AGES, _AGE_SHARE)[0],
        loyalty_tier=rng.choices(_TIERS, _TIER_SHARE)[0],
        signup_date=None if rng.random() < 0.02 else signup,
        lifetime_value=Decimal(int(rng.paretovariate(1.8) * 9000)) / 100,
        consent=None if rng.random() < 0.01 else user_id <= ISLANDERS or rng.random() < 0.95,
        notes=f"asked about parcel {rng.randrange(10**6)}" if rng.random() < 0.05 else None,
    )


def moments(seed: int, what: str, count: int) -> list[datetime.datetime]:
    """`count` moments of the year in ascending order: busy week-ends, quiet nights, and a peak before Christmas."""
    rng = random.Random(f"{seed}/{what}")
    first = datetime.date(YEAR, 1, 1)
    days = [first + datetime.timedelta(days=n) for n in range(365)]
    chosen = rng.choices(days, cum_weights=list(accumulate(_busyness(day) for day in days)), k=count)
    seconds = (int(86_400 * rng.betavariate(3.2, 2.0)) for _ in range(count))
    midnight = datetime.time()
    return sorted(
        datetime.datetime.combine(day, midnight) + datetime.timedelta(seconds=second)
        for day, second in zip(chosen, seconds, strict=True)
    )


def _busyness(day: datetime.date) -> float:
    weekday = (0.9, 0.85, 0.9, 1.0, 1.2, 1.4, 1.1)[day.weekday()]
    christmas = 2.4 if datetime.date(YEAR, 11, 24) <= day <= datetime.date(YEAR, 12, 23) else 1.0
    summer = 0.8 if day.month in (7, 8) else 1.0
    return weekday * christmas * summer
