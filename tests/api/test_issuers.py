"""People that an issuer vouches for use the server as anybody does; their partner's state and their own hold for them too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.people import Issuer, Person
from cleanroom.domain.query import Grant, Role
from tests.api.conftest import Caller, House
from tests.identity.issuer import AUDIENCE, DISCOVERY, RunningIssuer, running

HERE = Grant(Role.ANALYST, CollaborationName("media"))


@pytest.fixture
def issuer(house: House) -> Iterator[RunningIssuer]:
    """An issuer that speaks for press."""
    with running() as started:
        speaks = Issuer(
            started.url, PartnerName("press"), AUDIENCE, "roles", (("asks", HERE), ("runs", Grant(Role.ADMIN)))
        )
        with house.home.database.begin() as transaction:
            house.home.drawers.issuers.add(transaction, speaks, at=house.home.clock.now())
        yield started


def test_somebody_of_the_issuer_asks_and_is_named_in_the_log(house: House, issuer: RunningIssuer) -> None:
    caller = Caller(house.app, issuer.token())
    me = caller.get("/v1/me").json
    assert (me["principal"], me["partner"], me["token"]) == ("press/oidc:ruth", "press", None)
    assert me["grants"] == [{"role": "analyst", "collaboration": "media"}]
    assert caller.submit().status_code == 202
    asked = [e.event for e in house.home.drawers.log.events(limit=100) if e.event.kind.value == "query.approved"]
    assert [e.principal for e in asked] == ["press/oidc:ruth"]


def test_an_admin_of_the_issuer_s_looks_after_its_own_partner_s_people(house: House, issuer: RunningIssuer) -> None:
    admin = Caller(house.app, issuer.token(roles=["runs"]))
    assert admin.post("/v1/principals", {"name": "rob"}).json["id"] == "press/rob"
    assert admin.post("/v1/principals", {"name": "oidc:rob"}).status_code == 422


def test_who_has_no_role_that_is_mapped_may_nothing(house: House, issuer: RunningIssuer) -> None:
    answer = Caller(house.app, issuer.token(roles=["dances"])).get("/v1/queries")
    assert (answer.status_code, answer.json["code"]) == (403, "auth.not_permitted")


def test_a_suspended_partner_and_a_disabled_principal_are_told_to_who_is_vouched_for(
    house: House, issuer: RunningIssuer
) -> None:
    caller, now = Caller(house.app, issuer.token()), house.home.clock.now()
    ruth = Person(PrincipalId("press/oidc:ruth"), PartnerName("press"), "", frozenset(), now, now)
    with house.home.database.begin() as transaction:
        house.home.drawers.people.create(transaction, ruth)
    assert caller.get("/v1/me").json["code"] == "auth.principal_disabled"
    assert Caller(house.app, issuer.token(sub="rob")).get("/v1/me").status_code == 200
    with house.home.database.begin() as transaction:
        house.home.drawers.partners.suspend(transaction, PartnerName("press"), at=now)
    assert caller.get("/v1/me").json["code"] == "auth.partner_suspended"


def test_a_removed_issuer_vouches_for_nobody(house: House, issuer: RunningIssuer) -> None:
    caller = Caller(house.app, issuer.token())
    assert caller.get("/v1/me").status_code == 200
    with house.home.database.begin() as transaction:
        house.home.drawers.issuers.remove(transaction, issuer.url, at=house.home.clock.now())
    answer = caller.get("/v1/me")
    assert (answer.status_code, answer.json["code"]) == (401, "auth.token_unknown")


def test_an_issuer_that_is_down_is_the_operator_s_to_mend(house: House, issuer: RunningIssuer) -> None:
    issuer.answers[DISCOVERY] = (500, {}, b"")
    answer = Caller(house.app, issuer.token()).get("/v1/me")
    assert (answer.status_code, answer.json["code"]) == (503, "auth.issuer_unavailable")
    assert issuer.url not in answer.text
    assert house.caller("press").get("/v1/me").status_code == 200


@pytest.mark.parametrize("token", ["a.b.c", "..", "e30.e30.", "crt_a.b.c"])
def test_what_looks_like_a_vouched_token_and_is_none_is_unknown(house: House, token: str) -> None:
    answer = Caller(house.app, token).get("/v1/me")
    assert (answer.status_code, answer.json["code"]) == (401, "auth.token_unknown")
