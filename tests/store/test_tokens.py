from __future__ import annotations

import pytest
from sqlalchemy import select

from cleanroom.domain.errors import Conflict, NotAuthenticated
from cleanroom.domain.events import EventKind
from cleanroom.domain.query import Grant, Principal, Role, everywhere
from cleanroom.store.database import Database
from cleanroom.store.log import Log, Sight
from cleanroom.store.partners import Partners
from cleanroom.store.people import People
from cleanroom.store.schema import token
from cleanroom.store.tokens import Tokens
from tests.store.world import NOON, PUBLISHER, RETAIL_MEDIA, RETAILER, RUTH, Clock, later

ROLES = (Role.ANALYST, Role.AUDITOR)


@pytest.fixture
def tokens(database: Database, log: Log) -> Tokens:
    return Tokens(database, log, Clock())


@pytest.fixture
def partners(database: Database, log: Log) -> Partners:
    return Partners(database, log)


@pytest.fixture
def people(database: Database, log: Log, partners: Partners) -> People:
    return People(database, log, partners)


def refusal(tokens: Tokens, text: str) -> str | None:
    """Why the token opens nothing; None where it does."""
    try:
        tokens.authenticate(text)
    except NotAuthenticated as error:
        return error.code
    return None


def _create(
    database: Database, tokens: Tokens, name: str | None = None, *, replace: bool = False
) -> tuple[str, Principal]:
    with database.begin() as transaction:
        return tokens.create(transaction, RETAILER, ROLES, at=NOON, name=name, replace=replace)


def test_a_token_opens_for_its_principal(database: Database, tokens: Tokens) -> None:
    text, principal = _create(database, tokens, "ruth")
    assert text.startswith("crt_")
    assert principal == Principal(RUTH.id, RETAILER, everywhere(*ROLES))
    assert tokens.authenticate(text).principal == principal


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
    assert refusal(tokens, change(text)) == "auth.token_unknown"  # type: ignore[operator]


def test_one_token_s_secret_does_not_open_with_another_s_id(database: Database, tokens: Tokens) -> None:
    (one, _), (two, _) = _create(database, tokens), _create(database, tokens)
    assert refusal(tokens, one[:21] + two[21:]) == "auth.token_unknown"


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
    assert refusal(tokens, text) == "auth.token_unknown"
    (listed,) = tokens.list()
    assert (listed.id, listed.created_at, listed.revoked_at) == (token_id, NOON, later(5))


def test_a_replacing_token_revokes_the_principal_s_earlier_ones(database: Database, tokens: Tokens) -> None:
    first, _ = _create(database, tokens, "ruth")
    second, _ = _create(database, tokens, "ruth")
    bystander, _ = _create(database, tokens, "rob")
    third, _ = _create(database, tokens, "ruth", replace=True)
    opens = [refusal(tokens, text) is None for text in (first, second, bystander, third)]
    assert opens == [False, False, True, True]


def test_making_and_revoking_a_token_are_events_that_its_partner_sees(
    database: Database, tokens: Tokens, log: Log
) -> None:
    text, principal = _create(database, tokens)
    with database.begin() as transaction:
        tokens.revoke(transaction, text.split("_")[1], at=NOON, author=RUTH)
    *_, created, revoked = (logged.event for logged in log.events(Sight(RETAILER)))
    assert (created.kind, created.principal) == (EventKind.TOKEN_CREATED, None)
    assert (revoked.kind, revoked.principal) == (EventKind.TOKEN_REVOKED, RUTH.id)
    assert created.data["scopes"] == [["analyst", None], ["auditor", None]]
    assert created.data["holder"] == principal.id
    assert log.events(Sight(PUBLISHER)) == ()


def test_a_partner_s_tokens_are_listed(database: Database, tokens: Tokens) -> None:
    _create(database, tokens)
    assert len(tokens.list(RETAILER)) == 1
    assert tokens.list(PUBLISHER) == ()


def test_the_database_of_a_token_that_has_expired_says_so_only_to_who_has_the_secret(
    database: Database, log: Log
) -> None:
    clock = Clock()
    tokens = Tokens(database, log, clock)
    with database.begin() as transaction:
        text, _ = tokens.create(transaction, RETAILER, ROLES, at=NOON, expires_at=later(60))
    clock.at = later(59)
    assert tokens.authenticate(text).expires_at == later(60)
    clock.at = later(60)
    assert refusal(tokens, text) == "auth.token_expired"
    assert refusal(tokens, text[:-2] + ("AA" if text[-2:] != "AA" else "BB")) == "auth.token_unknown"


def test_people_of_a_suspended_partner_and_disabled_ones_are_not_let_in(
    database: Database, tokens: Tokens, people: People, partners: Partners
) -> None:
    text, principal = _create(database, tokens, "ruth")
    ruth = people.get(principal.id)
    assert ruth is not None
    for disabled, found in ((True, "auth.principal_disabled"), (False, None)):
        with database.begin() as transaction:
            people.disable(transaction, ruth, disabled=disabled, at=NOON)
        assert refusal(tokens, text) == found
        ruth = people.get(principal.id)
        assert ruth is not None
    with database.begin() as transaction:
        assert partners.suspend(transaction, RETAILER, at=NOON)
        assert not partners.suspend(transaction, RETAILER, at=NOON)
    assert refusal(tokens, text) == "auth.partner_suspended"
    with pytest.raises(Conflict), database.begin() as transaction:
        tokens.create(transaction, RETAILER, ROLES, at=NOON)
    with database.begin() as transaction:
        partners.resume(transaction, RETAILER, at=NOON)
    assert refusal(tokens, text) is None


def test_a_token_carries_what_its_principal_still_has(database: Database, tokens: Tokens, people: People) -> None:
    text, principal = _create(database, tokens, "ruth")
    ruth = people.get(principal.id)
    assert ruth is not None
    with database.begin() as transaction:
        people.revoke(transaction, ruth, everywhere(Role.AUDITOR), at=NOON)
        people.grant(transaction, ruth, everywhere(Role.ADMIN), at=NOON)
    assert tokens.authenticate(text).principal.grants == everywhere(Role.ANALYST)


def test_a_scope_in_one_collaboration_carries_a_role_held_everywhere_there_alone(
    database: Database, tokens: Tokens, people: People
) -> None:
    _, principal = _create(database, tokens, "ruth")
    ruth = people.get(principal.id)
    assert ruth is not None
    here = Grant(Role.ANALYST, RETAIL_MEDIA)
    with database.begin() as transaction:
        text = tokens.mint(transaction, ruth, frozenset({here}), at=NOON, expires_at=None)
    assert tokens.authenticate(text).principal.grants == {here}


def test_replacing_leaves_the_principal_nothing_of_what_it_had_before(
    database: Database, tokens: Tokens, people: People
) -> None:
    with database.begin() as transaction:
        tokens.create(transaction, RETAILER, (Role.ADMIN,), at=NOON, name="ruth")
    _create(database, tokens, "ruth", replace=True)
    assert [(p.name, p.grants) for p in people.list(RETAILER)] == [("ruth", everywhere(*ROLES))]


def test_the_last_use_is_known_to_some_minutes(database: Database, log: Log) -> None:
    clock = Clock()
    tokens = Tokens(database, log, clock)
    text, _ = _create(database, tokens)
    seen = []
    for seconds in (0, 299, 300):
        clock.at = later(seconds)
        tokens.authenticate(text)
        seen.append(tokens.list()[0].last_used_at)
    assert seen == [NOON, NOON, later(300)]


def test_a_token_opens_while_somebody_else_writes(database: Database, tokens: Tokens, database_kind: str) -> None:
    text, _ = _create(database, tokens)
    with database.begin():
        assert refusal(tokens, text) is None
        recorded = tokens.list()[0].last_used_at is not None
    assert recorded is (database_kind == "postgresql")  # SQLite has one writer
    assert refusal(tokens, text) is None
    assert tokens.list()[0].last_used_at == NOON
    with database.begin() as transaction:  # who writes waits as before
        assert tokens.revoke(transaction, tokens.list()[0].id, at=NOON)
