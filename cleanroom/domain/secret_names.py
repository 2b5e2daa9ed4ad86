"""A connection's reference to its secret → where the secret is kept, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.domain.identifiers import PartnerName

REFERENCE = re.compile(r"(?:env:[A-Z][A-Z0-9_]*|store:[a-z][a-z0-9_-]{0,62})\Z")
"""`env:` and a variable of the executor's environment, or `store:` and a name that is the partner's own."""


@dataclass(frozen=True, slots=True)
class EnvironmentSecret:
    """A variable of the executor's environment, which all partners' secrets share."""

    name: str


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret that its partner wrote into the store. Two partners may have one of the same name."""

    name: str


SecretReference: TypeAlias = EnvironmentSecret | StoredSecret


def parse_reference(text: str) -> SecretReference | None:
    """What the text refers to; None where it is no reference."""
    if not REFERENCE.match(text):
        return None
    place, _, name = text.partition(":")
    return EnvironmentSecret(name) if place == "env" else StoredSecret(name)


def secret_prefix(partner: PartnerName) -> str:
    """What the name of every variable of the partner begins with, such as CLEANROOM_SECRET_RETAILER_."""
    return f"CLEANROOM_SECRET_{partner.upper().replace('-', '_')}_"


def is_named_for(variable: str, partner: PartnerName) -> bool:
    """Whether the variable's name begins as the partner's do, and says more."""
    return variable.startswith(secret_prefix(partner)) and variable != secret_prefix(partner)


def rivals(variable: str, partner: PartnerName, partners: Iterable[PartnerName]) -> tuple[PartnerName, ...]:
    """Those of `partners` whose claim to the variable is as good as the partner's, or better.

    Names are told apart by how they begin. CLEANROOM_SECRET_SHOP_EU_LAKE begins as `shop`'s and as `shop-eu`'s do: it is
    `shop-eu`'s, the longer one. Where two partners have one prefix (`a-b`, `a_b`), it is nobody's.
    """
    mine = len(secret_prefix(partner))
    others = sorted({*partners} - {partner})
    return tuple(other for other in others if is_named_for(variable, other) and len(secret_prefix(other)) >= mine)
