"""What a change of rules would have meant for queries that were asked."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cleanroom.documents import from_document
from cleanroom.domain.identifiers import PartnerName, QueryId
from cleanroom.domain.policy import AnalysisRule, Collaboration, Dataset, Policy
from cleanroom.domain.query import QueryState
from cleanroom.replay import Replay, refusing_codes, replay
from tests.api.conftest import APPROVED, COLLABORATION, REFUSED, dataset, rule
from tests.store.world import ANALYST, query

PRESS = dataclasses.replace(ANALYST, partner=PartnerName("press"))
NARROW = {"columns": {"user_id": {"aggregate": ["count_distinct"]}}}
WIDE = {"columns": {**rule()["columns"], "notes": {"group": True}}}


def policy(**changes: Any) -> Policy:
    """What holds in the collaboration where the rule is changed so."""
    values = [from_document(document) for document in (COLLABORATION, dataset(), {**rule(), **changes})]
    agreement, about, allowed = values
    assert isinstance(agreement, Collaboration)
    assert isinstance(about, Dataset)
    assert isinstance(allowed, AnalysisRule)
    return Policy(agreement, {about.name: about}, {about.name: allowed})


def asked(name: str, sql: str, **about: Any) -> Any:
    return query(name, sql=sql, collaboration=policy().collaboration.name, principal=PRESS, **about)


BY_NOTES = "SELECT notes, COUNT(DISTINCT user_id) AS n FROM shop.customers GROUP BY notes"
QUERIES = (asked("fine", APPROVED), asked("rows", REFUSED), asked("notes", BY_NOTES))


def told(found: Replay) -> tuple[list[tuple[str, tuple[str, ...]]], list[tuple[str, tuple[str, ...]]], int]:
    refused = [(one.query.id, one.codes) for one in found.newly_refused]
    accepted = [(one.query.id, one.codes) for one in found.newly_accepted]
    return [(str(i), c) for i, c in refused], [(str(i), c) for i, c in accepted], found.unchanged


def test_a_rule_that_tightens_refuses_with_its_codes() -> None:
    found = replay(QUERIES, policy(), policy(**NARROW), lambda: True)
    assert told(found) == ([("fine", ("column.blocked",))], [], 2)


def test_a_rule_that_loosens_accepts_what_was_refused_and_says_why_it_was() -> None:
    found = replay(QUERIES, policy(), policy(**WIDE), lambda: True)
    assert told(found) == ([], [("notes", ("column.blocked",))], 2)


def test_the_same_rules_change_nothing() -> None:
    assert told(replay(QUERIES, policy(), policy(), lambda: True)) == ([], [], 3)


def test_tightening_and_loosening_are_each_others_mirror() -> None:
    there, back = (
        replay(QUERIES, *rules, lambda: True)
        for rules in ((policy(**WIDE), policy(**NARROW)), (policy(**NARROW), policy(**WIDE)))
    )
    assert [one.query for one in there.newly_refused] == [one.query for one in back.newly_accepted]
    assert (there.newly_accepted, back.newly_refused) == ((), ())


@pytest.mark.parametrize("state", list(QueryState))
def test_what_became_of_a_query_does_not_matter(state: QueryState) -> None:
    found = replay([asked("x", APPROVED, state=state)], policy(), policy(**NARROW), lambda: True)
    assert len(found.newly_refused) == 1


def test_a_runner_that_is_no_member_any_more_is_refused_before_and_after() -> None:
    gone = dataclasses.replace(PRESS, partner=PartnerName("gone"))
    record = dataclasses.replace(asked("x", APPROVED), principal=gone)
    assert refusing_codes(record, policy()) == ("name.unknown",)
    assert replay([record], policy(), policy(**WIDE), lambda: True).unchanged == 1


@pytest.mark.parametrize("sql", ["", "(" * 3000, "SELECT '", "DROP TABLE x", "\x00"])
def test_text_that_is_no_query_is_refused_both_times(sql: str) -> None:
    assert replay([asked("x", sql)], policy(), policy(**WIDE), lambda: True).unchanged == 1


def test_where_time_runs_out_the_rest_is_left_and_said_to_be() -> None:
    turns = iter([True, True, False])
    found = replay(QUERIES, policy(), policy(), lambda: next(turns))
    assert (found.replayed, found.complete) == (2, False)
    assert not replay(QUERIES, policy(), policy(), lambda: False).complete


def test_no_query_at_all_is_complete() -> None:
    assert replay([], policy(), policy(), lambda: False) == Replay()


def test_a_query_is_judged_as_of_when_it_was_asked() -> None:
    assert asked("x", APPROVED).request().submitted_at == asked("x", APPROVED).submitted_at
    assert QueryId("x") == asked("x", APPROVED).request().id
