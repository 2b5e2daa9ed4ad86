"""A request that is sent again under its key is the same query; quotas; filters of the listing; cancelling twice."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from cleanroom.api.idempotency import LONGEST_KEY, idempotency_key
from cleanroom.broker import digest_of
from cleanroom.domain.errors import InvalidInput
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId, QueryId
from cleanroom.domain.query import Principal, QueryRequest, Role, everywhere
from cleanroom.domain.quota import Quota
from tests.api.conftest import APPROVED, REFUSED, House
from tests.store.world import NOON, later

PRESS = PartnerName("press")


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ('"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        ("8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (r'"a \"quoted\\ key"', 'a "quoted\\ key'),
        ('" "', " "),
        ('  "a"\t', "a"),
        ("a" * LONGEST_KEY, "a" * LONGEST_KEY),
        (f'"{"a" * LONGEST_KEY}"', "a" * LONGEST_KEY),
        ("Zm9v+/=:._~!#$%&'()*?@[]^`{|}", "Zm9v+/=:._~!#$%&'()*?@[]^`{|}"),
    ],
)
def test_a_key_is_a_string_of_structured_fields_or_a_bare_token(sent: str, key: str) -> None:
    assert idempotency_key(Headers({"Idempotency-Key": sent})) == key


WRONG = ["", '""', '"a', 'a"', '"a"b"', '"a";p=1', "a;p=1", "a, b", '"a", "b"', r'"a\b"', "a b", '"é"', "é", "\x01"]


@pytest.mark.parametrize("sent", [*WRONG, "a" * (LONGEST_KEY + 1), f'"{"a" * (LONGEST_KEY + 1)}"'])
def test_what_is_no_key_is_an_error_and_not_left_out(sent: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        idempotency_key(Headers({"Idempotency-Key": sent}))
    assert refused.value.problems[0].field == "Idempotency-Key"


def test_two_keys_are_none() -> None:
    with pytest.raises(InvalidInput):
        idempotency_key(Headers([("Idempotency-Key", "a"), ("Idempotency-Key", "a")]))


def request(**about: Any) -> QueryRequest:
    asker = Principal(PrincipalId("press/a"), PRESS, everywhere(Role.ANALYST))
    asked = QueryRequest(QueryId("q"), CollaborationName("media"), asker, "SELECT 1", "duckdb", NOON)
    return dataclasses.replace(asked, **about)


def test_what_is_asked_makes_the_digest_and_who_asks_and_when_does_not() -> None:
    other = Principal(PrincipalId("press/b"), PRESS, everywhere())
    same = {"id": QueryId("r"), "submitted_at": later(9), "principal": other, "collaboration": CollaborationName("m")}
    asked = {"sql": "SELECT 2", "dialect": "spark", "template": "reach"}
    known = {field.name for field in dataclasses.fields(QueryRequest)}
    assert digest_of(request(**same)) == digest_of(request())
    for name, value in asked.items():
        assert digest_of(request(**{name: value})) != digest_of(request())
    assert known - same.keys() - asked.keys() == {"parameters"}


def test_a_request_that_is_sent_again_is_the_same_query(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    first = press.submit(Idempotency_Key='"one"')
    again = press.submit(Idempotency_Key="one")
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    house.answer(first.json["id"])
    ended = press.submit(Idempotency_Key="one")
    assert (ended.status_code, ended.json["state"]) == (201, "succeeded")
    assert house.kinds().count("query.approved") == 1
    assert press.submit(Idempotency_Key="two").json["id"] != first.json["id"]


def test_a_refusal_that_is_asked_for_again_is_the_same_refusal(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    first, again = (press.submit(REFUSED, Idempotency_Key="one") for _ in range(2))
    assert (first.status_code, again.status_code) == (422, 422)
    assert {**again.json, "request_id": ""} == {**first.json, "request_id": ""}
    assert again.headers["Idempotency-Replayed"] == "true"
    assert house.kinds().count("query.rejected") == 1


def test_another_request_under_a_key_is_a_mismatch(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    press.submit(Idempotency_Key="one")
    other = press.submit(REFUSED, Idempotency_Key="one")
    spelt = press.post("/v1/collaborations/media/queries", {"sql": APPROVED, "dialect": "spark"}, Idempotency_Key="one")
    for answer in (other, spelt):
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency.mismatch")
        assert answer.json["problems"][0]["field"] == "Idempotency-Key"


def test_a_key_tells_nobody_else_that_it_was_used(house: House) -> None:
    first = house.caller("press", Role.ANALYST).submit(Idempotency_Key="one")
    neighbour = house.caller("press", Role.ANALYST).submit(REFUSED, Idempotency_Key="one")
    assert neighbour.json["id"] != first.json["id"]
    assert house.caller("stranger").submit(Idempotency_Key="one").json["code"] == "name.unknown"


def test_what_is_wrong_leaves_its_key_free(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    assert press.submit(Prefer="wait=soon", Idempotency_Key="one").status_code == 422
    assert press.submit(Idempotency_Key="one").headers.get("Idempotency-Replayed") is None


def test_many_at_once_under_one_key_are_one_query(house: House) -> None:
    press, answers = house.caller("press", Role.ANALYST), list[Any]()
    threads = [threading.Thread(target=lambda: answers.append(press.submit(Idempotency_Key="one"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert house.kinds().count("query.approved") == 1


def test_a_partner_that_asks_too_often_is_told_when_to_come_again(house: House) -> None:
    house.home.drawers.quotas.set(PRESS, Quota(per_minute=2), house.home.clock.now())
    press = house.caller("press", Role.ANALYST)
    press.submit(Idempotency_Key="one")
    assert press.post("/v1/collaborations/media/queries:check", {"sql": REFUSED}).status_code == 200
    for ask in (press.submit, lambda: press.post("/v1/collaborations/media/queries:check", {"sql": APPROVED})):
        refused = ask()
        assert (refused.status_code, refused.json["code"]) == (429, "quota.exceeded")
        assert (refused.mimetype, refused.json["limit"]) == ("application/problem+json", "per_minute")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert press.submit(Idempotency_Key="one").status_code == 202
    assert house.kinds().count("query.approved") == 1
    assert press.get("/v1/queries").status_code == 200


def test_a_partner_with_too_much_unfinished_waits_until_something_ends(house: House) -> None:
    house.home.drawers.quotas.set(PRESS, Quota(most_unfinished=1), house.home.clock.now())
    press = house.caller("press", Role.ANALYST)
    first = press.submit().json
    refused = press.submit()
    assert (refused.status_code, refused.json["limit"]) == (429, "most_unfinished")
    assert int(refused.headers["Retry-After"]) > 0
    assert press.submit(REFUSED).status_code == 422
    press.post(first["links"]["cancel"])
    assert press.submit().status_code == 202


def test_the_listing_can_be_of_one_state_and_one_collaboration(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    queued, refused = press.submit().json["id"], press.submit(REFUSED).json["id"]

    def listed(words: str) -> list[str]:
        return [query["id"] for query in press.get(f"/v1/queries?{words}").json["queries"]]

    assert listed("state=queued") == [queued]
    assert listed("state=rejected&collaboration=media") == [refused]
    assert listed("collaboration=media") == [refused, queued]
    assert listed("collaboration=other") == listed("state=expired") == []
    for words in ("state=asleep", "state=", "state=queued&state=rejected"):
        assert press.get(f"/v1/queries?{words}").status_code == 422


def test_two_who_cancel_at_once_both_succeed_and_one_is_logged(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    query = press.submit().json
    house.home.drawers.queue.lease("one", house.home.clock.now() + (later(60) - later(0)))
    statuses = list[int]()
    threads = [
        threading.Thread(target=lambda: statuses.append(press.post(query["links"]["cancel"]).status_code))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 4
    assert house.kinds().count("query.cancel_requested") == 1
    assert int(press.post(query["links"]["cancel"]).headers["Retry-After"]) > 0
