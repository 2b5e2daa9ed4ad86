"""Why a dataset can or cannot be queried: every reason at once, and of others' datasets no more than is theirs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, settings

from cleanroom.domain.identifiers import DatasetName, PartnerName, TemplateName
from cleanroom.domain.policy import Analyses, ColumnRule, JoinRule, Policy, Template
from cleanroom.rules.readiness import Backing, Readiness, readiness, seen_by
from tests.rules.agreements import (
    CUSTOMERS,
    ORDERS,
    POLICY,
    PRESS,
    READER,
    SHOP,
    VIEWS,
    joins,
    pair,
    with_rule,
    without,
)
from tests.rules.test_effective import policies

WELL = Backing(connected=True, admitted=True, secret=True)


def of(found: tuple[Readiness, ...], name: DatasetName) -> Readiness:
    return next(one for one in found if one.dataset == name)


def codes(policy: Policy, name: DatasetName, backings: Mapping[DatasetName, Backing] | None = None) -> list[str]:
    return [r.code for r in of(readiness(policy, (name,), backings), name).reasons]


def test_where_nothing_is_in_the_way_a_dataset_is_ready_and_says_for_whom() -> None:
    for one in readiness(POLICY, backings=dict.fromkeys((CUSTOMERS, ORDERS, VIEWS), WELL)):
        assert one.ready
        assert one.askable == (PRESS,)
        assert one.reasons == ()


def test_a_dataset_without_a_rule_is_not_ready() -> None:
    assert codes(without(ORDERS), ORDERS) == ["rule.none"]


def test_every_reason_comes_at_once() -> None:
    policy = with_rule(
        ORDERS,
        query_runners=frozenset({SHOP}),
        result_receivers=frozenset({PartnerName("gone")}),
        joins=joins(pair(VIEWS, user_id="user_id"), required="all"),
    )
    backing = Backing(connected=True, admitted=False, secret=False)
    assert set(codes(policy, ORDERS, {ORDERS: backing})) == {
        "runner.not_able",
        "runner.none",
        "receiver.not_member",
        "receiver.missing",
        "join.one_sided",
        "join.types_differ",
        "join.requirement_unmet",
        "connection.not_admitted",
        "secret.missing",
    }


def test_a_connection_that_is_gone_is_one_reason() -> None:
    assert codes(POLICY, ORDERS, {ORDERS: Backing(connected=False)}) == ["connection.missing"]


def test_what_is_not_known_is_no_reason() -> None:
    assert codes(POLICY, ORDERS, {ORDERS: Backing()}) == []
    assert codes(POLICY, ORDERS, {ORDERS: Backing(connected=True, admitted=True, secret=None)}) == []


def test_a_dataset_for_templates_alone_waits_for_one_that_reads_it_and_all_its_owners_approved() -> None:
    policy = with_rule(ORDERS, analyses=Analyses.TEMPLATES)
    text = Template(TemplateName("totals"), policy.collaboration.name, PRESS, "SELECT COUNT(*) FROM shop.orders")

    def told(approvals: set[PartnerName], *read: DatasetName) -> list[tuple[str, PartnerName | None]]:
        given = replace(policy, templates={text.name: replace(text, approvals=frozenset(approvals))})
        return [(r.code, r.by) for r in of(readiness(given, reads={text.name: read}), ORDERS).reasons]

    assert codes(policy, ORDERS) == ["template.none"]
    assert told(set(), ORDERS) == [("template.none", SHOP)]
    assert told({SHOP}, ORDERS) == []
    assert told({SHOP}) == [("template.none", SHOP)]  # it does not read
    assert told({SHOP}, CUSTOMERS) == [("template.none", SHOP)]
    assert told({SHOP}, ORDERS, VIEWS) == [("template.waiting", PRESS)]
    assert told({PRESS}, ORDERS, VIEWS) == [("template.none", SHOP)]
    assert told({SHOP, PRESS}, ORDERS, VIEWS) == []
    assert codes(with_rule(ORDERS, analyses=Analyses.FREE), ORDERS) == []


def test_a_dataset_of_which_nothing_comes_out_is_not_ready_unless_another_shows_through_it() -> None:
    only_keys = {"user_id": ColumnRule(join=True)}
    beside = with_rule(ORDERS, columns=only_keys, count_rows=False)
    alone = with_rule(ORDERS, columns={}, count_rows=False, joins=JoinRule())
    assert codes(beside, ORDERS) == []
    assert "rule.shows_nothing" in codes(alone, ORDERS)
    assert "rule.shows_nothing" not in codes(with_rule(ORDERS, columns={}, joins=JoinRule()), ORDERS)


def test_a_requirement_that_is_met_only_for_somebody_else_leaves_nobody() -> None:
    policy = with_rule(CUSTOMERS, joins=joins(pair(VIEWS, mail="mail"), required="any"))
    policy = with_rule(VIEWS, policy, query_runners=frozenset())
    found = of(readiness(policy), CUSTOMERS)
    assert not found.ready
    assert "rules.exclude_all" in {r.code for r in found.reasons}


def test_a_void_part_of_a_rule_is_told_and_blocks_nothing() -> None:
    found = of(readiness(with_rule(ORDERS, result_receivers=frozenset({PRESS, PartnerName("gone")}))), ORDERS)
    assert found.ready
    assert [(r.code, r.blocks) for r in found.reasons] == [("receiver.not_member", False)]


def test_an_owner_sees_all_of_its_own_and_others_see_that_its_side_is_not_ready() -> None:
    found = readiness(POLICY, backings={ORDERS: Backing(connected=True, admitted=False)})
    assert [r.code for r in of(seen_by(SHOP, found), ORDERS).reasons] == ["connection.not_admitted"]
    for partner in (PRESS, READER):
        shown = of(seen_by(partner, found), ORDERS)
        assert [r.code for r in shown.reasons] == ["owner.not_ready"]
        assert "admit" not in shown.reasons[0].message
        assert not shown.ready


def test_nobody_else_sees_a_dataset_without_a_rule() -> None:
    found = readiness(without(ORDERS), (ORDERS,))
    assert ORDERS in {one.dataset for one in seen_by(SHOP, found)}
    for partner in (PRESS, READER, PartnerName("stranger")):
        assert ORDERS not in {one.dataset for one in seen_by(partner, found)}


def test_the_other_side_of_a_pair_is_told_what_is_missing_of_it() -> None:
    found = readiness(with_rule(VIEWS, joins=JoinRule()))
    assert [r.code for r in of(seen_by(PRESS, found), CUSTOMERS).reasons] == ["join.one_sided"]
    assert of(seen_by(READER, found), CUSTOMERS).reasons == ()


def test_others_are_not_told_who_else_may_ask() -> None:
    assert all(one.askable == () for one in seen_by(READER, readiness(POLICY)))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(policies())
def test_ready_is_what_no_reason_blocks_and_somebody_may_ask(policy: Policy) -> None:
    for one in readiness(policy):
        assert one.ready == (not any(reason.blocks for reason in one.reasons))
        assert not one.ready or one.askable
