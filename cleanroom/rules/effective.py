"""A collaboration's policy → what holds of it once every owner's rule is counted in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cleanroom.domain.grain import Grain, at_least
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, owner_of
from cleanroom.domain.policy import (
    Ability,
    AggregateArguments,
    Analyses,
    AnalysisRule,
    Dataset,
    DatasetColumn,
    JoinRequirement,
    Policy,
    SmallGroups,
    Use,
)
from cleanroom.domain.types import Kind
from cleanroom.rules.agreed import MEETING, AgreedJoin, agreed_joins, common_receivers, common_runners, component

_STRICTEST = tuple(SmallGroups)
_CUTTING = frozenset({"date_trunc", "extract", "strftime", "date_diff"})


@dataclass(frozen=True, slots=True)
class EffectiveColumn:
    """What may be done with a column. `join`: in a join that both sides allow. `group`, `filter`: the finest grain, None: not.

    `minimum_units`: of its aggregates, where they need more units than the dataset's rows.
    """

    name: str
    join: bool
    group: Grain | None
    filter: Grain | None
    aggregate: tuple[str, ...]
    minimum_units: int | None


@dataclass(frozen=True, slots=True)
class EffectiveDataset:
    """What holds of one dataset. `askable`: the runners for whom some query of it may be approved, alone or joined.

    `alone`: whether it may be asked without another dataset. `expressions`: whether aggregates take conditions and arithmetic.
    `templates_only`: approved templates alone may read it; what is listed is then what they may do.
    """

    name: DatasetName
    runners: tuple[PartnerName, ...]
    receivers: tuple[PartnerName, ...]
    askable: tuple[PartnerName, ...]
    alone: bool
    required: JoinRequirement
    minimum_units: int
    small_groups: SmallGroups
    count_rows: bool
    expressions: bool
    templates_only: bool
    functions: tuple[str, ...]
    columns: tuple[EffectiveColumn, ...]


@dataclass(frozen=True, slots=True)
class EffectiveJoin:
    """What holds of two datasets joined. `sufficient`: it meets what both owners require, without a third dataset."""

    join: AgreedJoin
    runners: tuple[PartnerName, ...]
    receivers: tuple[PartnerName, ...]
    sufficient: bool
    minimum_units: int
    small_groups: SmallGroups
    count_rows: bool
    expressions: bool
    functions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds in a collaboration; of one runner where it is named: `datasets` and `joins` are then those that it may ask."""

    collaboration: CollaborationName
    runner: PartnerName | None
    datasets: tuple[EffectiveDataset, ...]
    joins: tuple[EffectiveJoin, ...]


def effective(policy: Policy, runner: PartnerName | None = None) -> Effective:
    """What really holds, by name: rule lists met with abilities, the strictest of thresholds, lists that intersect.

    A dataset's columns are those that it has; a join is there where both sides allow it and someone may ask and receive.
    """
    agreed = agreed_joins(policy)
    asking = askable(policy, agreed)
    datasets = tuple(_dataset(policy, name, agreed, asking[name]) for name in sorted(asking))
    joins = tuple(found for join in agreed if (found := _join(policy, join)).runners and found.receivers)
    if runner is not None:
        datasets = tuple(d for d in datasets if runner in d.runners)
        joins = tuple(j for j in joins if runner in j.runners)
    return Effective(policy.collaboration.name, runner, datasets, joins)


def askable(policy: Policy, agreed: Iterable[AgreedJoin]) -> Mapping[DatasetName, tuple[PartnerName, ...]]:
    """For each dataset with a rule the runners for whom not every query of it is refused whatever it says."""
    names = [name for name in policy.rules if name in policy.datasets]
    able = sorted(m.partner for m in policy.collaboration.members if Ability.QUERY in m.abilities)
    edges = [j for j in agreed if j.kinds & MEETING and common_receivers(policy, j.datasets)]
    open_to = {runner: _open(policy, runner, names, edges) for runner in able}
    return {name: tuple(runner for runner in able if name in open_to[runner]) for name in names}


def releasable(rule: AnalysisRule, dataset: Dataset) -> bool:
    """Whether the dataset has anything of its own that could come out: rows counted, an aggregate, a group."""
    columns = (rule.column(column.name) for column in dataset.columns)
    return rule.count_rows or any(c.aggregate or (c.group is not None and not c.join) for c in columns)


def cut_by(column: DatasetColumn, use: Use | None, functions: frozenset[str]) -> bool:
    """Whether a date can be brought to the grain of its use with these functions; true of what needs no cutting."""
    if use is None or not column.type.is_moment:
        return True
    read = Grain.DAY if column.type.kind is Kind.DATE else Grain.INSTANT
    if at_least(read, use.grain) or functions & _CUTTING:
        return True
    return "cast" in functions and at_least(Grain.DAY, use.grain)


def sufficient(policy: Policy, join: AgreedJoin) -> bool:
    """Whether the join alone meets what the owners of both datasets require."""
    return bool(join.kinds & {"inner", "semi"}) and all(
        _satisfied(policy.rules[mine], frozenset({theirs})) for mine, theirs in (join.datasets, join.datasets[::-1])
    )


def _open(
    policy: Policy, runner: PartnerName, names: Iterable[DatasetName], edges: Iterable[AgreedJoin]
) -> frozenset[DatasetName]:
    """The datasets whose requirements can all be met at once with those that this runner may ask."""
    found = {n for n in names if runner in policy.rules[n].query_runners and common_receivers(policy, [n])}
    while True:
        inside = [edge for edge in edges if found.issuperset(edge.datasets)]
        kept = {name for name in found if _meets(policy, name, component(name, inside))}
        if kept == found:
            return frozenset(found)
        found = kept


def _meets(policy: Policy, name: DatasetName, together: frozenset[DatasetName]) -> bool:
    rule = policy.rules[name]
    needed = {p.dataset for p in rule.joins.partners} if rule.joins.required is JoinRequirement.ALL else set()
    return needed <= together and bool(common_receivers(policy, {name, *needed})) and _satisfied(rule, together)


def _satisfied(rule: AnalysisRule, beside: frozenset[DatasetName]) -> bool:
    match rule.joins.required:
        case JoinRequirement.ANY:
            return any(owner_of(other) != owner_of(rule.dataset) for other in beside)
        case JoinRequirement.ALL:
            return {p.dataset for p in rule.joins.partners} <= beside
    return True


def _dataset(
    policy: Policy, name: DatasetName, agreed: Iterable[AgreedJoin], asking: tuple[PartnerName, ...]
) -> EffectiveDataset:
    rule, dataset = policy.rules[name], policy.datasets[name]
    joined = {
        column
        for join in agreed
        for pair in join.keys
        for owner, column in zip(join.datasets, pair, strict=True)
        if owner == name
    }
    return EffectiveDataset(
        name,
        tuple(sorted(common_runners(policy, [name]))),
        tuple(sorted(common_receivers(policy, [name]))),
        asking,
        rule.joins.required in (JoinRequirement.NONE, JoinRequirement.BLOCKED),
        rule.joins.required,
        rule.minimum_units,
        rule.small_groups,
        rule.count_rows,
        rule.aggregate_arguments is AggregateArguments.EXPRESSIONS,
        rule.analyses is Analyses.TEMPLATES,
        tuple(sorted(rule.functions)),
        tuple(_column(column, rule, join=column.name in joined) for column in dataset.columns),
    )


def _column(column: DatasetColumn, rule: AnalysisRule, *, join: bool) -> EffectiveColumn:
    own = rule.column(column.name)
    group = None if own.join or not cut_by(column, own.group, rule.functions) else own.group
    filtered = None if own.join else own.filter
    return EffectiveColumn(
        column.name,
        join,
        None if group is None else group.grain,
        None if filtered is None else filtered.grain,
        tuple(sorted(own.aggregate)),
        own.minimum_units,
    )


def _join(policy: Policy, join: AgreedJoin) -> EffectiveJoin:
    rules = [policy.rules[name] for name in join.datasets]
    return EffectiveJoin(
        join,
        tuple(sorted(common_runners(policy, join.datasets))),
        tuple(sorted(common_receivers(policy, join.datasets))),
        sufficient(policy, join),
        max(rule.minimum_units for rule in rules),
        min((rule.small_groups for rule in rules), key=_STRICTEST.index),
        all(rule.count_rows for rule in rules),
        all(rule.aggregate_arguments is AggregateArguments.EXPRESSIONS for rule in rules),
        tuple(sorted(frozenset.intersection(*(rule.functions for rule in rules)))),
    )
