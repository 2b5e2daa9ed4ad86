"""A connection's secret reference → the secret. A partner's reference reaches only names that are that partner's alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import Connection

_REFERENCE = re.compile(r"env:([A-Z][A-Z0-9_]*)\Z")


def secret_prefix(partner: PartnerName) -> str:
    """What the name of every secret of the partner begins with, such as CLEANROOM_SECRET_RETAILER_."""
    return f"CLEANROOM_SECRET_{partner.upper().replace('-', '_')}_"


def belongs_to(name: str, partner: PartnerName, partners: Collection[PartnerName]) -> bool:
    """Whether the name is the partner's and no other's.

    Of two partners `shop` and `shop-eu` the name CLEANROOM_SECRET_SHOP_EU_LAKE begins with both prefixes: it is
    `shop-eu`'s, the longer one. Where two partners have one prefix (`a-b`, `a_b`), it is nobody's.
    """
    prefix = secret_prefix(partner)
    rivals = (secret_prefix(p) for p in partners if p != partner)
    return name.startswith(prefix) and not any(name.startswith(r) and len(r) >= len(prefix) for r in rivals)


def resolve_secret(connection: Connection, secrets: Mapping[str, str], partners: Collection[PartnerName]) -> str | None:
    """The connection's secret out of `secrets` (names to values), or None where the connection names none.

    `partners` are all that the operator knows. SourceError "source.secret_missing": the reference has another form, the
    name is another partner's, or there is no such secret; the three look the same.
    """
    if connection.secret is None:
        return None
    match = _REFERENCE.match(connection.secret)
    if match and belongs_to(match[1], connection.partner, partners):
        secret = secrets.get(match[1])
        if secret:
            return secret
    raise SourceError("The secret of a connection is not there.", "source.secret_missing")
