"""SUM over joined rows: accepted only where what the owners promise proves that no row is read twice, and then claimed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.broker import judge_query
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import JoinPartner, Policy
from cleanroom.domain.steps import Claim
from cleanroom.rules import approve
from tests.fixtures import Fixture, request

CUSTOMERS, IMPRESSIONS = DatasetName("retailer.customers"), DatasetName("publisher.impressions")
BOTH = "publisher.impressions i JOIN retailer.customers c ON i.email_sha256 = c.email_sha256"


def unique(policy: Policy, *sets: tuple[str, ...]) -> Policy:
    """The strict policy where customers promise exactly these unique sets."""
    dataset = replace(policy.datasets[CUSTOMERS], unique=sets)
    return replace(policy, datasets={**policy.datasets, CUSTOMERS: dataset})


def joined_on_device_too(policy: Policy) -> Policy:
    """The policy where impressions and customers may meet on e-mail and device = region together, or on e-mail alone."""
    rules = dict(policy.rules)
    for name, other, keys in (
        (CUSTOMERS, IMPRESSIONS, (("email_sha256", "email_sha256"), ("region", "device"))),
        (IMPRESSIONS, CUSTOMERS, (("email_sha256", "email_sha256"), ("device", "region"))),
    ):
        rule = rules[name]
        partners = (*rule.joins.partners, JoinPartner(other, keys))
        columns = {n: replace(c, join=c.join or n in ("region", "device")) for n, c in rule.columns.items()}
        rules[name] = replace(rule, joins=replace(rule.joins, partners=partners), columns=columns)
    return replace(policy, rules=rules)


def codes(sql: str, policy: Policy) -> set[str]:
    return {finding.code for finding in judge_query(request(sql), policy).findings}


@pytest.mark.parametrize("sets", [(), (("user_id",),), (("email_sha256", "region"),), (("region",),)])
def test_a_sum_is_refused_where_the_join_columns_are_not_promised_unique(
    sets: tuple[tuple[str, ...], ...], small_fixture: Fixture
) -> None:
    assert codes(f"SELECT SUM(i.cost_usd) FROM {BOTH}", unique(small_fixture.policy, *sets)) == {"join.repeats_rows"}


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT SUM(i.cost_usd) FROM (SELECT i.cost_usd FROM {BOTH}) i",
        f"WITH p AS (SELECT i.cost_usd AS v, c.region FROM {BOTH}) SELECT region, AVG(v) FROM p GROUP BY region",
        "SELECT SUM(i.cost_usd) FROM publisher.impressions i JOIN (SELECT email_sha256 AS e FROM retailer.customers) c"
        " ON i.email_sha256 = c.e",
    ],
)
def test_no_derived_table_hides_that_rows_are_repeated(sql: str, small_fixture: Fixture) -> None:
    assert codes(sql, unique(small_fixture.policy, ("user_id",))) == {"join.repeats_rows"}


def test_a_set_of_columns_is_used_whole(small_fixture: Fixture) -> None:
    policy = joined_on_device_too(unique(small_fixture.policy, ("email_sha256", "region")))
    assert codes(f"SELECT SUM(i.cost_usd) FROM {BOTH}", policy) == {"join.repeats_rows"}
    verdict = judge_query(request(f"SELECT SUM(i.cost_usd) FROM {BOTH} AND i.device = c.region"), policy)
    assert verdict.findings == ()
    assert Claim(CUSTOMERS, ("email_sha256", "region"), unique=True) in approve(verdict).claims


def test_the_claims_are_what_was_relied_on(small_fixture: Fixture) -> None:
    sql = f"SELECT SUM(i.cost_usd), COUNT(DISTINCT c.user_id) FROM {BOTH}"
    assert set(approve(judge_query(request(sql), small_fixture.policy)).claims) == {
        Claim(CUSTOMERS, ("email_sha256",), unique=True),
        Claim(IMPRESSIONS, ("cost_usd",), unique=False),
    }
