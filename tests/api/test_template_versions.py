"""Templates taken away, rolled back, and what is left of them when a partner leaves: no approval comes back by itself."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, COLLABORATION, Caller, House, rule
from tests.api.test_templates import GIVEN, HERE, SQL, approve, asked, written

OTHER = f"{SQL} ORDER BY n"
VERSIONS = f"{HERE}/versions"


@pytest.fixture
def press(house: House) -> Caller:
    """The partner whose template it is."""
    return house.caller("press", Role.ANALYST)


@pytest.fixture
def shop(house: House) -> Caller:
    """The owner of the data that it reads."""
    return house.caller("shop", Role.DATA_OWNER)


def without(partner: str) -> dict[str, Any]:
    return COLLABORATION | {"members": [m for m in COLLABORATION["members"] if m["partner"] != partner]}


def rolled_back(caller: Caller, version: int, **headers: str) -> Any:
    return caller.post(f"{HERE}:rollback", {"version": version}, **headers)


def test_an_approval_does_not_outlive_the_membership_of_the_owner_that_gave_it(
    house: House, press: Caller, shop: Caller
) -> None:
    written(press)
    approve(shop, 1)
    assert house.caller("shop", Role.ADMIN).post("/v1/collaborations/media:leave").status_code == 204
    assert house.kinds()[-3:].count("template.approval_withdrawn") == 1
    house.write(COLLABORATION, rule())
    assert press.get(HERE).json["missing_approvals"] == ["shop"]
    assert asked(press, template="reach", parameters=GIVEN) == ["template.not_approved"]


def test_an_approval_does_not_outlive_the_ability_to_contribute(house: House, press: Caller, shop: Caller) -> None:
    written(press)
    approve(shop, 1)
    members = [m | {"abilities": []} if m["partner"] == "shop" else m for m in COLLABORATION["members"]]
    house.write(COLLABORATION | {"members": members})
    house.write(COLLABORATION, rule())
    assert press.get(HERE).json["missing_approvals"] == ["shop"]


def test_a_template_does_not_outlive_the_membership_of_the_partner_whose_it_is(
    house: House, press: Caller, shop: Caller
) -> None:
    written(press)
    approve(shop, 1)
    house.write(without("press"))
    assert house.kinds()[-1] == "document.removed"
    assert shop.get(HERE).status_code == 404
    assert shop.get(VERSIONS).status_code == 404
    house.write(COLLABORATION)
    assert shop.get(HERE).status_code == 404
    assert asked(press, template="reach", parameters=GIVEN) == 404
    assert rolled_back(press, 2).status_code == 201
    assert shop.get(HERE).json["missing_approvals"] == ["shop"]


def test_who_leaves_takes_nothing_of_the_others_along(house: House, press: Caller, shop: Caller) -> None:
    written(press)
    approve(shop, 1)
    house.write(without("reader"))
    assert shop.get(HERE).json["version"] == 2
    assert asked(press, template="reach", parameters=GIVEN) == []


def test_the_name_of_a_template_that_left_is_free_and_its_history_is_not_the_next_ones(
    house: House, press: Caller, shop: Caller
) -> None:
    written(press)
    house.write(without("press"))
    assert written(shop, sql=APPROVED, parameters={}).status_code == 201
    assert [v["version"] for v in shop.get(VERSIONS).json["versions"]] == [2]
    assert shop.get(f"{HERE}?version=1").status_code == 404
    assert rolled_back(shop, 1).status_code == 404
    house.write(COLLABORATION)
    assert rolled_back(press, 1).status_code == 403


def test_a_rollback_keeps_approvals_of_the_same_text_alone(press: Caller, shop: Caller) -> None:
    written(press)
    written(press, description="Readers by region")
    approve(shop, 2)
    assert rolled_back(press, 1).json["change"] == "replaced"
    seen = press.get(HERE).json
    assert (seen["description"], seen["approvals"]) == ("", ["shop"])
    written(press, sql=OTHER)
    assert rolled_back(press, 3).json == {"document": "template:media/reach", "change": "replaced", "version": 6}
    assert press.get(HERE).json["missing_approvals"] == ["shop"]
    assert asked(press, template="reach", parameters=GIVEN) == ["template.not_approved"]


def test_a_rollback_does_not_bring_back_an_approval_that_was_withdrawn(press: Caller, shop: Caller) -> None:
    written(press)
    approve(shop, 1)
    shop.post(f"{HERE}:withdraw-approval")
    assert rolled_back(press, 2).json["change"] == "unchanged"
    assert press.get(HERE).json["missing_approvals"] == ["shop"]


def test_a_rollback_is_no_approval_of_an_owner_that_rolls_back(house: House, shop: Caller) -> None:
    written(shop)
    written(shop, sql=OTHER)
    assert rolled_back(shop, 1).status_code == 200
    assert shop.get(HERE).json["missing_approvals"] == ["shop"]


def test_a_removed_template_is_asked_no_more_and_comes_back_without_approvals(
    house: House, press: Caller, shop: Caller
) -> None:
    written(press)
    approve(shop, 1)
    assert press.ask("DELETE", HERE, If_Match='"1"').status_code == 412
    assert press.ask("DELETE", HERE, If_Match='"2"').status_code == 204
    assert house.kinds()[-1] == "document.removed"
    assert asked(press, template="reach", parameters=GIVEN) == 404
    assert press.ask("DELETE", HERE).status_code == 404
    assert approve(shop, 2).status_code == 404
    assert shop.get(VERSIONS).status_code == 404
    assert [v["current"] for v in press.get(VERSIONS).json["versions"]] == [False, False]
    assert rolled_back(press, 2).status_code == 201
    assert shop.get(HERE).json["missing_approvals"] == ["shop"]


def test_nobody_removes_or_rolls_back_the_template_of_another_member(press: Caller, shop: Caller) -> None:
    written(press)
    written(press, sql=OTHER)
    assert shop.ask("DELETE", HERE).status_code == 403
    assert rolled_back(shop, 1).status_code == 403
    assert shop.get(HERE).json["version"] == 2


def test_every_member_reads_each_version_of_a_template_that_holds(house: House, press: Caller, shop: Caller) -> None:
    written(press)
    written(press, sql=OTHER)
    reader = house.caller("reader", Role.AUDITOR)
    assert [v["version"] for v in reader.get(VERSIONS).json["versions"]] == [2, 1]
    earlier = reader.get(f"{HERE}?version=1")
    assert (earlier.json["version"], earlier.json["sql"], earlier.headers["ETag"]) == (1, SQL, '"1"')
    assert reader.get(f"{HERE}?version=3").status_code == 404
    assert reader.get(f"{HERE}?version=0").status_code == 422
    assert reader.get(HERE).headers["ETag"] == '"2"'


@pytest.mark.parametrize("version", [0, -1, "1", None, 2**31, 3])
def test_a_version_that_there_is_not_is_not_rolled_back_to(press: Caller, version: Any) -> None:
    written(press)
    assert rolled_back(press, version).status_code == (404 if version == 3 else 422)


def test_a_rollback_to_a_text_that_reads_no_more_is_refused(press: Caller, shop: Caller) -> None:
    written(press)
    written(press, sql=OTHER)
    assert shop.ask("DELETE", "/v1/collaborations/media/rules/shop.customers").status_code == 204
    assert rolled_back(press, 1).status_code == 422


def test_readiness_tells_whether_a_template_may_read_what_templates_alone_may(
    house: House, press: Caller, shop: Caller
) -> None:
    def codes(caller: Caller) -> list[str]:
        (found,) = caller.get("/v1/collaborations/media/readiness").json["datasets"]
        return [reason["code"] for reason in found["reasons"] if reason["code"] != "connection.not_admitted"]

    house.write(rule() | {"analyses": "templates"})
    assert codes(shop) == ["template.none"]
    written(press)
    assert codes(shop) == ["template.none"]
    assert codes(press) == ["owner.not_ready"]
    approve(shop, 1)
    assert codes(shop) == []
    assert codes(press) == []
    press.ask("DELETE", HERE)
    assert codes(shop) == ["template.none"]
    (seen,) = press.get("/v1/collaborations/media/effective").json["datasets"]
    assert seen["templates_only"] is True
