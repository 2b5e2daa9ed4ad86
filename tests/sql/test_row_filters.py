"""Row filters by runner: each runner's rows pass its own condition, and without knowing the runner nothing is read."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest

from cleanroom.documents import read_folder
from cleanroom.domain.expression import Expression
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.plan import scans
from cleanroom.domain.policy import Policy
from cleanroom.sql import Resolved, parse, resolve
from tests.fixtures import CORPUS

CUSTOMERS = DatasetName("retailer.customers")
PUBLISHER, RETAILER = PartnerName("publisher"), PartnerName("retailer")


@pytest.fixture(scope="module")
def strict() -> Policy:
    policy = read_folder(CORPUS / "policies" / "strict").policy(CollaborationName("strict"))
    assert policy is not None
    return policy


def with_filters(policy: Policy, default: str | None, filters: dict[PartnerName, str]) -> Policy:
    rule = replace(policy.rules[CUSTOMERS], row_filter=default, row_filters=filters)
    return replace(policy, rules={**policy.rules, CUSTOMERS: rule})


def resolved(policy: Policy) -> Resolved:
    parsed = parse("SELECT COUNT(*) FROM retailer.customers", "duckdb")
    assert not isinstance(parsed, Finding)
    return resolve(parsed, policy, datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))


def applied(policy: Policy) -> Expression | None:
    """The condition that stands at the scan."""
    found = resolved(policy)
    assert found.plan is not None
    assert not found.findings
    (scan,) = scans(found.plan.root)
    return scan.row_filter


def test_a_runner_with_a_condition_of_its_own_is_held_to_it(strict: Policy) -> None:
    policy = with_filters(strict, "region = 'south'", {PUBLISHER: "region = 'north'"})
    alone = with_filters(strict, "region = 'north'", {})
    assert applied(policy.for_runner(PUBLISHER)) == applied(alone)


def test_every_other_runner_is_held_to_the_default(strict: Policy) -> None:
    policy = with_filters(strict, "region = 'south'", {PUBLISHER: "region = 'north'"})
    alone = with_filters(strict, "region = 'south'", {})
    assert applied(policy.for_runner(RETAILER)) == applied(alone)


def test_a_runner_that_the_owner_forgot_sees_no_row(strict: Policy) -> None:
    policy = with_filters(strict, None, {PUBLISHER: "region = 'north'"})
    assert applied(policy.for_runner(RETAILER)) == applied(with_filters(strict, "FALSE", {}))


def test_a_rule_without_conditions_stays_without(strict: Policy) -> None:
    assert applied(with_filters(strict, None, {}).for_runner(RETAILER)) is None


@pytest.mark.parametrize("default", [None, "region = 'south'"])
def test_conditions_by_runner_are_not_applied_before_the_runner_is_known(default: str | None, strict: Policy) -> None:
    found = resolved(with_filters(strict, default, {PUBLISHER: "region = 'north'"}))
    assert [(f.code, f.dataset) for f in found.findings] == [("rule.row_filter", CUSTOMERS)]


def test_a_condition_that_does_not_read_refuses_that_runner_alone(strict: Policy) -> None:
    policy = with_filters(strict, "region = 'south'", {PUBLISHER: "nosuch = 'north'"})
    assert [f.code for f in resolved(policy.for_runner(PUBLISHER)).findings] == ["rule.row_filter"]
    assert not resolved(policy.for_runner(RETAILER)).findings
