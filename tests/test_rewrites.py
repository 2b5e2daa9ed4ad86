"""Rewrites: every one that is shown is accepted, few are tried, and none tells more than the asker may know."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.broker import Broker, explain, judge_query
from cleanroom.domain.events import EventKind
from cleanroom.domain.finding import Finding, Verdict
from cleanroom.domain.policy import Policy
from cleanroom.sql.rewrite import MOST_BYTES, MOST_CANDIDATES, MOST_FINDINGS, with_rewrites
from cleanroom.store.memory import MemoryPolicyBook, MemoryQueryLog
from tests.fixtures import Fixture, cases, request
from tests.store.world import Clock

CASES: list[dict[str, Any]] = list(
    YAML(typ="safe", pure=True).load((Path(__file__).parent / "rewrites.yaml").read_text())
)
REFUSED = [case["sql"] for case in cases("attacks.yaml") if case.get("expect") == "reject"]
FOUR = (
    "SELECT region, notes, MAX(lifetime_value) AS top, COUNT(*) FROM retailer.customers WHERE user_id = 7 GROUP BY 1, 2"
)


def explained(sql: str, policy: Policy, partner: str = "publisher") -> Verdict:
    asked = request(sql, partner=partner)
    return explain(judge_query(asked, policy), asked, policy)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_refusal_shows_what_would_be_accepted(case: dict[str, Any], small_fixture: Fixture) -> None:
    verdict = explained(case["sql"], small_fixture.policy)
    assert not verdict.approved
    assert {finding.rewrite for finding in verdict.findings} == {case["rewrite"]}
    assert case.get("says", "") in " ".join(finding.hint or "" for finding in verdict.findings)
    assert case["rewrite"] is None or small_fixture.judge(case["rewrite"]).approved


@pytest.mark.parametrize("sql", REFUSED)
def test_nothing_that_is_refused_is_shown(sql: str, small_fixture: Fixture) -> None:
    verdict = explained(sql, small_fixture.policy)
    assert not verdict.approved
    for text in {finding.rewrite for finding in verdict.findings} - {None}:
        assert text is not None
        assert small_fixture.judge(text).approved


@pytest.mark.parametrize("sql", REFUSED)
def test_at_most_six_texts_are_judged_and_none_twice(sql: str, small_fixture: Fixture) -> None:
    tried: list[str] = []

    def refuse(text: str) -> Verdict:
        tried.append(text)
        return dataclasses.replace(small_fixture.judge(sql), findings=small_fixture.judge(text).findings or (NO,))

    found = small_fixture.judge(sql).findings
    assert with_rewrites(sql, "duckdb", found, small_fixture.policy, refuse) == found
    assert len(tried) <= MOST_CANDIDATES
    assert len({*tried, sql}) == len(tried) + 1


NO = Finding("sql.unsupported", "No.")


def test_an_accepted_query_is_judged_once_and_nothing_else(small_fixture: Fixture) -> None:
    asked = request("SELECT region, COUNT(*) FROM retailer.customers GROUP BY region")
    verdict = judge_query(asked, small_fixture.policy)
    assert explain(verdict, asked, small_fixture.policy) is verdict


def test_a_long_query_is_not_rewritten(small_fixture: Fixture) -> None:
    short = explained(FOUR, small_fixture.policy).findings
    long = explained(FOUR + " -- " + "x" * MOST_BYTES, small_fixture.policy).findings
    assert all(finding.rewrite for finding in short)
    assert long
    assert not any(finding.rewrite for finding in long)


def test_a_query_with_too_many_findings_is_not_rewritten(small_fixture: Fixture) -> None:
    def asked(count: int) -> tuple[Finding, ...]:
        those = " AND ".join(f"user_id <> {number}" for number in range(count))
        return explained(f"SELECT COUNT(*) FROM retailer.customers WHERE {those}", small_fixture.policy).findings

    assert len(asked(MOST_FINDINGS)) == MOST_FINDINGS
    assert {finding.rewrite for finding in asked(MOST_FINDINGS)} == {"SELECT COUNT(*) FROM retailer.customers"}
    assert {finding.rewrite for finding in asked(MOST_FINDINGS + 1)} == {None}


@pytest.mark.parametrize(
    ("dialect", "sql", "rewrite"),
    [
        (
            "bigquery",
            "SELECT TIMESTAMP_TRUNC(ts, HOUR) AS h, COUNT(*) FROM publisher.impressions GROUP BY h",
            "SELECT TIMESTAMP_TRUNC(ts, DAY) AS h, COUNT(*) FROM publisher.impressions GROUP BY h",
        ),
        (
            "mysql",
            "SELECT `region`, `notes`, COUNT(*) FROM retailer.customers GROUP BY 1, 2",
            "SELECT `region`, COUNT(*) FROM retailer.customers GROUP BY `region`",
        ),
    ],
)
def test_a_rewrite_speaks_the_dialect_of_the_question(
    dialect: str, sql: str, rewrite: str, small_fixture: Fixture
) -> None:
    asked = request(sql, dialect=dialect)
    found = explain(judge_query(asked, small_fixture.policy), asked, small_fixture.policy).findings
    assert {finding.rewrite for finding in found} == {rewrite}
    assert judge_query(request(rewrite, dialect=dialect), small_fixture.policy).approved


def test_a_partner_who_may_not_ask_is_shown_no_query(small_fixture: Fixture) -> None:
    found = explained("SELECT region, notes FROM retailer.customers", small_fixture.policy, "retailer").findings
    assert "runner.not_allowed" in {finding.code for finding in found}
    assert not any(finding.rewrite for finding in found)


def test_no_rewrite_names_a_dataset_without_a_rule_for_the_asker(small_fixture: Fixture) -> None:
    policy = small_fixture.policy
    rules = {name: rule for name, rule in policy.rules.items() if name != "retailer.orders"}
    found = explained("SELECT COUNT(*) FROM retailer.order", dataclasses.replace(policy, rules=rules)).findings
    assert {finding.rewrite for finding in found} == {None}
    assert explained("SELECT COUNT(*) FROM retailer.order", policy).findings[0].rewrite is not None


def test_an_owners_row_filter_leaves_no_word_in_a_rewrite(small_fixture: Fixture) -> None:
    policy = small_fixture.policy
    rules = {
        name: dataclasses.replace(rule, row_filter="region <> 'zzz'") if name == "retailer.customers" else rule
        for name, rule in policy.rules.items()
    }
    with_filter, without = (explained(FOUR, p).findings for p in (dataclasses.replace(policy, rules=rules), policy))
    assert with_filter == without


def test_a_text_of_several_lines_is_answered_in_several_lines(small_fixture: Fixture) -> None:
    found = explained(
        "SELECT region, notes, COUNT(*)\nFROM retailer.customers\nGROUP BY 1, 2", small_fixture.policy
    ).findings
    assert (found[0].rewrite or "").splitlines()[0] == "SELECT"
    assert len((found[0].rewrite or "").splitlines()) > 3


def test_a_rewrite_is_stored_with_the_query_and_left_out_of_the_log(small_fixture: Fixture) -> None:
    log = MemoryQueryLog()
    broker = Broker(MemoryPolicyBook([small_fixture.policy]), log, Clock())
    record = broker.submit(request(FOUR))
    assert {finding.rewrite for finding in record.findings} == {
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY region"
    }
    event = log.events[-1].event
    assert event.kind is EventKind.QUERY_REJECTED
    assert {name for finding in event.data["findings"] for name in finding} == {"code", "message", "dataset", "column"}  # type: ignore[union-attr]
    assert record.notices == ()


def test_check_shows_the_same_as_the_refusal(small_fixture: Fixture) -> None:
    broker = Broker(MemoryPolicyBook([small_fixture.policy]), MemoryQueryLog(), Clock())
    assert broker.check(request(FOUR)).findings == broker.submit(request(FOUR)).findings
