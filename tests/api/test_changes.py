"""Collaborations over HTTP: founded, joined, changed and left; what is refused, and what who left can still see."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.api.schemas.changes import KINDS
from cleanroom.domain.query import Role
from tests.api.conftest import COLLABORATION, Caller, House, dataset

X = Role.ADMIN
NEW = {
    "name": "spring",
    "members": [{"partner": "shop", "abilities": ["contribute"]}, {"partner": "press", "abilities": []}],
}
CHANGES = "/v1/collaborations/media/changes"


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def admins(house: House, *partners: str) -> tuple[Caller, ...]:
    return tuple(house.caller(partner, X) for partner in partners)


def test_a_collaboration_is_founded_and_joined(house: House) -> None:
    shop, press = admins(house, "shop", "press")
    made = shop.post("/v1/collaborations", {**NEW, "description": "Sales."})
    assert made.status_code == 201
    assert made.headers["Location"] == "/v1/collaborations/spring"
    assert made.json["members"] == [
        {"partner": "shop", "abilities": ["contribute"], "state": "active"},
        {"partner": "press", "abilities": [], "state": "invited"},
    ]
    (invitation,) = press.get("/v1/invitations").json["invitations"]
    assert (invitation["collaboration"], invitation["invited_by"]) == ("spring", "shop")
    joined = press.post(f"/v1/invitations/{invitation['id']}:accept", {"terms": invitation["terms"]})
    assert (joined.status_code, joined.json["version"]) == (200, 2)
    assert [c["name"] for c in press.get("/v1/collaborations").json["collaborations"]] == ["media", "spring"]


def test_before_it_accepts_an_invited_partner_sees_no_collaboration(house: House) -> None:
    shop, press = admins(house, "shop", "press")
    shop.post("/v1/collaborations", NEW)
    for path in ("", "/datasets", "/changes"):
        assert code(press.get(f"/v1/collaborations/spring{path}")) == (404, "name.unknown")
    assert code(press.post("/v1/collaborations/spring/changes", {"kind": "describe", "description": "x"})) == (
        404,
        "name.unknown",
    )


@pytest.mark.parametrize(
    "body",
    [
        {},
        {**NEW, "name": "Not A Name"},
        {**NEW, "members": []},
        {**NEW, "members": [{"partner": "press", "abilities": []}]},
        {**NEW, "members": [*NEW["members"], NEW["members"][0]]},
        {**NEW, "members": [{"partner": "shop", "abilities": ["rule"]}]},
        {
            **NEW,
            "members": [
                {"partner": "shop", "abilities": []},
                *({"partner": f"p{n}", "abilities": []} for n in range(50)),
            ],
        },
        {**NEW, "owner": "shop"},
        {**NEW, "description": "x" * 2001},
    ],
)
def test_a_collaboration_that_is_not_whole_is_not_founded(house: House, body: Any) -> None:
    (shop,) = admins(house, "shop")
    assert shop.post("/v1/collaborations", body).status_code == 422
    assert code(shop.get("/v1/collaborations/spring")) == (404, "name.unknown")


def test_a_taken_name_is_a_conflict_whosever_it_is(house: House) -> None:
    (stranger,) = admins(house, "stranger")
    taken = {"name": "media", "members": [{"partner": "stranger", "abilities": []}]}
    assert code(stranger.post("/v1/collaborations", taken)) == (409, "collaboration.exists")


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "invite", "partner": "stranger"},
        {"kind": "invite", "abilities": []},
        {"kind": "set_abilities", "partner": "shop", "abilities": ["query"], "description": "x"},
        {"kind": "remove", "partner": "shop", "abilities": []},
        {"kind": "describe"},
        {"kind": "rename", "description": "x"},
        {"kind": "remove", "partner": "A\n"},
        {},
    ],
)
def test_a_change_says_what_its_kind_needs_and_nothing_else(house: House, body: Any) -> None:
    (shop,) = admins(house, "shop")
    assert shop.post(CHANGES, body).status_code == 422
    assert shop.get(CHANGES).json["changes"] == []


def test_inviting_a_partner_that_there_is_looks_like_inviting_one_that_there_is_not(house: House) -> None:
    shop, _known = admins(house, "shop", "stranger")
    answers = [shop.post(CHANGES, {"kind": "invite", "partner": p, "abilities": []}) for p in ("stranger", "stranges")]
    shown = [{k: v for k, v in a.json.items() if k not in ("id", "proposed_at", "votes")} for a in answers]
    assert [a.status_code for a in answers] == [201, 201]
    assert str(shown[0]).replace("stranger", "stranges") == str(shown[1])


def test_a_change_is_voted_on_and_its_votes_are_shown(house: House) -> None:
    shop, press, reader = admins(house, "shop", "press", "reader")
    made = shop.post(CHANGES, {"kind": "describe", "description": "Less."})
    here = made.headers["Location"]
    assert made.json["awaiting"] == ["press", "reader"]
    assert press.post(f"{here}:approve").json["state"] == "open"
    applied = reader.post(f"{here}:approve").json
    assert (applied["state"], [v["partner"] for v in applied["votes"]]) == ("applied", ["shop", "press", "reader"])
    assert shop.get("/v1/collaborations/media").json["description"] == "Less."
    assert code(press.post(f"{here}:reject")) == (409, "change.ended")
    assert [c["id"] for c in press.get(f"{CHANGES}?state=applied").json["changes"]] == [made.json["id"]]
    assert press.get(f"{CHANGES}?state=open").json["changes"] == []


def test_changes_of_another_collaboration_are_not_there(house: House) -> None:
    (shop,) = admins(house, "shop")
    house.write({**COLLABORATION, "name": "other"})
    change = shop.post(CHANGES, {"kind": "describe", "description": "x"}).json["id"]
    for verb in ("", ":approve", ":reject", ":withdraw"):
        ask = shop.post if verb else shop.get
        assert code(ask(f"/v1/collaborations/other/changes/{change}{verb}")) == (404, "name.unknown")


@pytest.mark.parametrize("kind", KINDS)
def test_a_role_in_another_collaboration_changes_nothing_here(house: House, kind: str) -> None:
    house.write({**COLLABORATION, "name": "other"})
    assert code(house.holder("shop", X, "other").post(CHANGES, {"kind": kind})) == (403, "auth.not_permitted")


def test_who_left_fetches_no_result_and_sees_no_collaboration_but_its_own_acts(house: House) -> None:
    press, shop = house.caller("press"), house.caller("shop", X)
    query = press.submit().json["id"]
    house.answer(query)
    assert press.get(f"/v1/queries/{query}/result").status_code == 200
    assert press.post("/v1/collaborations/media:leave").status_code == 204
    assert code(press.get(f"/v1/queries/{query}/result")) == (403, "auth.not_permitted")
    seen = press.get(f"/v1/queries/{query}").json
    assert (seen["row_count"], "result" in seen["links"]) == (None, False)
    assert code(press.get("/v1/collaborations/media")) == (404, "name.unknown")
    assert code(press.submit()) == (404, "name.unknown")
    kinds = [event["kind"] for event in press.get("/v1/audit/events?limit=200").json["events"]]
    assert {"query.approved", "query.released", "member.left"} <= set(kinds)
    assert "rule.written" not in kinds
    assert [m["partner"] for m in shop.get("/v1/collaborations/media").json["members"]] == ["shop", "reader"]


def test_a_receiver_that_left_does_not_learn_that_there_is_a_query(house: House) -> None:
    query = house.caller("press").submit().json["id"]
    house.answer(query)
    reader = house.caller("reader")
    assert reader.get(f"/v1/queries/{query}/result").status_code == 200
    reader.post("/v1/collaborations/media:leave")
    assert code(reader.get(f"/v1/queries/{query}/result")) == (404, "name.unknown")
    assert reader.get("/v1/queries").json["queries"] == []


def test_data_that_left_is_in_no_catalog_and_answers_no_query(house: House) -> None:
    press, shop = house.caller("press"), house.caller("shop")
    waiting = press.submit().json["id"]
    assert shop.post("/v1/collaborations/media:leave").status_code == 204
    assert press.get(f"/v1/queries/{waiting}").json["state"] == "cancelled"
    assert press.get("/v1/collaborations/media/datasets").json["datasets"] == []
    assert code(press.submit()) == (422, "query.rejected")
    assert house.kinds().count("document.removed") == 1


def test_an_owner_goes_on_writing_though_its_rule_names_one_that_left(house: House) -> None:
    house.caller("reader", X).post("/v1/collaborations/media:leave")
    shop = house.caller("shop")
    written = shop.put("/v1/datasets/shop.customers", {**dataset(), "description": "Another."})
    assert (written.status_code, written.json["change"]) == (200, "replaced")
    without_region = {name: column for name, column in dataset()["columns"].items() if name != "region"}
    assert shop.put("/v1/datasets/shop.customers", {**dataset(), "columns": without_region}).status_code == 422
