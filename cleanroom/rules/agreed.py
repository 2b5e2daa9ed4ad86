"""Owners' lists of pairs → the joins that both sides allow, and who may ask and receive over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

from cleanroom.domain.identifiers import DatasetName, PartnerName
from cleanroom.domain.policy import Ability, AnalysisRule, JoinRequirement, Policy

Keys = frozenset[tuple[str, str]]
MEETING = frozenset({"inner", "semi", "left"})
"""Kinds of join in which the rows of one side at least are there only beside a match."""


@dataclass(frozen=True, slots=True)
class AgreedJoin:
    """Two datasets that both owners let be joined on all of `keys` (left's column, right's column), in any of `kinds`."""

    left: DatasetName
    right: DatasetName
    keys: tuple[tuple[str, str], ...]
    kinds: frozenset[str]

    @property
    def datasets(self) -> tuple[DatasetName, DatasetName]:
        return self.left, self.right


def agreed_joins(policy: Policy) -> tuple[AgreedJoin, ...]:
    """Every join of two datasets that both owners' rules allow: pair, kind, join columns, types. By name."""
    names = sorted(name for name in policy.rules if name in policy.datasets)
    return tuple(
        AgreedJoin(left, right, tuple(sorted(keys)), kinds)
        for left, right in combinations_with_replacement(names, 2)
        if (kinds := common_kinds(policy, left, right))
        for keys in sorted(agreed_keys(policy, left, right), key=sorted)
        if all(usable(policy, left, right, pair) for pair in keys)
    )


def agreed_keys(policy: Policy, left: DatasetName, right: DatasetName) -> frozenset[Keys]:
    """The smallest sets of pairs (left's column, right's) that both owners list: each used whole by one entry of either."""
    mine, theirs = listed(policy.rules.get(left), right), _turned(listed(policy.rules.get(right), left))
    known = _all(mine) & _all(theirs)
    found = {one | other for one in mine for other in theirs if one | other <= known}
    return frozenset(keys for keys in found if not any(less < keys for less in found))


def listed(rule: AnalysisRule | None, other: DatasetName) -> frozenset[Keys]:
    """The entries of the rule that name the other dataset; none where it is never joined."""
    if rule is None or rule.joins.required is JoinRequirement.BLOCKED:
        return frozenset()
    return frozenset(frozenset(partner.keys) for partner in rule.joins.partners if partner.dataset == other)


def usable(policy: Policy, left: DatasetName, right: DatasetName, pair: tuple[str, str]) -> bool:
    """Whether both columns are there, of one type, and join columns of their rules."""
    columns = [policy.datasets[name].column(column) for name, column in zip((left, right), pair, strict=True)]
    joining = all(policy.rules[name].column(column).join for name, column in zip((left, right), pair, strict=True))
    one, other = columns
    return joining and one is not None and other is not None and one.type == other.type


def common_kinds(policy: Policy, left: DatasetName, right: DatasetName) -> frozenset[str]:
    """The kinds of join that both rules list."""
    return policy.rules[left].joins.kinds & policy.rules[right].joins.kinds


def common_runners(policy: Policy, names: Iterable[DatasetName]) -> frozenset[PartnerName]:
    """The partners that every one of these datasets' rules and the collaboration let query."""
    return _named((policy.rules[name].query_runners for name in names), policy, Ability.QUERY)


def common_receivers(policy: Policy, names: Iterable[DatasetName]) -> frozenset[PartnerName]:
    """The partners that every one of these datasets' rules and the collaboration let receive."""
    return _named((policy.rules[name].result_receivers for name in names), policy, Ability.RECEIVE_RESULTS)


def component(start: DatasetName, edges: Iterable[AgreedJoin]) -> frozenset[DatasetName]:
    """The dataset and all that are joined with it over these joins, directly or through others."""
    edges = tuple(edges)
    reached, waiting = {start}, [start]
    while waiting:
        found = set(_beside(waiting.pop(), edges)) - reached
        reached |= found
        waiting += found
    return frozenset(reached)


def _beside(name: DatasetName, edges: Iterable[AgreedJoin]) -> Iterator[DatasetName]:
    for edge in edges:
        if name in edge.datasets:
            yield edge.right if name == edge.left else edge.left


def _named(lists: Iterable[frozenset[PartnerName]], policy: Policy, ability: Ability) -> frozenset[PartnerName]:
    able = frozenset(m.partner for m in policy.collaboration.members if ability in m.abilities)
    return able.intersection(*lists)


def _turned(entries: Iterable[Keys]) -> frozenset[Keys]:
    return frozenset(frozenset((b, a) for a, b in keys) for keys in entries)


def _all(entries: Iterable[Keys]) -> Keys:
    return frozenset(pair for keys in entries for pair in keys)
