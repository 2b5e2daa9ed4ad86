"""Secret references: a partner's own, and nobody else's."""

from __future__ import annotations

import pytest

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import ConnectionName, PartnerName
from cleanroom.domain.policy import Connection, ConnectionType
from cleanroom.storage import resolve_secret

PARTNERS = tuple(PartnerName(p) for p in ("shop", "shop-eu", "rival", "a-b", "a_b"))
SECRETS = {
    "CLEANROOM_SECRET_SHOP_LAKE": "shop's",
    "CLEANROOM_SECRET_SHOP_EU_LAKE": "shop-eu's",
    "CLEANROOM_SECRET_RIVAL_LAKE": "rival's",
    "CLEANROOM_SECRET_A_B_LAKE": "whose?",
    "CLEANROOM_SECRET_SHOP_EMPTY": "",
    "CLEANROOM_SECRET_SHOP_": "nobody's",
    "DATABASE_URL": "the operator's",
    "CLEANROOM_SECRET_SHOP": "the operator's",
}


STORED = {("rival", "lake"): "rival's, kept", ("shop", "lake"): "shop's, kept", ("shop", "empty"): ""}


def stored(partner: PartnerName, name: str) -> str | None:
    return STORED.get((partner, name))


def connection(partner: str, secret: str | None) -> Connection:
    return Connection(ConnectionName("lake"), PartnerName(partner), ConnectionType.FILES, {}, secret)


@pytest.mark.parametrize(
    ("partner", "reference", "secret"),
    [
        ("shop", "env:CLEANROOM_SECRET_SHOP_LAKE", "shop's"),
        ("shop-eu", "env:CLEANROOM_SECRET_SHOP_EU_LAKE", "shop-eu's"),
        ("rival", "env:CLEANROOM_SECRET_RIVAL_LAKE", "rival's"),
        ("rival", "store:lake", "rival's, kept"),
        ("shop", "store:lake", "shop's, kept"),
        ("rival", None, None),
    ],
)
def test_a_partners_own_reference_resolves(partner: str, reference: str | None, secret: str | None) -> None:
    assert resolve_secret(connection(partner, reference), SECRETS, stored, PARTNERS) == secret


@pytest.mark.parametrize(
    ("partner", "reference"),
    [
        ("rival", "env:CLEANROOM_SECRET_SHOP_LAKE"),
        ("shop", "env:CLEANROOM_SECRET_SHOP_EU_LAKE"),  # begins with shop's prefix too, but is shop-eu's
        ("a-b", "env:CLEANROOM_SECRET_A_B_LAKE"),  # two partners with one prefix
        ("shop", "env:CLEANROOM_SECRET_SHOP"),
        ("shop", "env:CLEANROOM_SECRET_SHOP_EMPTY"),
        ("shop", "env:CLEANROOM_SECRET_SHOP_MISSING"),
        ("shop", "env:cleanroom_secret_shop_lake"),
        ("shop", "env:DATABASE_URL"),
        ("shop-eu", "store:lake"),
        ("shop", "store:lakes"),
        ("shop", "store:empty"),
        ("shop", "store:Lake"),
        ("shop", "store:shop/lake"),
        ("shop", "store:"),
        ("shop", "env:CLEANROOM_SECRET_SHOP_"),
        ("shop", "CLEANROOM_SECRET_SHOP_LAKE"),
        ("shop", "file:/etc/shadow"),
        ("shop", "env:CLEANROOM_SECRET_SHOP_LAKE\n"),
        ("shop", ""),
    ],
)
def test_any_other_reference_is_missing_and_the_answer_names_nothing(partner: str, reference: str) -> None:
    with pytest.raises(SourceError) as refused:
        resolve_secret(connection(partner, reference), SECRETS, stored, PARTNERS)
    assert refused.value.code == "source.secret_missing"
    assert "SECRET_" not in refused.value.message
