from __future__ import annotations

import pytest
from sqlalchemy import select

from cleanroom.domain.events import EventKind
from cleanroom.domain.query import Principal, Role, everywhere
from cleanroom.store.database import Database
from cleanroom.store.log import Log, Sight
from cleanroom.store.schema import token
from cleanroom.store.tokens import Tokens
from tests.store.world import NOON, PUBLISHER, RETAILER, RUTH, later

ROLES = (Role.ANALYST, Role.AUDITOR)


@pytest.fixture
def tokens(database: Database, log: Log) -> Tokens:
    return Tokens(database, log)


def _create(
    database: Database, tokens: Tokens, name: str | None = None, *, replace: bool = False
) -> tuple[str, Principal]:
    with database.begin() as transaction:
        return tokens.create(transaction, RETAILER, ROLES, at=NOON, name=name, replace=replace)


def test_a_token_opens_for_its_principal(database: Database, tokens: Tokens) -> None:
    text, principal = _create(database, tokens, "ruth")
    assert text.startswith("crt_")
    assert principal == Principal(RUTH.id, RETAILER, everywhere(*ROLES))
    assert tokens.authenticate(text) == principal


def test_a_principal_without_a_name_goes_by_its_token_s(database: Database, tokens: Tokens) -> None:
    text, principal = _create(database, tokens)
    assert principal.id == f"retailer/{text.split('_')[1]}"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "crt",
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.upper(),
        lambda text: text + " ",
        lambda text: text.replace("crt_", "crs_"),
        lambda text: text.rpartition("_")[0],
        lambda text: text[:21],
        lambda text: "crt_' OR 1=1 --_" + text[21:],
        lambda text: "crt_\ud800_\x00",
        lambda text: text[:-1] + ("A" if text[-1] != "A" else "B"),
    ],
)
def test_what_is_not_exactly_a_token_opens_nothing(database: Database, tokens: Tokens, change: object) -> None:
    text, _ = _create(database, tokens)
    assert tokens.authenticate(change(text)) is None  # type: ignore[operator]


def test_one_token_s_secret_does_not_open_with_another_s_id(database: Database, tokens: Tokens) -> None:
    (one, _), (two, _) = _create(database, tokens), _create(database, tokens)
    assert tokens.authenticate(one[:21] + two[21:]) is None


def test_the_store_and_the_log_hold_no_secret(database: Database, tokens: Tokens, log: Log) -> None:
    text, _ = _create(database, tokens)
    secret = text[21:].encode()
    with database.read() as connection:
        assert secret not in repr(connection.execute(select(token)).all()).encode()
    assert not any(secret in logged.canonical for logged in log.events())


def test_a_revoked_token_opens_nothing(database: Database, tokens: Tokens) -> None:
    text, _ = _create(database, tokens)
    token_id = text.split("_")[1]
    with database.begin() as transaction:
        assert tokens.revoke(transaction, token_id, at=later(5))
        assert not tokens.revoke(transaction, token_id, at=later(6))
        assert not tokens.revoke(transaction, "none", at=later(6))
    assert tokens.authenticate(text) is None
    (listed,) = tokens.list()
    assert (listed.id, listed.created_at, listed.revoked_at) == (token_id, NOON, later(5))


def test_a_replacing_token_revokes_the_principal_s_earlier_ones(database: Database, tokens: Tokens) -> None:
    first, _ = _create(database, tokens, "ruth")
    second, _ = _create(database, tokens, "ruth")
    bystander, _ = _create(database, tokens, "rob")
    third, _ = _create(database, tokens, "ruth", replace=True)
    opens = [tokens.authenticate(text) is not None for text in (first, second, bystander, third)]
    assert opens == [False, False, True, True]


def test_making_and_revoking_a_token_are_events_that_its_partner_sees(
    database: Database, tokens: Tokens, log: Log
) -> None:
    text, principal = _create(database, tokens)
    with database.begin() as transaction:
        tokens.revoke(transaction, text.split("_")[1], at=NOON, author=RUTH)
    created, revoked = (logged.event for logged in log.events(Sight(RETAILER)))
    assert (created.kind, created.principal) == (EventKind.TOKEN_CREATED, None)
    assert (revoked.kind, revoked.principal) == (EventKind.TOKEN_REVOKED, RUTH.id)
    assert created.data["roles"] == ["analyst", "auditor"]
    assert created.data["holder"] == principal.id
    assert log.events(Sight(PUBLISHER)) == ()


def test_a_partner_s_tokens_are_listed(database: Database, tokens: Tokens) -> None:
    _create(database, tokens)
    assert len(tokens.list(RETAILER)) == 1
    assert tokens.list(PUBLISHER) == ()
