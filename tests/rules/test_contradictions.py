"""What contradicts itself is named, with whose it is to change; what fits, and what only just fits, is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.domain.grain import Grain
from cleanroom.domain.policy import Ability, ColumnRule, DatasetColumn, JoinRule, Member, Policy, SmallGroups, Use
from cleanroom.domain.types import VARCHAR
from cleanroom.rules.contradictions import contradictions
from tests.rules.agreements import (
    COUNTED,
    CUSTOMERS,
    DATASETS,
    MEMBERS,
    ORDERS,
    POLICY,
    PRESS,
    READER,
    RULES,
    SHOP,
    VIEWS,
    joins,
    pair,
    with_columns,
    with_members,
    with_rule,
    with_types,
    without,
)

TO_VIEWS, TO_ORDERS = pair(VIEWS, mail="mail"), pair(ORDERS, user_id="user_id")
TO_CUSTOMERS = pair(CUSTOMERS, mail="mail")
CUSTOMER_TYPES = {"user_id": "BIGINT", "mail": "VARCHAR", "region": "VARCHAR", "since": "DATE"}


def named(policy: Policy) -> set[tuple[str, str, str | None]]:
    """(code, its first dataset, who would change)."""
    return {(c.code, c.datasets[0], c.by) for c in contradictions(policy)}


def requiring(required: str, *partners: object) -> Policy:
    return with_rule(CUSTOMERS, joins=joins(*partners, required=required))  # type: ignore[arg-type]


def of_months(*functions: str) -> Policy:
    return with_rule(CUSTOMERS, functions=frozenset(functions))


def blanking(*values: str) -> Policy:
    policy = with_rule(CUSTOMERS, small_groups=SmallGroups.BLANK)
    region = DatasetColumn("region", VARCHAR, values=values or None)
    columns = tuple(region if c.name == "region" else c for c in DATASETS[CUSTOMERS].columns)
    return replace(policy, datasets={**DATASETS, CUSTOMERS: replace(DATASETS[CUSTOMERS], columns=columns)})


CONTRADICTORY = {
    "the other side lists no pair": (with_rule(VIEWS, joins=JoinRule()), "join.one_sided", CUSTOMERS, PRESS),
    "this side lists no pair": (with_rule(CUSTOMERS, joins=joins(TO_ORDERS)), "join.one_sided", VIEWS, SHOP),
    "the other side asks for more keys": (
        with_rule(VIEWS, joins=joins(pair(CUSTOMERS, mail="mail", campaign="region"))),
        "join.one_sided",
        CUSTOMERS,
        PRESS,
    ),
    "the other side lists other keys": (
        with_rule(VIEWS, joins=joins(pair(CUSTOMERS, user_id="user_id"))),
        "join.one_sided",
        CUSTOMERS,
        PRESS,
    ),
    "the other side blocks every join": (
        with_rule(VIEWS, joins=joins(required="blocked")),
        "join.blocked",
        CUSTOMERS,
        PRESS,
    ),
    "the other dataset has no rule": (without(VIEWS), "join.no_rule", CUSTOMERS, PRESS),
    "a key is blocked on the other side": (
        with_columns(VIEWS, mail=ColumnRule(aggregate=frozenset({"count"}))),
        "join.column_blocked",
        VIEWS,
        PRESS,
    ),
    "a key is blocked on this side": (
        with_columns(CUSTOMERS, mail=ColumnRule()),
        "join.column_blocked",
        CUSTOMERS,
        SHOP,
    ),
    "a key is no column any more": (
        with_types(VIEWS, ("user_id",), user_id="INTEGER", campaign="VARCHAR"),
        "join.column_undeclared",
        VIEWS,
        PRESS,
    ),
    "keys that are never equal": (
        with_types(CUSTOMERS, **{**CUSTOMER_TYPES, "mail": "DATE"}),
        "join.types_differ",
        CUSTOMERS,
        SHOP,
    ),
    "numbers of two sizes": (
        with_types(ORDERS, user_id="INTEGER", amount="DECIMAL(10,2)", at="TIMESTAMP"),
        "join.types_differ",
        ORDERS,
        SHOP,
    ),
    "no kind in common": (
        with_rule(VIEWS, joins=joins(TO_CUSTOMERS, kinds=("semi", "anti"))),
        "join.no_common_kind",
        CUSTOMERS,
        SHOP,
    ),
    "no runner in common": (
        replace(
            with_rule(VIEWS, query_runners=frozenset({SHOP})),
            collaboration=with_members(Member(SHOP, frozenset(Ability)), *MEMBERS[1:]).collaboration,
        ),
        "join.no_runner",
        CUSTOMERS,
        SHOP,
    ),
    "no receiver in common": (
        with_rule(VIEWS, result_receivers=frozenset({READER})),
        "join.no_receiver",
        CUSTOMERS,
        SHOP,
    ),
    "a join with another partner is required and only an own one agreed": (
        requiring("any", TO_ORDERS),
        "join.requirement_unmet",
        CUSTOMERS,
        SHOP,
    ),
    "one of all that are required is not agreed": (
        with_rule(VIEWS, requiring("all", TO_VIEWS, TO_ORDERS), joins=JoinRule()),
        "join.requirement_unmet",
        CUSTOMERS,
        SHOP,
    ),
    "all that are required have no receiver together": (
        with_rule(VIEWS, requiring("all", TO_VIEWS), result_receivers=frozenset({READER})),
        "join.requirement_unmet",
        CUSTOMERS,
        SHOP,
    ),
    "a required join of a kind that leaves no match": (
        with_rule(
            VIEWS,
            with_rule(CUSTOMERS, joins=joins(TO_VIEWS, required="any", kinds=("anti", "inner"))),
            joins=joins(TO_CUSTOMERS, kinds=("anti",)),
        ),
        "join.requirement_unmet",
        CUSTOMERS,
        SHOP,
    ),
    "a runner that left": (
        with_rule(ORDERS, query_runners=frozenset({PRESS, "gone"})),
        "runner.not_member",
        ORDERS,
        SHOP,
    ),
    "a runner without the ability": (
        with_rule(ORDERS, query_runners=frozenset({PRESS, READER})),
        "runner.not_able",
        ORDERS,
        SHOP,
    ),
    "a receiver that left": (
        with_rule(ORDERS, result_receivers=frozenset({PRESS, "gone"})),
        "receiver.not_member",
        ORDERS,
        SHOP,
    ),
    "a receiver without the ability": (
        with_rule(ORDERS, result_receivers=frozenset({PRESS, SHOP})),
        "receiver.not_able",
        ORDERS,
        SHOP,
    ),
    "nobody may ask": (with_rule(ORDERS, query_runners=frozenset({SHOP})), "runner.none", ORDERS, SHOP),
    "nobody may receive": (with_rule(ORDERS, result_receivers=frozenset()), "receiver.missing", ORDERS, SHOP),
    "who asks receives nothing": (
        with_rule(ORDERS, result_receivers=frozenset({READER})),
        "runner.receives_nothing",
        ORDERS,
        SHOP,
    ),
    "the owner contributes no more": (
        with_members(Member(SHOP, frozenset({Ability.QUERY})), *MEMBERS[1:]),
        "owner.not_contributing",
        ORDERS,
        None,
    ),
    "the owner is no member any more": (with_members(*MEMBERS[1:]), "owner.not_contributing", ORDERS, None),
    "a column that is not there": (with_columns(ORDERS, colour=COUNTED), "column.undeclared", ORDERS, SHOP),
    "months that nothing cuts to": (of_months("lower", "cast"), "column.needs_function", CUSTOMERS, SHOP),
    "blanked groups without a domain": (blanking(), "groups.no_domain", CUSTOMERS, SHOP),
}

FITTING = {
    "the pair is there on both sides": (POLICY, "join.one_sided"),
    "one of two entries holds for the other side": (
        with_rule(VIEWS, joins=joins(TO_CUSTOMERS, pair(CUSTOMERS, campaign="region"))),
        "join.blocked",
    ),
    "one kind in common": (
        with_rule(VIEWS, joins=joins(TO_CUSTOMERS, kinds=("inner", "anti"))),
        "join.no_common_kind",
    ),
    "an own dataset leads to another partner's": (
        with_rule(ORDERS, joins=joins(pair(CUSTOMERS, user_id="user_id"), required="any")),
        "join.requirement_unmet",
    ),
    "all that are required are agreed": (requiring("all", TO_VIEWS, TO_ORDERS), "join.requirement_unmet"),
    "a left join shows the right side matched": (
        with_rule(
            VIEWS,
            with_rule(CUSTOMERS, joins=joins(TO_VIEWS, required="any", kinds=("left",))),
            joins=joins(TO_CUSTOMERS, kinds=("left",)),
        ),
        "join.requirement_unmet",
    ),
    "a reader beside a runner that receives": (
        with_rule(ORDERS, result_receivers=frozenset({PRESS, READER})),
        "runner.receives_nothing",
    ),
    "months that EXTRACT reads": (of_months("extract"), "column.needs_function"),
    "days of a DATE": (
        with_rule(
            CUSTOMERS,
            functions=frozenset(),
            columns={**RULES[CUSTOMERS].columns, "since": ColumnRule(group=Use(Grain.DAY))},
        ),
        "column.needs_function",
    ),
    "days of a TIMESTAMP by a cast": (
        with_rule(ORDERS, functions=frozenset({"cast"}), columns={"at": ColumnRule(group=Use(Grain.DAY))}),
        "column.needs_function",
    ),
    "blanked groups with a domain": (blanking("north", "south"), "groups.no_domain"),
    "a receiver that nobody but it shares": (
        with_rule(VIEWS, result_receivers=frozenset({READER, PRESS})),
        "join.no_receiver",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTORY)
def test_a_contradiction_is_named_with_whose_it_is(name: str) -> None:
    policy, code, dataset, by = CONTRADICTORY[name]
    assert (code, dataset, by) in named(policy)
    for one in contradictions(policy):
        assert one.message.endswith(".")
        assert one.hint is None or one.hint.endswith(".")


@pytest.mark.parametrize("name", FITTING)
def test_what_fits_is_no_contradiction(name: str) -> None:
    policy, code = FITTING[name]
    assert code not in {c.code for c in contradictions(policy)}


def test_rules_that_fit_each_other_have_none() -> None:
    assert contradictions(POLICY) == ()


def test_every_code_is_tested() -> None:
    from tests.rules.test_readiness_page import codes_in

    assert {code for _, code, *_ in CONTRADICTORY.values()} == codes_in("contradictions.py")


def test_of_a_dataset_without_a_rule_nothing_more_is_said() -> None:
    found = [c for c in contradictions(without(VIEWS)) if VIEWS in c.datasets]
    assert [c.code for c in found] == ["join.no_rule"]


def test_only_what_stands_in_the_way_of_every_query_blocks() -> None:
    said = [(code, c) for policy, code, *_ in CONTRADICTORY.values() for c in contradictions(policy)]
    blocking = {code for code, c in said if c.code == code and c.blocks}
    assert blocking == {"runner.none", "receiver.missing", "owner.not_contributing", "join.requirement_unmet"}
