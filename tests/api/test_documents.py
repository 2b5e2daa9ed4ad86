from __future__ import annotations

import json
from typing import Any

import pytest

from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, Caller, House, connection, dataset, rule

pytestmark = pytest.mark.databases

CUSTOMERS, RULE = "/v1/datasets/shop.customers", "/v1/collaborations/media/rules/shop.customers"


@pytest.fixture
def shop(house: House) -> Caller:
    return house.caller("shop", Role.DATA_OWNER)


def refused_codes(answer: Any) -> list[str]:
    assert answer.status_code == 422
    assert answer.json["code"] == "input.invalid"
    return [p["code"] for p in answer.json["problems"]]


def test_a_partner_brings_connection_dataset_and_rule_over_http(house: House) -> None:
    press = house.caller("press", Role.DATA_OWNER)
    own = connection("press", str(house.data.parent / "press" / "logs"))
    for path, body in [
        ("/v1/connections/press-lake", own),
        ("/v1/datasets/press.readers", dataset("press.readers")),
        ("/v1/collaborations/media/rules/press.readers", rule("press.readers")),
    ]:
        created = press.put(path, body)
        assert (created.status_code, created.json["change"]) == (201, "created")
        events = house.kinds()
        again = press.put(path, body)
        assert (again.status_code, again.json["change"]) == (200, "unchanged")
        assert house.kinds() == events
    assert house.kinds()[-3:] == ["connection.written", "dataset.written", "rule.written"]
    asked = house.caller("press", Role.ANALYST).submit(APPROVED.replace("shop.customers", "press.readers"))
    assert asked.status_code == 202


def test_what_the_address_says_may_be_left_out_but_not_contradicted(shop: Caller) -> None:
    body = {k: v for k, v in rule().items() if k not in ("apiVersion", "kind", "dataset", "collaboration")}
    assert shop.put(RULE, body).json["change"] == "unchanged"
    assert refused_codes(shop.put(RULE, {**body, "dataset": "shop.orders"})) == ["policy.contradiction"]
    assert "policy.contradiction" in refused_codes(shop.put(CUSTOMERS, {**dataset(), "kind": "Connection"}))


def test_a_rule_takes_effect_with_the_next_query(house: House, shop: Caller) -> None:
    press = house.caller("press", Role.ANALYST)
    assert press.submit().status_code == 202
    changed = {**rule(), "columns": {"user_id": {"aggregate": ["count_distinct"]}}}
    assert shop.put(RULE, changed).json["change"] == "replaced"
    refused = press.submit()
    assert refused.status_code == 422
    assert "column.blocked" in [f["code"] for f in refused.json["findings"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"unknown": 1}, "policy.unknown_key"),
        ({"query_runners": ["stranger"]}, "policy.unknown_name"),
        ({"columns": {"nothing": {"group": True}}}, "policy.unknown_name"),
        ({"analyses": "approved"}, "policy.invalid_value"),
        ({"per_unit_analysis": "yes"}, "policy.invalid_value"),
        ({"aggregation_threshold": {"minimum": 50, "small_groups": "hide"}}, "policy.invalid_value"),
        ({"joins": {"kinds": ["inner", "anti"]}}, "policy.contradiction"),
        ({"literals": ["notes"]}, "policy.unknown_name"),
        ({"columns": {"user_id": {"aggregate": ["count"], "minimum": 50}}}, "policy.contradiction"),
        ({"row_filter": {"reader": "region = 'north'", "default": "TRUE"}}, "policy.contradiction"),
        ({"row_filter": {"press": "region = = 'north'"}}, None),
        ({"row_filter": {"press": "TRUE", "default": "nothing = 1"}}, None),
        ({"row_filter": "region = = 'north'"}, None),
        ({"row_filter": "nothing = 1"}, None),
    ],
)
def test_a_rule_that_cannot_hold_is_refused_with_every_place(
    house: House, shop: Caller, change: dict[str, Any], code: str | None
) -> None:
    events = house.kinds()
    found = refused_codes(shop.put(RULE, {**rule(), **change}))
    assert found
    assert code is None or code in found
    assert house.kinds() == events


def test_a_dataset_that_a_rule_would_no_longer_fit_is_refused(shop: Caller) -> None:
    columns = {k: v for k, v in dataset()["columns"].items() if k != "region"}
    refused = shop.put(CUSTOMERS, {**dataset(), "columns": columns})
    assert refused_codes(refused)
    assert "media" in refused.json["problems"][0]["message"]


def test_two_datasets_whose_names_differ_in_case_alone_are_refused(shop: Caller) -> None:
    assert refused_codes(shop.put("/v1/datasets/shop.Customers", dataset("shop.Customers"))) == ["policy.duplicate"]


@pytest.mark.parametrize("name", ["press-lake", "nobody-lake"])
def test_a_dataset_on_a_connection_of_others_is_told_as_one_on_none(house: House, shop: Caller, name: str) -> None:
    house.write(connection("press", str(house.data.parent / "press")))
    refused = shop.put(CUSTOMERS, {**dataset(), "connection": name})
    assert refused_codes(refused) == ["policy.unknown_name"]
    assert refused.json["problems"][0]["message"] == "shop has no connection of this name"


@pytest.mark.parametrize(
    "root",
    ["{data}/../press", "/", "/etc", "{data}2", "{data}/..", "relative", "", "{data}/a/../../x", "//etc"],
)
def test_a_root_outside_what_the_operator_admitted_is_refused_without_an_echo(
    house: House, shop: Caller, root: str
) -> None:
    named = root.format(data=house.data)
    refused = shop.put("/v1/connections/shop-lake", connection("shop", named))
    assert refused.status_code in (403, 422)
    if refused.status_code == 403:
        assert refused.json["code"] == "connection.not_admitted"
    assert len(named) < 3 or named not in refused.text
    assert str(house.data) not in refused.text


@pytest.mark.parametrize("root", ["{data}", "{data}/", "{data}/deep/er"])
def test_a_root_within_what_the_operator_admitted_is_taken(house: House, shop: Caller, root: str) -> None:
    path = "/v1/connections/shop-lake"
    assert shop.put(path, connection("shop", root.format(data=house.data))).status_code == 200


def test_a_partner_for_whom_nothing_is_admitted_reaches_nothing(house: House) -> None:
    reader = house.caller("reader", Role.DATA_OWNER)
    refused = reader.put("/v1/connections/reader-lake", connection("reader", str(house.data)))
    assert (refused.status_code, refused.json["code"]) == (403, "connection.not_admitted")


def test_a_name_that_another_partner_took_is_not_there(house: House) -> None:
    press = house.caller("press", Role.DATA_OWNER)
    body = {**connection("press", str(house.data.parent / "press")), "name": "shop-lake"}
    refused = press.put("/v1/connections/shop-lake", body)
    assert (refused.status_code, refused.json["code"]) == (404, "name.unknown")


@pytest.mark.parametrize(
    "secret", ["env:CLEANROOM_SECRET_PRESS_LAKE", "env:PATH", "hunter2", "env:CLEANROOM_SECRET_SHOPS_LAKE"]
)
def test_a_secret_of_others_is_refused(house: House, shop: Caller, secret: str) -> None:
    body = {**connection("shop", str(house.data)), "secret": secret}
    assert refused_codes(shop.put("/v1/connections/shop-lake", body))


def test_a_rule_for_a_collaboration_of_others_or_a_dataset_that_is_none(shop: Caller) -> None:
    for path in ("/v1/collaborations/other/rules/shop.customers", "/v1/collaborations/media/rules/shop.nothing"):
        assert shop.put(path, rule()).json["code"] == "name.unknown"


def test_a_member_that_does_not_contribute_writes_no_rule(house: House) -> None:
    refused = house.caller("reader", Role.DATA_OWNER).put("/v1/collaborations/media/rules/reader.x", rule("reader.x"))
    assert (refused.status_code, refused.json["code"]) == (403, "auth.not_permitted")


def test_the_catalog_tells_members_what_they_may_do_and_never_where_data_is(house: House) -> None:
    for partner, may in [("press", True), ("reader", False), ("shop", False)]:
        answer = house.caller(partner, Role.ANALYST).get("/v1/collaborations/media/datasets")
        (found,) = answer.json["datasets"]
        assert found["name"] == "shop.customers"
        assert found["may_query"] is may
        assert found["may_receive"] is (partner != "shop")
        columns = {c["name"]: c["allowed"] for c in found["columns"]}
        nothing = {"join": False, "group": None, "filter": None, "aggregate": [], "minimum_units": None}
        assert columns["notes"] == nothing
        assert columns["region"] == ({**nothing, "group": "instant", "filter": "instant"} if may else nothing)
        assert columns["user_id"] == ({**nothing, "join": True, "aggregate": ["count_distinct"]} if may else nothing)
        for hidden in (str(house.data), "shop-lake", "parquet", "connection", "row_filter"):
            assert hidden not in answer.text


def test_the_catalog_tells_what_a_wide_rule_opens_and_what_it_narrows(house: House, shop: Caller) -> None:
    wide = {
        "aggregation_threshold": {"minimum": 50, "small_groups": "blank"},
        "columns": {
            "user_id": {"join": True, "aggregate": ["count_distinct"], "minimum": 100},
            "region": {"group": True, "filter": True},
        },
        "per_unit_analysis": True,
        "literals": [],
    }
    assert shop.put(RULE, {**rule(), **wide}).json["change"] == "replaced"
    for partner, may in [("press", True), ("reader", False)]:
        (found,) = house.caller(partner, Role.ANALYST).get("/v1/collaborations/media/datasets").json["datasets"]
        assert (found["minimum_units"], found["small_groups"], found["literals"]) == (50, "blank", [])
        assert found["per_unit_analysis"] is may
        minimums = {c["name"]: c["allowed"]["minimum_units"] for c in found["columns"]}
        assert minimums == {"user_id": 100 if may else None, "region": None, "notes": None}


def test_the_catalog_tells_that_literals_are_free_where_the_rule_says_nothing(house: House) -> None:
    (found,) = house.caller("press", Role.ANALYST).get("/v1/collaborations/media/datasets").json["datasets"]
    assert (found["literals"], found["small_groups"], found["per_unit_analysis"]) == (None, "drop", False)


@pytest.mark.parametrize("written", ["region = 'north'", {"press": "region = 'north'", "default": "FALSE"}])
def test_a_row_filter_is_the_owners_own_matter(written: Any, house: House) -> None:
    house.write({**rule(), "row_filter": written})
    text = house.caller("press").get("/v1/collaborations/media/datasets").text
    assert "north'" not in text
    assert "FALSE" not in text


def test_collaborations_are_those_of_the_callers_partner(house: House) -> None:
    mine = house.caller("press").get("/v1/collaborations").json["collaborations"]
    assert [c["name"] for c in mine] == ["media"]
    assert mine[0] == house.caller("reader").get("/v1/collaborations/media").json
    assert house.caller("stranger").get("/v1/collaborations").json == {"collaborations": []}


@pytest.mark.parametrize("depth", [20, 31])
def test_deep_documents_are_refused_not_followed(shop: Caller, depth: int) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = {"a": nested}
    assert refused_codes(shop.put(CUSTOMERS, {**dataset(), "columns": nested}))


@pytest.mark.parametrize("body", [[], "x", 1, [dataset()]])
def test_a_document_is_an_object(shop: Caller, body: Any) -> None:
    assert refused_codes(shop.put(CUSTOMERS, body)) == ["policy.invalid_value"]


@pytest.mark.parametrize("value", [None, 0, -1, 1e400, True, "x" * 9999, [], {}, [[]], {"a": None}, "\u202e", 10**40])
@pytest.mark.parametrize("kind", ["connections/shop-lake", "datasets/shop.customers", "rule"])
def test_no_value_in_any_place_of_a_document_breaks_the_server(
    house: House, shop: Caller, kind: str, value: Any
) -> None:
    path = RULE if kind == "rule" else f"/v1/{kind}"
    documents = {RULE: rule(), CUSTOMERS: dataset()}
    whole = documents.get(path, connection("shop", str(house.data)))
    for key in whole:
        text = json.dumps({**whole, key: value}).replace("Infinity", "1e400")
        headers = {"Authorization": f"Bearer {shop.token}"}
        answer = shop.app.test_client().put(path, data=text, content_type="application/json", headers=headers)
        assert answer.status_code < 500, (key, value, answer.text)
