"""A partner's admin looks after its people; nobody gives, takes or sees more than is its own."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role
from tests.api.conftest import COLLABORATION, Caller, House

ANYWHERE = {"role": "analyst", "collaboration": None}
HERE = {"role": "analyst", "collaboration": "media"}
DAY_S = 24 * 60 * 60


@pytest.fixture
def admin(house: House) -> Caller:
    return house.caller("shop", Role.ADMIN)


@pytest.fixture
def admin_here(house: House) -> Caller:
    return house.holder("shop", Role.ADMIN, "media")


def made(admin: Caller, name: str = "ruth", *grants: dict[str, Any]) -> str:
    answer = admin.post("/v1/principals", {"name": name, "grants": list(grants)})
    assert answer.status_code == 201, answer.json
    return f"/v1/principals/{name}"


def token(admin: Caller, path: str, **body: Any) -> Caller:
    answer = admin.post(f"{path}/tokens", body)
    assert answer.status_code == 201, answer.json
    return Caller(admin.app, answer.json["token"])


def name_of(caller: Caller) -> str:
    return str(caller.get("/v1/me").json["principal"]).partition("/")[2]


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def test_a_new_principal_acts_with_the_token_that_is_shown_once(admin: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    answer = admin.post(f"{ruth}/tokens", {})
    assert answer.headers["Cache-Control"] == "no-store"
    me = Caller(admin.app, answer.json["token"]).get("/v1/me").json
    assert me == {
        "principal": "shop/ruth",
        "partner": "shop",
        "grants": [ANYWHERE],
        "token": answer.json["id"],
        "expires_at": answer.json["expires_at"],
    }
    (listed,) = admin.get(f"{ruth}/tokens").json["tokens"]
    assert listed.keys() == answer.json.keys() - {"token"}
    assert listed["last_used_at"] is not None


def test_a_token_lives_ninety_days_unless_said(admin: Caller, house: House) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    token(admin, ruth)
    token(admin, ruth, expires_in=60)
    lives = [t.expires_at - t.created_at for t in house.home.drawers.tokens.list() if t.expires_at]
    assert [life.total_seconds() for life in lives] == [90 * DAY_S, 60]


@pytest.mark.parametrize("seconds", [0, -1, 59, 367 * DAY_S, 1e9, "60", None, True])
def test_no_token_of_an_admin_s_lives_for_ever_or_no_time_at_all(admin: Caller, seconds: object) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    assert refused(admin.post(f"{ruth}/tokens", {"expires_in": seconds})) == (422, "input.invalid")


def test_a_narrower_scope_opens_less_and_a_wider_one_is_refused(admin: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    assert token(admin, ruth, scopes=[HERE]).get("/v1/me").json["grants"] == [HERE]
    rob = made(admin, "rob", HERE)
    for scope in (ANYWHERE, {"role": "auditor"}, {**HERE, "role": "admin"}):
        answer = admin.post(f"{rob}/tokens", {"scopes": [scope]})
        assert (answer.status_code, answer.json["problems"][0]["code"]) == (422, "token.scope_beyond_grants")


def test_what_a_principal_loses_its_tokens_lose_and_what_it_gains_they_do_not(admin: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    caller = token(admin, ruth)
    assert admin.ask("PATCH", ruth, {"grants": [{"role": "auditor"}]}).status_code == 200
    for path in ("/v1/me", "/v1/queries"):
        assert refused(caller.get(path)) == (403, "auth.not_permitted")
    admin.ask("PATCH", ruth, {"grants": [HERE]})
    assert caller.get("/v1/me").json["grants"] == [HERE]


def test_a_disabled_principal_is_told_so_and_comes_back(admin: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    caller = token(admin, ruth)
    admin.ask("PATCH", ruth, {"disabled": True})
    assert refused(caller.get("/v1/me")) == (401, "auth.principal_disabled")
    assert refused(admin.post(f"{ruth}/tokens", {})) == (409, "principal.disabled")
    admin.ask("PATCH", ruth, {"disabled": False})
    assert caller.get("/v1/me").status_code == 200


def test_a_suspended_partner_s_admin_is_told_so(admin: Caller, house: House) -> None:
    with house.home.database.begin() as transaction:
        house.home.drawers.partners.suspend(transaction, PartnerName("shop"), at=house.home.clock.now())
    assert refused(admin.get("/v1/me")) == (401, "auth.partner_suspended")
    assert house.caller("press").get("/v1/me").status_code == 200


def test_nobody_disables_itself_or_gives_up_its_last_admin_role(admin: Caller) -> None:
    me = f"/v1/principals/{name_of(admin)}"
    assert refused(admin.ask("PATCH", me, {"disabled": True})) == (409, "principal.self")
    assert refused(admin.ask("PATCH", me, {"grants": [ANYWHERE]})) == (409, "principal.last_admin")
    assert admin.get("/v1/me").json["grants"] == [{"role": "admin", "collaboration": None}]
    assert admin.ask("PATCH", me, {"grants": [ANYWHERE, {"role": "admin"}], "title": "Me"}).json["title"] == "Me"


def test_a_change_that_is_refused_in_part_changes_nothing(admin: Caller) -> None:
    me = f"/v1/principals/{name_of(admin)}"
    admin.ask("PATCH", me, {"grants": [ANYWHERE, {"role": "admin"}], "disabled": True})
    assert admin.get(me).json["grants"] == [{"role": "admin", "collaboration": None}]


@pytest.mark.parametrize("collaboration", ["nowhere", "elsewhere"])
def test_a_role_in_a_collaboration_that_is_not_the_partner_s_is_not_given(house: House, collaboration: str) -> None:
    admin = house.caller("press", Role.ADMIN)
    house.write({**COLLABORATION, "name": "elsewhere", "members": COLLABORATION["members"][:1]})
    answer = admin.post("/v1/principals", {"name": "x", "grants": [{"role": "admin", "collaboration": collaboration}]})
    assert (answer.status_code, answer.json["problems"][0]["code"]) == (422, "name.unknown")
    assert admin.get("/v1/principals/x").status_code == 404


def test_an_admin_of_one_collaboration_gives_and_takes_there_alone(admin: Caller, admin_here: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE, HERE)
    assert admin_here.get(ruth).json["grants"] == [HERE]
    for beyond in (ANYWHERE, {"role": "admin"}, {**HERE, "collaboration": "other"}):
        assert refused(admin_here.ask("PATCH", ruth, {"grants": [beyond]})) == (403, "auth.not_permitted")
        assert admin_here.post("/v1/principals", {"name": "x", "grants": [beyond]}).status_code == 403
    admin_here.ask("PATCH", ruth, {"grants": [{**HERE, "role": "admin"}]})
    assert admin.get(ruth).json["grants"] == [{**HERE, "role": "admin"}, ANYWHERE]
    for change in ({"disabled": True}, {"title": "x"}):
        assert refused(admin_here.ask("PATCH", ruth, change)) == (403, "auth.not_permitted")


def test_an_admin_of_one_collaboration_makes_and_ends_tokens_for_it_alone(admin: Caller, admin_here: Caller) -> None:
    ruth = made(admin, "ruth", ANYWHERE, HERE)
    whole = token(admin, ruth).get("/v1/me").json["token"]
    assert token(admin_here, ruth).get("/v1/me").json["grants"] == [HERE]
    assert admin_here.post(f"{ruth}/tokens", {"scopes": [ANYWHERE]}).status_code == 403
    assert [t["scopes"] for t in admin_here.get(f"{ruth}/tokens").json["tokens"]] == [[HERE]]
    assert refused(admin_here.ask("DELETE", f"/v1/tokens/{whole}")) == (404, "name.unknown")
    rob = made(admin, "rob", ANYWHERE)
    assert refused(admin_here.post(f"{rob}/tokens", {})) == (409, "token.empty")


def test_a_token_that_is_narrower_than_its_admin_mints_no_wider_one(admin: Caller) -> None:
    me = f"/v1/principals/{name_of(admin)}"
    narrow = token(admin, me, scopes=[{"role": "admin", "collaboration": "media"}])
    for scopes in ([{"role": "admin"}], [{"role": "admin", "collaboration": "other"}]):
        assert narrow.post(f"{me}/tokens", {"scopes": scopes}).status_code == 403
    powerless = token(admin, made(admin, "ruth", ANYWHERE, {"role": "admin"}), scopes=[ANYWHERE])
    assert powerless.post("/v1/principals/ruth/tokens", {}).status_code == 403
    assert powerless.ask("PATCH", "/v1/principals/ruth", {"grants": [ANYWHERE]}).status_code == 403


def test_everybody_ends_its_own_token_and_nobody_another_s(admin: Caller, house: House) -> None:
    ruth, other = token(admin, made(admin, "ruth", ANYWHERE)), house.caller("shop", Role.ANALYST)
    for caller in (other, house.caller("press")):
        assert refused(caller.ask("DELETE", f"/v1/tokens/{ruth.get('/v1/me').json['token']}")) == (404, "name.unknown")
    assert ruth.ask("DELETE", f"/v1/tokens/{ruth.get('/v1/me').json['token']}").status_code == 204
    assert refused(ruth.get("/v1/me")) == (401, "auth.token_unknown")
    assert refused(admin.ask("DELETE", "/v1/tokens/0123456789abcdef")) == (404, "name.unknown")


def test_people_of_another_partner_are_not_there(admin: Caller, house: House) -> None:
    made(admin, "ruth", ANYWHERE)
    press = house.caller("press", Role.ADMIN)
    for method, path, body in (
        ("GET", "/v1/principals/ruth", None),
        ("PATCH", "/v1/principals/ruth", {"disabled": True}),
        ("GET", "/v1/principals/ruth/tokens", None),
        ("POST", "/v1/principals/ruth/tokens", {}),
        ("GET", "/v1/principals/shop%2fruth", None),
        ("GET", "/v1/principals/..%2fshop%2fruth", None),
    ):
        assert refused(press.ask(method, path, body)) == (404, "name.unknown")
    assert "ruth" not in press.get("/v1/principals?limit=200").text
    assert press.post("/v1/principals", {"name": "ruth"}).json["id"] == "press/ruth"


def test_a_name_is_given_once(admin: Caller) -> None:
    made(admin, "ruth")
    assert refused(admin.post("/v1/principals", {"name": "ruth"})) == (409, "principal.exists")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "Ruth"},
        {"name": "a/b"},
        {"name": "oidc:ruth"},
        {"name": "a" * 64},
        {"name": "ruth\n"},
        {"name": "x", "title": "t" * 201},
        {"name": "x", "grants": [{"role": "emperor"}]},
        {"name": "x", "grants": [{"collaboration": "media"}]},
        {"name": "x", "grants": [{"role": "analyst", "collaboration": "../media"}]},
        {"name": "x", "grants": {"role": "analyst"}},
        {"name": "x", "partner": "press"},
        {"name": "x", "grants": [{"role": "analyst"}] * 201},
    ],
)
def test_a_body_that_names_nobody_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    assert refused(admin.post("/v1/principals", body)) == (422, "input.invalid")


@pytest.mark.parametrize("body", [{}, {"disabled": "true"}, {"disabled": 1}, {"disabled": None}, {"name": "new"}])
def test_a_change_that_is_none_is_refused(admin: Caller, body: dict[str, Any]) -> None:
    assert refused(admin.ask("PATCH", made(admin), body)) == (422, "input.invalid")


def test_principals_are_listed_by_name_in_pages(admin: Caller) -> None:
    for name in ("ada", "ben", "cleo"):
        made(admin, name)
    found, cursor = [], ""
    while cursor is not None:
        page = admin.get(f"/v1/principals?limit=2{cursor and '&cursor=' + cursor}").json
        found += [p["name"] for p in page["principals"]]
        cursor = page["next_cursor"]
    assert found == sorted([name_of(admin), "ada", "ben", "cleo"])


def test_who_did_what_to_whom_is_in_the_log_of_its_partner_without_titles_and_secrets(
    admin: Caller, house: House
) -> None:
    ruth = made(admin, "ruth", ANYWHERE)
    admin.ask("PATCH", ruth, {"title": "Ruth Secretname", "grants": [HERE], "disabled": True})
    admin.ask("PATCH", ruth, {"disabled": False})
    secret = str(token(admin, ruth).token)
    admin.ask("DELETE", f"/v1/tokens/{secret.split('_')[1]}")
    events = [e.event for e in house.home.drawers.log.events(limit=1000) if e.event.data.get("holder") == "shop/ruth"]
    assert [e.kind.value for e in events] == [
        "principal.created",
        "grant.removed",
        "grant.added",
        "principal.changed",
        "principal.disabled",
        "principal.enabled",
        "token.created",
        "token.revoked",
    ]
    assert {e.principal for e in events} == {f"shop/{name_of(admin)}"}
    log = house.caller("shop", Role.AUDITOR).get("/v1/audit/events?limit=200").text
    assert "grant.added" in log
    assert "Secretname" not in log
    assert secret[21:] not in log
    assert "shop/ruth" not in house.caller("press", Role.AUDITOR).get("/v1/audit/events?limit=200").text
