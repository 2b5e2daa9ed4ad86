"""What members see of the effective rule and of readiness: their own whole, of others only what is theirs to know."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.domain.query import Role
from tests.api.conftest import House, connection, dataset, rule

EFFECTIVE, READINESS = "/v1/collaborations/media/effective", "/v1/collaborations/media/readiness"
FILTERED = {**rule(), "columns": {**rule()["columns"], "notes": {"filter": True}}, "row_filter": "notes = 'planted'"}


def of(answer: Any, name: str = "shop.customers") -> dict[str, Any] | None:
    assert answer.status_code == 200
    return next((d for d in answer.json["datasets"] if name in (d.get("name"), d.get("dataset"))), None)


def test_the_owner_sees_runners_receivers_and_columns(house: House) -> None:
    found = of(house.caller("shop", Role.DATA_OWNER).get(EFFECTIVE))
    assert found is not None
    assert (found["runners"], found["receivers"]) == (["press"], ["press", "reader"])
    assert found["columns"]["aggregate"] == {"user_id": ["count_distinct"]}
    assert found["columns"]["group"] == {"region": "instant"}


def test_a_runner_sees_itself_alone_among_runners_and_receivers(house: House) -> None:
    found = of(house.caller("press", Role.ANALYST).get(EFFECTIVE))
    assert found is not None
    assert (found["runners"], found["receivers"], found["askable"]) == (["press"], ["press"], ["press"])
    assert found["columns"]["group"] == {"region": "instant"}


def test_who_may_not_ask_sees_no_column(house: House) -> None:
    found = of(house.caller("reader", Role.ANALYST).get(EFFECTIVE))
    assert found is not None
    assert (found["runners"], found["receivers"], found["count_rows"]) == ([], ["reader"], False)
    assert not any(found["columns"].values())


@pytest.mark.parametrize("partner", ["shop", "press", "reader"])
def test_no_row_filter_and_no_location_is_ever_shown(house: House, partner: str) -> None:
    house.write(FILTERED)
    for path in (EFFECTIVE, READINESS):
        text = house.caller(partner).get(path).text
        assert "planted" not in text
        assert str(house.data) not in text
        assert "lake" not in text


def test_contradictions_are_for_the_owners_in_them(house: House) -> None:
    pairs = {"joins": {"with": [{"dataset": "press.views", "keys": {"user_id": "user_id"}}]}}
    house.write({**rule(), **pairs})
    for partner, codes in (("shop", ["join.no_rule"]), ("press", ["join.no_rule"]), ("reader", [])):
        answer = house.caller(partner).get(EFFECTIVE)
        assert [c["code"] for c in answer.json["contradictions"]] == codes


def test_others_learn_of_a_missing_admission_only_that_the_side_is_not_ready(house: House) -> None:
    house.write(connection("shop", "/somewhere/else"))
    own = of(house.caller("shop").get(READINESS))
    assert own is not None
    assert [r["code"] for r in own["reasons"]] == ["connection.not_admitted"]
    assert own["reasons"][0]["who"] == "operator"
    for partner in ("press", "reader"):
        seen = of(house.caller(partner).get(READINESS))
        assert seen is not None
        assert (seen["ready"], [r["code"] for r in seen["reasons"]]) == (False, ["owner.not_ready"])


def test_a_dataset_without_a_rule_is_its_owners_to_know_of(house: House) -> None:
    house.write(dataset("shop.secret_plans"))
    own = of(house.caller("shop").get(READINESS), "shop.secret_plans")
    assert own is not None
    assert [r["code"] for r in own["reasons"]] == ["rule.none"]
    for partner in ("press", "reader"):
        assert "secret_plans" not in house.caller(partner).get(READINESS).text


def test_a_stranger_is_told_nothing(house: House) -> None:
    for path in (EFFECTIVE, READINESS, "/v1/collaborations/nosuch/effective", "/v1/collaborations/nosuch/readiness"):
        answer = house.caller("stranger").get(path)
        assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")
