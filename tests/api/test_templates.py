"""Templates and parameters over HTTP: written by a member, approved by owners, asked by name with typed values."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, Caller, House, rule

HERE = "/v1/collaborations/media/templates/reach"
ASK = "/v1/collaborations/media/queries"
CHECK = f"{ASK}:check"
SQL = "SELECT region, COUNT(DISTINCT user_id) AS n FROM shop.customers WHERE region = :region GROUP BY region"
TEMPLATE: dict[str, Any] = {"sql": SQL, "parameters": {"region": {"type": "VARCHAR", "values": ["north", "south"]}}}
GIVEN = {"region": "north"}


@pytest.fixture
def press(house: House) -> Caller:
    """The partner that asks; no data of its own is read."""
    return house.caller("press", Role.ANALYST)


@pytest.fixture
def shop(house: House) -> Caller:
    """The owner of the data."""
    return house.caller("shop", Role.DATA_OWNER)


def written(caller: Caller, **change: Any) -> TestResponse:
    return caller.put(HERE, TEMPLATE | change)


def approve(caller: Caller, version: int) -> TestResponse:
    return caller.post(f"{HERE}:approve", {"version": version})


def asked(caller: Caller, **body: Any) -> list[str] | int:
    """The codes of the findings of a check, or the status where there is none."""
    answer = caller.post(CHECK, body)
    return [f["code"] for f in answer.json["findings"]] if answer.status_code == 200 else answer.status_code


def problems(answer: TestResponse) -> list[tuple[str, str | None]]:
    assert answer.status_code == 422
    return [(p["code"], p.get("field")) for p in answer.json["problems"]]


def test_a_template_is_written_approved_and_asked(house: House, press: Caller, shop: Caller) -> None:
    assert written(press).json == {"document": "template:media/reach", "change": "created", "version": 1}
    assert asked(press, template="reach", parameters=GIVEN) == ["template.not_approved"]
    seen = shop.get(HERE).json
    assert (seen["version"], seen["approvals"], seen["missing_approvals"]) == (1, [], ["shop"])
    assert (seen["sql"], seen["datasets"]) == (SQL, ["shop.customers"])
    assert approve(shop, 1).json["approvals"] == ["shop"]
    submitted = press.post(ASK, {"template": "reach", "parameters": GIVEN})
    assert submitted.status_code == 202
    assert submitted.json["sql"] == SQL
    assert submitted.json["template"] == "reach"
    assert submitted.json["parameters"] == {"region": {"type": "VARCHAR", "value": "north"}}
    assert [k for k in house.kinds() if k.startswith("template.")] == ["template.written", "template.approved"]


def test_a_query_is_pinned_to_the_version_of_its_own_template(house: House, press: Caller, shop: Caller) -> None:
    for name in ("reach", "other"):
        assert shop.put(f"/v1/collaborations/media/templates/{name}", TEMPLATE).status_code == 201
    query = press.post(ASK, {"template": "reach", "parameters": GIVEN}).json["id"]
    written(shop, sql=APPROVED, parameters={})
    record = house.home.drawers.queries.get(query)
    assert record is not None
    assert {k: v for k, v in record.versions.items() if k.startswith("template:")} == {"template:media/reach": 1}
    pinned = house.home.drawers.policies.policy(record.collaboration, record.versions)
    assert pinned is not None
    assert pinned.templates[record.request().template].sql == SQL  # type: ignore[index]


def test_a_data_owner_who_writes_a_template_approves_it_and_an_analyst_does_not(house: House, shop: Caller) -> None:
    analyst = house.caller("shop", Role.ANALYST)
    assert written(analyst).status_code == 201
    assert analyst.get(HERE).json["missing_approvals"] == ["shop"]
    assert written(shop, description="said better").json["change"] == "replaced"
    assert shop.get(HERE).json["missing_approvals"] == ["shop"]
    assert written(shop, sql=f"{SQL} ORDER BY n").json["change"] == "replaced"
    assert shop.get(HERE).json["approvals"] == ["shop"]
    assert written(analyst, sql=f"{SQL} ORDER BY n DESC").json["change"] == "replaced"
    assert shop.get(HERE).json["approvals"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"sql": f"{SQL} "},
        {"sql": SQL.replace("region = :region", "region <> :region")},
        {"dialect": "postgres"},
        {"parameters": {"region": {"type": "VARCHAR"}}},
        {"parameters": {"region": {"type": "VARCHAR", "values": ["north", "south", "east"]}}},
    ],
)
def test_any_change_of_what_was_agreed_to_asks_every_owner_again(press: Caller, shop: Caller, change: Any) -> None:
    written(press)
    approve(shop, 1)
    assert written(press, **change).json["change"] == "replaced"
    assert press.get(HERE).json["missing_approvals"] == ["shop"]
    assert asked(press, template="reach", parameters=GIVEN) == ["template.not_approved"]


def test_a_change_of_the_description_keeps_approvals(press: Caller, shop: Caller) -> None:
    written(press)
    approve(shop, 1)
    assert written(press, description="Readers by region").json["change"] == "replaced"
    assert press.get(HERE).json["approvals"] == ["shop"]


def test_a_version_that_is_no_longer_current_is_not_approved(press: Caller, shop: Caller) -> None:
    written(press)
    written(press, sql=f"{SQL} ORDER BY n")
    moved = approve(shop, 1)
    assert (moved.status_code, moved.json["code"]) == (409, "template.moved")
    assert shop.get(HERE).json["approvals"] == []
    assert approve(shop, 2).status_code == 200
    assert approve(shop, 2).json["code"] == "template.moved"
    again = approve(shop, 3)
    assert (again.status_code, again.json["version"]) == (200, 3)


def test_a_precondition_that_does_not_hold_writes_nothing(press: Caller) -> None:
    assert press.put(HERE, TEMPLATE, If_Match='"1"').status_code == 412
    assert written(press).headers["ETag"] == '"1"'
    assert press.put(HERE, TEMPLATE | {"description": "said better"}, If_Match='"2"').status_code == 412
    assert press.put(HERE, TEMPLATE | {"description": "said better"}, If_None_Match="*").status_code == 412
    assert press.put(HERE, TEMPLATE | {"description": "said better"}, If_Match='"1"').json["version"] == 2


def test_an_approval_is_taken_back(house: House, press: Caller, shop: Caller) -> None:
    written(press)
    approve(shop, 1)
    assert shop.post(f"{HERE}:withdraw-approval").json["missing_approvals"] == ["shop"]
    assert asked(press, template="reach", parameters=GIVEN) == ["template.not_approved"]
    assert house.kinds().count("template.approval_withdrawn") == 1
    assert shop.post(f"{HERE}:withdraw-approval").status_code == 200
    assert house.kinds().count("template.approval_withdrawn") == 1


def test_whoever_owns_nothing_in_it_approves_nothing(house: House, press: Caller) -> None:
    written(press)
    for caller in (house.caller("press", Role.DATA_OWNER), house.caller("reader", Role.ADMIN)):
        assert approve(caller, 1).status_code == 403
        assert caller.post(f"{HERE}:withdraw-approval").status_code == 403
    assert approve(house.caller("shop", Role.ANALYST), 1).status_code == 403


def test_nobody_writes_the_approval_of_another(press: Caller, shop: Caller) -> None:
    assert problems(written(press, approvals=["shop"])) == [("policy.not_permitted", "approvals")]
    assert problems(written(press, approvals=["press"])) == [("policy.not_permitted", "approvals")]
    assert written(shop, approvals=["shop"]).status_code == 201


def test_a_template_of_another_member_is_not_written_over(press: Caller, shop: Caller) -> None:
    written(press)
    taken = written(shop, sql=APPROVED, parameters={})
    assert (taken.status_code, taken.json["code"]) == (409, "template.taken")
    assert problems(written(shop, partner="press")) == [("policy.not_permitted", "partner")]
    assert shop.get(HERE).json["partner"] == "press"


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sql": "SELECT 1 WHERE"}, ("sql.syntax", "sql")),
        ({"sql": "DELETE FROM shop.customers WHERE region = :region"}, ("sql.unsupported", "sql")),
        ({"sql": SQL.replace("shop.customers", "shop.orders")}, ("name.unknown", "sql")),
        ({"sql": SQL.replace("WHERE region", "WHERE regoin")}, ("name.unknown", "sql")),
        ({"sql": APPROVED}, ("policy.contradiction", "parameters.region")),
        ({"parameters": {}}, ("policy.missing_key", "sql")),
        ({"parameters": {"region": {"type": "BIGINT"}}}, ("type.mismatch", "sql")),
        ({"parameters": {"region": {"type": "BLOB"}}}, ("policy.invalid_value", "parameters.region.type")),
        ({"parameters": {"region": {"type": "DATE", "values": ["north"]}}}, None),
        (
            {"parameters": {"region": {"type": "VARCHAR", "minimum": "a"}}},
            ("policy.contradiction", "parameters.region"),
        ),
        ({"parameters": {"region": {"type": "VARCHAR", "values": []}}}, None),
        ({"sql": SQL.replace(":region", "?")}, ("sql.unsupported", "sql")),
        ({"sql": SQL.replace("GROUP BY region", "GROUP BY :region")}, ("sql.unsupported", "sql")),
        ({"dialect": "oracle"}, ("policy.invalid_value", "dialect")),
    ],
)
def test_a_template_that_does_not_read_is_not_written(press: Caller, change: Any, found: Any) -> None:
    refused = written(press, **change)
    assert problems(refused) if found is None else found in problems(refused)
    assert press.get(HERE).status_code == 404


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ("parameter.missing", "parameters.region")),
        ({"region": None}, ("parameter.invalid", "parameters.region")),
        ({"region": ["north"]}, ("parameter.invalid", "parameters.region")),
        ({"region": {"value": "north"}}, ("parameter.invalid", "parameters.region")),
        ({"region": "north' OR '1' = '1"}, ("parameter.invalid", "parameters.region")),
        ({"region": 5}, ("parameter.invalid", "parameters.region")),
        ({"region": True}, ("parameter.invalid", "parameters.region")),
        ({"region": "north", "other": 1}, ("parameter.unknown", "parameters.other")),
        ({"REGION": "north"}, ("parameter.missing", "parameters.region")),
        ({"region; DROP": "north"}, ("parameter.invalid", "parameters.region; DROP")),
    ],
)
def test_values_that_the_template_does_not_take_are_problems(
    house: House, press: Caller, shop: Caller, parameters: Any, found: Any
) -> None:
    written(shop)
    before = len(house.kinds())
    for path in (ASK, CHECK):
        refused = press.post(path, {"template": "reach", "parameters": parameters})
        assert refused.json["code"] == "input.invalid"
        assert found in problems(refused)
        assert "OR" not in refused.text
    assert len(house.kinds()) == before


@pytest.mark.parametrize("name", ["nothing", "Reach", "reach ", "media/reach", "x" * 500, ""])
def test_a_template_that_is_not_there_is_unknown(shop: Caller, press: Caller, name: str) -> None:
    written(shop)
    assert asked(press, template=name, parameters=GIVEN) == 404


def test_where_only_templates_may_read_no_sent_text_does(house: House, press: Caller, shop: Caller) -> None:
    house.write(rule() | {"analyses": "templates"})
    written(shop)
    assert asked(press, template="reach", parameters=GIVEN) == []
    assert asked(press, sql=SQL, parameters=GIVEN) == ["template.required"]
    assert asked(press, sql=APPROVED) == ["template.required"]
    catalog = press.get("/v1/collaborations/media/datasets").json["datasets"]
    assert [d["analyses"] for d in catalog] == ["templates"]


@pytest.mark.parametrize(
    ("written_as", "type"),
    [
        ('"north"', "VARCHAR"),
        ("5", "BIGINT"),
        ("1.50", "DECIMAL(3,2)"),
        ("-0.5", "DECIMAL(1,1)"),
        ("1e2", "DOUBLE"),
        ("true", "BOOLEAN"),
    ],
)
def test_a_sent_value_has_the_type_of_the_literal_so_spelled(
    house: House, press: Caller, written_as: str, type: str
) -> None:
    sql = "SELECT COUNT(DISTINCT user_id) AS n FROM shop.customers HAVING COUNT(DISTINCT user_id) > 1 OR :x = :x"
    body = f'{{"sql": "{sql}", "parameters": {{"x": {written_as}}}}}'
    answer = house.app.test_client().post(
        ASK, data=body, content_type="application/json", headers={"Authorization": f"Bearer {press.token}"}
    )
    assert answer.status_code == 202
    assert answer.json["parameters"]["x"]["type"] == type


@pytest.mark.parametrize(
    "value", ["1" * 39, "1e999", "-1e999", "1e-9999", "[]", "{}", "null", '"\\u0000"', '"\\ud800"']
)
def test_a_value_that_no_literal_spells_is_refused(house: House, press: Caller, value: str) -> None:
    body = f'{{"sql": "SELECT COUNT(*) FROM shop.customers WHERE region = :x", "parameters": {{"x": {value}}}}}'
    answer = house.app.test_client().post(
        ASK, data=body, content_type="application/json", headers={"Authorization": f"Bearer {press.token}"}
    )
    assert answer.status_code == 422
    assert answer.json["code"] == "input.invalid"


def test_the_owner_of_a_dataset_in_it_sees_with_which_values_it_was_asked(press: Caller, shop: Caller) -> None:
    written(shop)
    query = press.post(ASK, {"template": "reach", "parameters": GIVEN}).json["id"]
    assert shop.get(f"/v1/queries/{query}").json["parameters"] == {"region": {"type": "VARCHAR", "value": "north"}}
    events = shop.get("/v1/audit/events").json["events"]
    assert any('"north"' in e["canonical"] and '"query.approved"' in e["canonical"] for e in events)


def test_the_same_key_with_other_values_is_another_request(press: Caller, shop: Caller) -> None:
    written(shop)
    first = press.post(ASK, {"template": "reach", "parameters": GIVEN}, Idempotency_Key="one")
    again = press.post(ASK, {"template": "reach", "parameters": GIVEN}, Idempotency_Key="one")
    other = press.post(ASK, {"template": "reach", "parameters": {"region": "south"}}, Idempotency_Key="one")
    assert first.json["id"] == again.json["id"]
    assert other.status_code == 422
