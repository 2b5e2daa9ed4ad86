"""Small collaborations by hand: two partners' tables in a line each, and rules that say a little each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    Ability,
    AnalysisRule,
    Collaboration,
    ColumnRule,
    JoinPartner,
    JoinRequirement,
    JoinRule,
    Member,
    Policy,
    SmallGroups,
    Use,
)
from tests.plans import dataset

SHOP, PRESS, READER = PartnerName("shop"), PartnerName("press"), PartnerName("reader")
CUSTOMERS, ORDERS, VIEWS = (DatasetName(n) for n in ("shop.customers", "shop.orders", "press.views"))
DATASETS = {
    CUSTOMERS: dataset(CUSTOMERS, {"user_id": "BIGINT", "mail": "VARCHAR", "region": "VARCHAR", "since": "DATE"}),
    ORDERS: dataset(ORDERS, {"user_id": "BIGINT", "amount": "DECIMAL(10,2)", "at": "TIMESTAMP"}),
    VIEWS: dataset(VIEWS, {"mail": "VARCHAR", "user_id": "INTEGER", "campaign": "VARCHAR"}, units=("mail",)),
}
MEMBERS = (
    Member(SHOP, frozenset({Ability.CONTRIBUTE})),
    Member(PRESS, frozenset(Ability)),
    Member(READER, frozenset({Ability.RECEIVE_RESULTS})),
)
COUNTED = ColumnRule(join=True, aggregate=frozenset({"count_distinct"}))


def pair(other: DatasetName, **keys: str) -> JoinPartner:
    return JoinPartner(other, tuple(keys.items()))


def joins(*partners: JoinPartner, required: str = "none", kinds: tuple[str, ...] = ("inner",)) -> JoinRule:
    return JoinRule(JoinRequirement(required), frozenset(kinds), partners)


def rule(name: DatasetName, columns: Mapping[str, ColumnRule], joined: JoinRule) -> AnalysisRule:
    return AnalysisRule(
        name,
        CollaborationName("media"),
        20,
        columns,
        joined,
        count_rows=True,
        query_runners=frozenset({PRESS}),
        result_receivers=frozenset({PRESS}),
    )


RULES = {
    CUSTOMERS: rule(
        CUSTOMERS,
        {
            "user_id": COUNTED,
            "mail": ColumnRule(join=True),
            "region": ColumnRule(group=Use(), filter=Use()),
            "since": ColumnRule(group=Use(Grain.MONTH), filter=Use(Grain.DAY)),
        },
        joins(pair(VIEWS, mail="mail"), pair(ORDERS, user_id="user_id")),
    ),
    ORDERS: rule(
        ORDERS,
        {"user_id": COUNTED, "amount": ColumnRule(aggregate=frozenset({"sum"}), minimum_units=90)},
        joins(pair(CUSTOMERS, user_id="user_id")),
    ),
    VIEWS: replace(
        rule(
            VIEWS,
            {"mail": COUNTED, "user_id": ColumnRule(join=True), "campaign": ColumnRule(group=Use())},
            joins(pair(CUSTOMERS, mail="mail")),
        ),
        minimum_units=50,
        small_groups=SmallGroups.POOL,
        functions=frozenset({"lower", "trim"}),
    ),
}
POLICY = Policy(Collaboration(CollaborationName("media"), "", MEMBERS), DATASETS, RULES)


def with_rule(name: DatasetName, policy: Policy = POLICY, **changes: object) -> Policy:
    """The policy with one rule changed."""
    changed = replace(policy.rules[name], **changes)  # type: ignore[arg-type]
    return replace(policy, rules={**policy.rules, name: changed})


def with_columns(name: DatasetName, **columns: ColumnRule) -> Policy:
    """The policy with columns of one rule changed."""
    return with_rule(name, columns={**RULES[name].columns, **columns})


def with_types(name: DatasetName, units: tuple[str, ...] = ("user_id",), **columns: str) -> Policy:
    """The policy with one dataset of other columns."""
    return replace(POLICY, datasets={**DATASETS, name: dataset(name, columns, units=units)})


def with_members(*members: Member) -> Policy:
    return replace(POLICY, collaboration=Collaboration(CollaborationName("media"), "", members))


def without(name: DatasetName) -> Policy:
    """The policy without that dataset's rule, and so without the dataset."""
    return replace(
        POLICY,
        datasets={n: d for n, d in DATASETS.items() if n != name},
        rules={n: r for n, r in RULES.items() if n != name},
    )
