from __future__ import annotations

import hashlib
import json

import pytest

from cleanroom.domain.query import Role
from tests.api.conftest import REFUSED, Caller, House, connection

pytestmark = pytest.mark.databases


def kinds_seen(caller: Caller) -> list[str]:
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        page = caller.get(f"/v1/audit/events?limit=200{cursor and '&cursor=' + cursor}").json
        found += [e["kind"] for e in page["events"]]
        cursor = page["next_cursor"]
    return found


def test_an_auditor_sees_the_rules_of_its_collaborations_and_the_queries_that_its_partner_is_in(house: House) -> None:
    house.caller("press", Role.ANALYST).submit()
    house.caller("press", Role.ANALYST).submit(REFUSED)
    for partner in ("shop", "press"):
        seen = kinds_seen(house.caller(partner, Role.AUDITOR))
        assert {"query.approved", "query.rejected", "rule.written"} <= set(seen)
    own = {"partner.added", "principal.created", "token.created", "log.read"}
    assert set(kinds_seen(house.caller("stranger", Role.AUDITOR))) == own


def test_a_member_that_neither_asked_nor_owns_sees_nothing_of_a_question_in_the_log(house: House) -> None:
    asked = house.caller("press", Role.ANALYST).submit().json["id"]
    refused = house.caller("press", Role.ANALYST).submit(REFUSED).json["id"]
    reader = house.caller("reader", Role.AUDITOR, Role.DATA_OWNER)
    assert "rule.written" in kinds_seen(reader)
    text = reader.get("/v1/audit/events?limit=200").text
    assert asked not in text
    assert refused not in text
    assert "SELECT" not in text
    numbers = [e["number"] for e in house.caller("shop", Role.AUDITOR).get("/v1/audit/events?limit=200").json["events"]]
    hidden = set(numbers) - {e["number"] for e in reader.get("/v1/audit/events?limit=200").json["events"]}
    assert {reader.get(f"/v1/audit/events/{n}/proof").status_code for n in hidden} == {404}


def test_a_data_owner_sees_what_touched_its_data_refusals_included(house: House) -> None:
    house.caller("press", Role.ANALYST).submit(REFUSED)
    assert "query.rejected" in kinds_seen(house.caller("shop", Role.DATA_OWNER))
    assert "query.rejected" not in kinds_seen(house.caller("reader", Role.DATA_OWNER))


def test_connections_of_others_are_in_nobody_elses_log(house: House) -> None:
    house.write(connection("press", str(house.data.parent / "press" / "hidden-place")))
    for partner in ("shop", "reader", "press"):
        text = house.caller(partner, Role.AUDITOR, Role.DATA_OWNER).get("/v1/audit/events?limit=200").text
        assert "hidden-place" not in text
        assert str(house.data) not in text
    assert "press-lake" not in house.caller("shop", Role.AUDITOR).get("/v1/audit/events?limit=200").text


def test_reading_the_log_is_in_the_log(house: House) -> None:
    auditor = house.caller("shop", Role.AUDITOR)
    assert house.kinds().count("log.read") == 0
    assert auditor.get("/v1/audit/events").json["events"][-1]["kind"] == "log.read"
    assert auditor.get("/v1/audit/events?limit=0").status_code == 422
    assert house.kinds().count("log.read") == 1
    number = auditor.get("/v1/audit/events?limit=1").json["events"][0]["number"]
    assert auditor.get(f"/v1/audit/events/{number}/proof").status_code == 200
    assert house.kinds().count("log.read") == 3


@pytest.mark.parametrize("place", ["9007199254740992", "999999999999999999", "1" * 19, "-1", "x"])
def test_a_place_that_no_log_reaches_is_refused_in_words(house: House, place: str) -> None:
    auditor = house.caller("shop", Role.AUDITOR)
    for address in (f"/v1/audit/events?cursor={place}", f"/v1/audit/events/{place}/proof"):
        answer = auditor.get(address)
        assert (answer.status_code, answer.json["code"]) == (422, "input.invalid")


def test_pages_are_in_order_and_leave_nothing_out(house: House) -> None:
    for _ in range(4):
        house.caller("press", Role.ANALYST).submit(REFUSED)
    auditor = house.caller("shop", Role.AUDITOR)
    whole = [e["number"] for e in auditor.get("/v1/audit/events?limit=200").json["events"]]
    numbers: list[int] = []
    cursor = "&cursor=0"
    while len(numbers) < len(whole):
        page = auditor.get(f"/v1/audit/events?limit=3{cursor}").json
        numbers += [e["number"] for e in page["events"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert numbers[: len(whole)] == whole
    assert numbers == sorted(set(numbers))


def test_an_event_is_proven_to_whoever_holds_a_checkpoint(house: House) -> None:
    auditor = house.caller("shop", Role.AUDITOR)
    event = auditor.get("/v1/audit/events").json["events"][0]
    proof = auditor.get(f"/v1/audit/events/{event['number']}/proof").json
    assert proof["canonical"] == event["canonical"]
    leaf = hashlib.sha256(b"\0" + proof["canonical"].encode()).hexdigest()
    assert proof["leaf"] == leaf
    assert json.loads(event["canonical"])["kind"] == event["kind"]
    note = auditor.get("/v1/audit/checkpoint").json
    assert note["key"] == str(house.home.keys.public)
    assert proof["checkpoint"].splitlines()[0] == note["checkpoint"].splitlines()[0] == house.home.keys.name


@pytest.mark.parametrize("number", ["4000", "0"])
def test_what_there_is_not_and_what_is_not_yours_has_no_proof(house: House, number: str) -> None:
    answer = house.caller("stranger", Role.AUDITOR).get(f"/v1/audit/events/{number}/proof")
    assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")
