"""A rule that is not in force, held against the queries over its owner's dataset."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from cleanroom.api.context import EXTENSION, Door
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, REFUSED, SETTINGS, Caller, House, connection, dataset, rule

WHAT_IF = "/v1/collaborations/media/rules/shop.customers:what-if"
NARROW = {**rule(), "columns": {"user_id": {"aggregate": ["count_distinct"]}}}
THEIRS = APPROVED.replace("shop.customers", "press.readers")


@pytest.fixture
def shop(house: House) -> Caller:
    """The owner, after one query that was approved, one that was not, and one over another partner's dataset."""
    house.write(connection("press", str(house.data.parent / "press")), dataset("press.readers"), rule("press.readers"))
    press = house.caller("press", Role.ANALYST)
    for sql in (APPROVED, REFUSED, THEIRS):
        press.submit(sql)
    return house.caller("shop", Role.DATA_OWNER)


def test_a_tighter_rule_names_what_it_would_refuse_and_nothing_changes(house: House, shop: Caller) -> None:
    events = house.kinds()
    told = shop.post(WHAT_IF, NARROW).json
    (refused,) = told["newly_refused"]
    assert (refused["sql"], refused["runner"], refused["codes"]) == (APPROVED, "press", ["column.blocked"])
    assert (told["asked"], told["replayed"], told["complete"], told["unchanged"]) == (2, 2, True, 1)
    assert house.kinds() == events
    assert house.caller("press", Role.ANALYST).submit().status_code == 202


def test_a_looser_rule_names_what_it_would_let_through(house: House, shop: Caller) -> None:
    by_notes = APPROVED.replace("region", "notes")
    house.caller("press", Role.ANALYST).submit(by_notes)
    wider = {**rule(), "columns": {**rule()["columns"], "notes": {"group": True}}}
    (accepted,) = shop.post(WHAT_IF, wider).json["newly_accepted"]
    assert (accepted["sql"], accepted["codes"]) == (by_notes, ["column.blocked"])


def test_queries_over_other_datasets_are_not_shown(shop: Caller) -> None:
    answer = shop.post(WHAT_IF, NARROW)
    assert "press.readers" not in answer.text
    assert answer.json["asked"] == 2


def test_only_as_many_as_asked_for_are_judged_the_newest_first(shop: Caller) -> None:
    assert shop.post(f"{WHAT_IF}?last=1", NARROW).json["newly_refused"] == []
    assert len(shop.post(f"{WHAT_IF}?last=2", NARROW).json["newly_refused"]) == 1


def test_a_rule_for_a_dataset_that_has_none_yet_is_judged_too(shop: Caller) -> None:
    assert shop.ask("DELETE", WHAT_IF.removesuffix(":what-if")).status_code == 204
    told = shop.post(WHAT_IF, rule()).json
    assert [one["sql"] for one in told["newly_accepted"]] == [APPROVED]


@pytest.mark.parametrize("last", ["0", "1001", "-1", "x", ""])
def test_how_far_back_is_bounded(shop: Caller, last: str) -> None:
    assert shop.post(f"{WHAT_IF}?last={last}", NARROW).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {**rule(), "unknown": 1},
        {**rule(), "query_runners": ["stranger"]},
        {**rule(), "dataset": "press.readers"},
    ],
)
def test_a_rule_that_could_not_be_written_is_refused_in_the_same_words(shop: Caller, body: Any) -> None:
    tried, put = shop.post(WHAT_IF, body), shop.put(WHAT_IF.removesuffix(":what-if"), body)
    assert tried.status_code == put.status_code == 422
    assert tried.json["problems"] == put.json["problems"]


def test_others_cannot_try_rules_on_a_dataset_that_is_not_theirs(house: House, shop: Caller) -> None:
    for partner in ("press", "reader", "stranger"):
        answer = house.caller(partner, Role.DATA_OWNER).post(WHAT_IF, NARROW)
        assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")


def test_where_time_runs_out_the_answer_says_so(house: House, shop: Caller) -> None:
    hurried = dataclasses.replace(SETTINGS, replay_limit_s=0.0)
    house.app.extensions[EXTENSION] = Door(house.home, hurried, threading.BoundedSemaphore(1))
    told = shop.post(WHAT_IF, NARROW).json
    assert (told["asked"], told["replayed"], told["complete"]) == (2, 0, False)
