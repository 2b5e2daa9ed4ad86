"""An owner's documents over HTTP: read, listed, rolled back, withdrawn; replaced only as the version that was read."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from cleanroom.domain.query import Role
from tests.api.conftest import COLLABORATION, Caller, House, connection, dataset, rule

LAKE, CUSTOMERS, RULE = (
    "/v1/connections/shop-lake",
    "/v1/datasets/shop.customers",
    "/v1/collaborations/media/rules/shop.customers",
)
TIGHTER = {**rule(), "aggregation_threshold": {"minimum": 80}}


@pytest.fixture
def shop(house: House) -> Caller:
    return house.caller("shop", Role.DATA_OWNER)


def minimum(caller: Caller, **query: int) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    return caller.get(f"{RULE}?{asked}").json["aggregation_threshold"]["minimum"]


@pytest.mark.parametrize("path", [LAKE, CUSTOMERS, RULE])
def test_what_is_read_can_be_put_back(shop: Caller, path: str) -> None:
    read = shop.get(path)
    assert (read.status_code, read.headers["ETag"]) == (200, '"1"')
    sent = {"Authorization": f"Bearer {shop.token}", "If-Match": read.headers["ETag"]}
    again = shop.app.test_client().put(path, data=read.data, content_type="application/json", headers=sent)
    assert again.json is not None
    assert (again.status_code, again.json["change"], again.headers["ETag"]) == (200, "unchanged", '"1"')


def test_a_put_tells_the_version_that_it_made(shop: Caller) -> None:
    put = shop.put(RULE, TIGHTER)
    assert (put.json["version"], put.headers["ETag"]) == (2, '"2"')
    assert (minimum(shop), minimum(shop, version=1), minimum(shop, version=2)) == (80, 50, 80)
    assert shop.get(f"{RULE}?version=1").headers["ETag"] == '"1"'


def test_versions_are_listed_with_author_and_digest(shop: Caller) -> None:
    shop.put(RULE, TIGHTER)
    told = shop.get(f"{RULE}/versions").json
    assert told["document"] == "rule:media/shop.customers"
    assert [(v["version"], v["author"] is None, v["current"]) for v in told["versions"]] == [
        (2, False, True),
        (1, True, False),
    ]
    assert told["versions"][0]["author"].startswith("shop/")


@pytest.mark.parametrize("version", ["0", "-1", "x", "1.5", "99999999999", "1&version=2", ""])
def test_what_is_no_version_is_a_wrong_input(shop: Caller, version: str) -> None:
    assert shop.get(f"{RULE}?version={version}").status_code == 422


@pytest.mark.parametrize(
    "path", [f"{RULE}?version=2", "/v1/datasets/shop.nothing", "/v1/collaborations/no/rules/shop.customers"]
)
def test_what_there_is_not_is_not_there(shop: Caller, path: str) -> None:
    answer = shop.get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")


@pytest.mark.parametrize("role", [Role.DATA_OWNER, Role.ADMIN, Role.AUDITOR])
def test_a_row_filter_is_for_its_owners_side_alone(house: House, role: Role) -> None:
    house.write({**rule(), "row_filter": "region = 'north'"})
    assert house.caller("shop", role).get(RULE).json["row_filter"] == "region = 'north'"
    for path in (RULE, f"{RULE}?version=2", f"{RULE}/versions"):
        for caller in (house.caller("press", role), house.caller("stranger", role)):
            assert (caller.get(path).status_code, caller.get(path).json["code"]) == (404, "name.unknown")
        assert house.caller("shop", Role.ANALYST).get(path).status_code == 403


def test_another_partners_connection_is_as_one_that_is_not_there(house: House) -> None:
    press = house.caller("press", Role.DATA_OWNER)
    for method, path, body in (
        ("GET", "", None),
        ("GET", "/versions", None),
        ("POST", ":rollback", {"version": 1}),
        ("DELETE", "", None),
    ):
        theirs = press.ask(method, f"{LAKE}{path}", body)
        nobodys = press.ask(method, f"/v1/connections/nobody{path}", body)
        assert (theirs.status_code, theirs.json["detail"]) == (404, nobodys.json["detail"])


def test_a_name_that_another_partner_gave_up_does_not_tell_what_it_was(house: House) -> None:
    shop, press = house.caller("shop", Role.DATA_OWNER), house.caller("press", Role.DATA_OWNER)
    for path in (RULE, CUSTOMERS, LAKE):
        assert shop.ask("DELETE", path).status_code == 204
    taken = {**connection("press", str(house.data.parent / "press")), "name": "shop-lake"}
    assert press.put(LAKE, taken, If_None_Match="*").status_code == 201
    assert [v["version"] for v in press.get(f"{LAKE}/versions").json["versions"]] == [2]
    assert press.get(f"{LAKE}?version=1").status_code == 404
    assert press.post(f"{LAKE}:rollback", {"version": 1}).status_code == 404
    assert shop.get(LAKE).status_code == 404
    assert shop.post(f"{LAKE}:rollback", {"version": 1}).json["code"] == "name.unknown"


@pytest.mark.parametrize("given", ['"2"', '"0"', '"x"', 'W/"1"', '""', '"1', "é", '"2", "3"'])
def test_a_put_for_another_version_is_412_and_writes_nothing(house: House, shop: Caller, given: str) -> None:
    events = house.kinds()
    answer = shop.put(RULE, TIGHTER, If_Match=given.encode().decode("latin-1"))
    assert (answer.status_code, answer.json["code"]) == (412, "document.moved")
    assert answer.mimetype == "application/problem+json"
    assert house.kinds() == events


@pytest.mark.parametrize("given", ['"1"', "*", '"7", "1"'])
def test_a_put_for_the_version_that_holds_is_taken(shop: Caller, given: str) -> None:
    assert shop.put(RULE, TIGHTER, If_Match=given).json["version"] == 2


def test_if_none_match_makes_a_document_only_where_there_is_none(house: House, shop: Caller) -> None:
    assert shop.put(RULE, TIGHTER, If_None_Match="*").status_code == 412
    assert shop.ask("DELETE", RULE).status_code == 204
    assert shop.put(RULE, TIGHTER, If_Match="*").status_code == 412
    made = shop.put(RULE, TIGHTER, If_None_Match="*")
    assert (made.status_code, made.json["version"]) == (201, 2)


def test_of_two_writers_who_read_the_same_version_one_is_told(house: House) -> None:
    callers = [house.caller("shop", Role.DATA_OWNER) for _ in range(2)]
    barrier, statuses = threading.Barrier(2), list[int]()

    def put(caller: Caller, minimum: int) -> None:
        barrier.wait(30)
        body = {**rule(), "aggregation_threshold": {"minimum": minimum}}
        statuses.append(caller.put(RULE, body, If_Match='"1"').status_code)

    threads = [threading.Thread(target=put, args=(caller, 60 + i)) for i, caller in enumerate(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(statuses) == [200, 412]
    assert len(callers[0].get(f"{RULE}/versions").json["versions"]) == 2


def test_a_rollback_is_a_new_version_logged_as_one(house: House, shop: Caller) -> None:
    shop.put(RULE, TIGHTER)
    back = shop.post(f"{RULE}:rollback", {"version": 1})
    assert (back.status_code, back.json["change"], back.json["version"]) == (200, "replaced", 3)
    assert minimum(shop) == 50
    event = house.home.drawers.log.events(limit=10_000)[-1].event
    assert (event.kind.value, event.data["rolled_back_to"]) == ("rule.written", 1)
    assert str(event.principal).startswith("shop/")


def test_a_rollback_to_what_holds_changes_nothing(house: House, shop: Caller) -> None:
    events = house.kinds()
    assert shop.post(f"{RULE}:rollback", {"version": 1}).json["change"] == "unchanged"
    assert house.kinds() == events


def test_a_rollback_holds_to_preconditions(shop: Caller) -> None:
    shop.put(RULE, TIGHTER)
    assert shop.post(f"{RULE}:rollback", {"version": 1}, If_Match='"1"').status_code == 412
    assert shop.post(f"{RULE}:rollback", {"version": 1}, If_Match='"2"').status_code == 200


def test_a_rollback_of_a_withdrawn_rule_lets_it_hold_again(house: House, shop: Caller) -> None:
    shop.ask("DELETE", RULE)
    assert shop.get(RULE).status_code == 404
    assert [v["current"] for v in shop.get(f"{RULE}/versions").json["versions"]] == [False]
    back = shop.post(f"{RULE}:rollback", {"version": 1})
    assert (back.status_code, back.json["version"]) == (201, 2)


def test_a_rollback_to_what_no_longer_fits_is_refused(house: House, shop: Caller) -> None:
    assert shop.put(RULE, {**rule(), "columns": {"user_id": {"aggregate": ["count_distinct"]}}}).status_code == 200
    columns = {name: column for name, column in dataset()["columns"].items() if name != "region"}
    assert shop.put(CUSTOMERS, {**dataset(), "columns": columns}).status_code == 200
    events = house.kinds()
    refused = shop.post(f"{RULE}:rollback", {"version": 1})
    assert (refused.status_code, refused.json["code"]) == (422, "input.invalid")
    assert {p["code"] for p in refused.json["problems"]} == {"policy.unknown_name"}
    assert house.kinds() == events


def test_a_connection_is_not_rolled_back_to_where_the_operator_admits_nothing(house: House, shop: Caller) -> None:
    house.write(connection("shop", "/elsewhere"), connection("shop", str(house.data)))
    refused = shop.post(f"{LAKE}:rollback", {"version": 2})
    assert (refused.status_code, refused.json["code"]) == (403, "connection.not_admitted")
    assert "/elsewhere" not in refused.text


@pytest.mark.parametrize(
    "body", [{}, {"version": 0}, {"version": "1"}, {"version": 1.5}, {"version": True}, {"to": 1}, []]
)
def test_a_rollback_names_a_version(shop: Caller, body: Any) -> None:
    assert shop.post(f"{RULE}:rollback", body).status_code == 422


def test_consent_is_withdrawn_at_once(house: House, shop: Caller) -> None:
    press = house.caller("press", Role.ANALYST)
    assert press.submit().status_code == 202
    assert shop.ask("DELETE", RULE).status_code == 204
    assert press.submit().status_code == 422
    assert house.kinds()[-2:] == ["document.removed", "query.rejected"]
    assert shop.ask("DELETE", RULE).status_code == 404


def test_what_others_of_ones_own_rest_on_stays(house: House, shop: Caller) -> None:
    for path, resting in ((CUSTOMERS, "rule:media/shop.customers"), (LAKE, "dataset:shop.customers")):
        refused = shop.ask("DELETE", path)
        assert (refused.status_code, refused.json["code"]) == (409, "document.in_use")
        assert resting in refused.json["detail"]
    for path in (RULE, CUSTOMERS, LAKE):
        assert shop.ask("DELETE", path).status_code == 204


def test_no_other_partner_keeps_an_owner_from_taking_its_data_back(house: House, shop: Caller) -> None:
    pair = {"dataset": "shop.customers", "keys": {"user_id": "user_id"}}
    theirs = {**rule("press.readers"), "joins": {"with": [pair]}}
    house.write(connection("press", str(house.data.parent / "press")), dataset("press.readers"), theirs)
    for path in (RULE, CUSTOMERS):
        assert shop.ask("DELETE", path).status_code == 204


def test_a_delete_of_another_version_is_412(shop: Caller) -> None:
    assert shop.ask("DELETE", RULE, If_Match='"2"').json["code"] == "document.moved"
    assert shop.ask("DELETE", RULE, If_Match='"1"').status_code == 204


def test_who_left_a_collaboration_took_its_rule_along_and_still_reads_what_it_was(house: House, shop: Caller) -> None:
    members = [m for m in COLLABORATION["members"] if m["partner"] != "shop"]
    house.write({**COLLABORATION, "members": members})
    assert shop.get(RULE).status_code == 404
    assert shop.get(f"{RULE}?version=1").status_code == 200
    assert [v["current"] for v in shop.get(f"{RULE}/versions").json["versions"]] == [False]
    for answer in (shop.put(RULE, TIGHTER), shop.post(f"{RULE}:rollback", {"version": 1}), shop.ask("DELETE", RULE)):
        assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")
