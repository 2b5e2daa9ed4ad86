"""What holds once every owner's rule is counted in, and that the actual rules judge just so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.broker import judge_query
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    Ability,
    AnalysisRule,
    Collaboration,
    ColumnRule,
    JoinRequirement,
    JoinRule,
    Member,
    Policy,
    SmallGroups,
    Use,
)
from cleanroom.rules.contradictions import contradictions
from cleanroom.rules.effective import EffectiveDataset, EffectiveJoin, effective
from tests.fixtures import request
from tests.rules.agreements import (
    CUSTOMERS,
    DATASETS,
    MEMBERS,
    ORDERS,
    POLICY,
    PRESS,
    READER,
    SHOP,
    VIEWS,
    joins,
    pair,
    with_columns,
    with_members,
    with_rule,
    with_types,
)


def dataset(policy: Policy, name: DatasetName) -> EffectiveDataset:
    return next(d for d in effective(policy).datasets if d.name == name)


def join(policy: Policy, *names: DatasetName) -> EffectiveJoin | None:
    return next((j for j in effective(policy).joins if set(j.join.datasets) == set(names)), None)


def test_runners_and_receivers_are_those_named_that_are_able() -> None:
    policy = with_rule(
        CUSTOMERS, query_runners=frozenset({PRESS, SHOP, READER}), result_receivers=frozenset({READER, SHOP})
    )
    found = dataset(policy, CUSTOMERS)
    assert found.runners == (PRESS,)
    assert found.receivers == (READER,)


def test_in_a_join_the_strictest_holds() -> None:
    found = join(POLICY, CUSTOMERS, VIEWS)
    assert found is not None
    assert (found.minimum_units, found.small_groups) == (50, SmallGroups.DROP)
    assert found.functions == ("lower",)
    assert found.join.keys == (("mail", "mail"),)
    assert found.count_rows
    assert found.sufficient


def test_count_rows_of_a_join_needs_both_owners() -> None:
    found = join(with_rule(VIEWS, count_rows=False), CUSTOMERS, VIEWS)
    assert found is not None
    assert not found.count_rows


def test_columns_are_listed_by_what_can_be_done_with_them() -> None:
    columns = {c.name: c for c in dataset(POLICY, CUSTOMERS).columns}
    assert columns["user_id"].join
    assert columns["user_id"].aggregate == ("count_distinct",)
    assert columns["region"].group is Grain.INSTANT
    assert (columns["since"].group, columns["since"].filter) == (Grain.MONTH, Grain.DAY)
    assert {c.name: c for c in dataset(POLICY, ORDERS).columns}["amount"].minimum_units == 90
    at = {c.name: c for c in dataset(POLICY, ORDERS).columns}["at"]
    assert (at.join, at.group, at.filter, at.aggregate) == (False, None, None, ())


def test_a_join_column_without_an_agreed_pair_joins_nothing() -> None:
    assert not {c.name: c for c in dataset(POLICY, VIEWS).columns}["user_id"].join


def test_several_entries_may_add_up_to_one_agreed_set_of_keys() -> None:
    both = joins(pair(VIEWS, mail="mail"), pair(VIEWS, region="campaign"))
    policy = with_columns(CUSTOMERS, region=ColumnRule(join=True))
    policy = with_rule(CUSTOMERS, policy, joins=both)
    views = {**policy.rules[VIEWS].columns, "campaign": ColumnRule(join=True)}
    policy = with_rule(VIEWS, policy, columns=views, joins=joins(pair(CUSTOMERS, mail="mail", campaign="region")))
    found = join(policy, CUSTOMERS, VIEWS)
    assert found is not None
    assert found.join.keys == (("mail", "mail"), ("campaign", "region"))[::-1]
    assert not [
        c for c in contradictions(policy) if c.code == "join.one_sided" and set(c.datasets) == {CUSTOMERS, VIEWS}
    ]


@pytest.mark.parametrize(
    "policy",
    [
        with_rule(VIEWS, joins=JoinRule()),
        with_rule(VIEWS, joins=joins(required="blocked")),
        with_rule(VIEWS, joins=joins(pair(CUSTOMERS, mail="mail"), kinds=("left",))),
        with_columns(CUSTOMERS, mail=ColumnRule()),
        with_columns(VIEWS, mail=ColumnRule(aggregate=frozenset({"count_distinct"}))),
        with_types(CUSTOMERS, user_id="BIGINT", mail="BIGINT"),
        with_types(CUSTOMERS, user_id="BIGINT"),
        with_rule(VIEWS, query_runners=frozenset({SHOP})),
        with_rule(VIEWS, result_receivers=frozenset({READER})),
        with_rule(VIEWS, joins=joins(pair(CUSTOMERS, mail="mail", campaign="region"))),
    ],
    ids=[
        "one side",
        "blocked",
        "no common kind",
        "column blocked here",
        "column blocked there",
        "types",
        "no such column",
        "no common runner",
        "no common receiver",
        "more keys than the other side lists",
    ],
)
def test_a_join_that_one_side_does_not_let_happen_is_none(policy: Policy) -> None:
    assert join(policy, CUSTOMERS, VIEWS) is None
    sql = "SELECT COUNT(DISTINCT a.user_id) AS n FROM shop.customers a JOIN press.views b ON a.mail = b.mail"
    assert approved(sql, POLICY, PRESS)
    assert not approved(sql, policy, PRESS)


def test_a_runner_sees_what_it_may_ask() -> None:
    policy = with_rule(ORDERS, query_runners=frozenset({SHOP}))
    assert [d.name for d in effective(policy, PRESS).datasets] == [VIEWS, CUSTOMERS]
    assert [j.join.datasets for j in effective(policy, PRESS).joins] == [(VIEWS, CUSTOMERS)]
    assert effective(policy, READER).datasets == ()


REQUIRED = with_rule(CUSTOMERS, joins=joins(pair(VIEWS, mail="mail"), pair(ORDERS, user_id="user_id"), required="any"))


@pytest.mark.parametrize(
    ("policy", "name", "asked"),
    [
        (POLICY, CUSTOMERS, True),
        (with_members(*MEMBERS[:1], MEMBERS[2]), CUSTOMERS, False),
        (with_rule(CUSTOMERS, result_receivers=frozenset({SHOP})), CUSTOMERS, False),
        (REQUIRED, CUSTOMERS, True),
        (with_rule(VIEWS, REQUIRED, query_runners=frozenset()), CUSTOMERS, False),
        (with_rule(VIEWS, REQUIRED, joins=JoinRule()), CUSTOMERS, False),
        (with_rule(VIEWS, REQUIRED, result_receivers=frozenset({READER})), CUSTOMERS, False),
        (with_rule(ORDERS, REQUIRED, joins=joins(pair(CUSTOMERS, user_id="user_id"), required="any")), ORDERS, True),
        (with_rule(ORDERS, columns={}, count_rows=False, joins=JoinRule()), ORDERS, True),  # SELECT 1 … GROUP BY 1
        (with_rule(ORDERS, columns={"user_id": ColumnRule(join=True)}, count_rows=False), ORDERS, True),
    ],
)
def test_a_dataset_is_askable_where_all_requirements_can_be_met_at_once(
    policy: Policy, name: DatasetName, asked: bool
) -> None:
    assert bool(dataset(policy, name).askable) is asked


# Random policies, and what the actual rules say of simple queries under them.

PARTNERS = (SHOP, PRESS)
COLUMNS = {name: [c.name for c in d.columns] for name, d in DATASETS.items()}
KEYS = [
    (a, b, x, y)
    for i, a in enumerate(DATASETS)
    for b in list(DATASETS)[i + 1 :]
    for x in COLUMNS[a]
    for y in COLUMNS[b]
    if x == y
]


@st.composite
def column_rules(draw: st.DrawFn, numeric: bool) -> ColumnRule:
    join = draw(st.booleans())
    aggregates = ["count", "count_distinct", *(["sum"] if numeric else [])]
    aggregate = frozenset(draw(st.sets(st.sampled_from(aggregates), max_size=1)))
    use = None if join else draw(st.sampled_from([None, Use()]))
    return ColumnRule(join=join, group=use, filter=use, aggregate=aggregate)


@st.composite
def analysis_rules(draw: st.DrawFn, name: DatasetName) -> AnalysisRule:
    columns = {c.name: draw(column_rules(c.type.is_number)) for c in DATASETS[name].columns if draw(st.integers(0, 3))}
    mine = [(b, x, y) if a == name else (a, y, x) for a, b, x, y in KEYS if name in (a, b)]
    partners = [pair(other, **{x: y}) for other, x, y in mine if draw(st.integers(0, 2))]
    kinds = draw(st.sampled_from([("inner",), ("inner", "semi"), ("left",), ("semi",), ("anti",), ("inner", "left")]))
    required = draw(st.sampled_from(["none", "none", "any", "all", "blocked"]))
    named = st.frozensets(st.sampled_from(PARTNERS), min_size=draw(st.integers(0, 1)))
    return AnalysisRule(
        name,
        CollaborationName("media"),
        draw(st.sampled_from([2, 50])),
        columns,
        JoinRule(JoinRequirement(required), frozenset(kinds), tuple(partners)),
        count_rows=draw(st.booleans()),
        query_runners=draw(named),
        result_receivers=draw(named),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    abilities = [frozenset(Ability), frozenset(Ability), frozenset({Ability.QUERY}), frozenset({Ability.CONTRIBUTE})]
    members = tuple(Member(PartnerName(p), draw(st.sampled_from(abilities))) for p in PARTNERS)
    rules = {name: draw(analysis_rules(name)) for name in DATASETS if draw(st.integers(0, 5))}
    agreement = Collaboration(CollaborationName("media"), "", members)
    return Policy(agreement, {n: DATASETS[n] for n in rules}, rules)


def outputs(name: DatasetName, alias: str) -> Iterator[str]:
    for column in DATASETS[name].columns:
        yield f"COUNT(DISTINCT {alias}.{column.name}) AS n"
        yield f"COUNT({alias}.{column.name}) AS n"
        if column.type.is_number:
            yield f"SUM({alias}.{column.name}) AS n"


def alone(name: DatasetName) -> Iterator[str]:
    yield f"SELECT COUNT(*) AS n FROM {name} a"
    yield f"SELECT 1 AS n FROM {name} a GROUP BY 1"
    yield from (f"SELECT {output} FROM {name} a" for output in outputs(name, "a"))
    yield from (f"SELECT a.{c} FROM {name} a GROUP BY a.{c}" for c in COLUMNS[name])


def together(policy: Policy, name: DatasetName) -> Iterator[str]:
    for a, b, x, y in KEYS:
        if name in (a, b) and {a, b} <= set(policy.rules):
            for kind in ("JOIN", "LEFT JOIN", "SEMI JOIN"):
                for left, right, mine, theirs in ((a, b, x, y), (b, a, y, x)):
                    link = f"FROM {left} a {kind} {right} b ON a.{mine} = b.{theirs}"
                    yield f"SELECT COUNT(*) AS n {link}"
                    yield f"SELECT 1 AS n {link} GROUP BY 1"


def approved(sql: str, policy: Policy, runner: PartnerName) -> bool:
    return judge_query(request(sql, "media", runner), policy).approved


@settings(max_examples=40, deadline=None, derandomize=True)
@given(policies())
def test_what_can_be_joined_is_approved(policy: Policy) -> None:
    for found in effective(policy).joins:
        if not found.sufficient:
            continue
        a, b = found.join.datasets
        on = " AND ".join(f"a.{x} = b.{y}" for x, y in found.join.keys)
        link = (
            f"FROM {a} a JOIN {b} b ON {on}" if "inner" in found.join.kinds else f"FROM {a} a SEMI JOIN {b} b ON {on}"
        )
        rule = policy.rules[a]
        counted = [f"COUNT(DISTINCT a.{c}) AS n" for c in rule.columns if "count_distinct" in rule.column(c).aggregate]
        for output in [*counted, *(["COUNT(*) AS n"] if found.count_rows else [])]:
            for runner in found.runners:
                assert approved(f"SELECT {output} {link}", policy, runner), (output, link)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(policies())
def test_of_what_cannot_be_asked_nothing_is_approved(policy: Policy) -> None:
    for found in effective(policy).datasets:
        for runner in PARTNERS:
            if runner not in found.askable:
                for sql in (*alone(found.name), *together(policy, found.name)):
                    assert not approved(sql, policy, runner), sql
