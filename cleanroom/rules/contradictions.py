"""A collaboration's policy → what in its owners' rules cannot hold together, each with whose it is to change. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.domain.identifiers import DatasetName, PartnerName, owner_of
from cleanroom.domain.policy import (
    Ability,
    AnalysisRule,
    Dataset,
    JoinPartner,
    JoinRequirement,
    Policy,
    SmallGroups,
)
from cleanroom.rules.agreed import (
    MEETING,
    agreed_joins,
    agreed_keys,
    common_kinds,
    common_receivers,
    common_runners,
    component,
    usable,
)
from cleanroom.rules.effective import cut_by


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What cannot hold together. `by`: whose rule or agreement would change; None: that of all members.

    `blocks`: no query of `datasets[0]` is approved as long as it stands; otherwise only a part of what is written is void.
    """

    code: str
    message: str
    datasets: tuple[DatasetName, ...]
    by: PartnerName | None
    column: str | None = None
    hint: str | None = None
    blocks: bool = False


def contradictions(policy: Policy) -> tuple[Contradiction, ...]:
    """Every contradiction in the collaboration, by dataset, each once."""
    found = [
        one
        for name in sorted(policy.rules)
        if (dataset := policy.datasets.get(name)) is not None
        for part in (_partners(policy, name), _columns(policy.rules[name], dataset), _joins(policy, name))
        for one in part
    ]
    return tuple(dict.fromkeys(found))


def _partners(policy: Policy, name: DatasetName) -> Iterator[Contradiction]:
    """Who is named to ask and receive and cannot, and whether anybody is left."""
    rule, owner = policy.rules[name], owner_of(name)
    if not policy.collaboration.can(owner, Ability.CONTRIBUTE):
        message = f"{owner} does not contribute to this collaboration, and {name} has a rule in it."
        hint = "The members grant the ability to contribute, or the rule is removed."
        yield Contradiction("owner.not_contributing", message, (name,), None, hint=hint, blocks=True)
    for kind, partners, ability in (
        ("runner", rule.query_runners, Ability.QUERY),
        ("receiver", rule.result_receivers, Ability.RECEIVE_RESULTS),
    ):
        for partner in sorted(partners):
            yield from _unable(policy, name, kind, partner, ability)
    runners, receivers = common_runners(policy, [name]), common_receivers(policy, [name])
    if not runners:
        hint = "Name a member with the ability to query in query_runners."
        yield Contradiction("runner.none", f"Nobody may query {name}.", (name,), owner, hint=hint, blocks=True)
    if not receivers:
        hint = "Name a member with the ability to receive results in result_receivers."
        message = f"Nobody may receive a result of {name}."
        yield Contradiction("receiver.missing", message, (name,), owner, hint=hint, blocks=True)
    for runner in sorted(runners - receivers) if receivers else ():
        message = f"{runner} may query {name} and receives no result of it; others do."
        hint = "Add it to result_receivers, if that is not what was meant."
        yield Contradiction("runner.receives_nothing", message, (name,), owner, hint=hint)


def _unable(
    policy: Policy, name: DatasetName, kind: str, partner: PartnerName, ability: Ability
) -> Iterator[Contradiction]:
    if not policy.collaboration.has(partner):
        message = f"{partner} is named as a {kind} of {name} and is no member."
        hint = f"Take {partner} out of the rule."
        yield Contradiction(f"{kind}.not_member", message, (name,), owner_of(name), hint=hint)
    elif not policy.collaboration.can(partner, ability):
        message = f"{partner} is named as a {kind} of {name} without the ability {ability.value}."
        hint = f"Take {partner} out of the rule, or the members grant it {ability.value}."
        yield Contradiction(f"{kind}.not_able", message, (name,), owner_of(name), hint=hint)


def _columns(rule: AnalysisRule, dataset: Dataset) -> Iterator[Contradiction]:
    """Columns that the rule allows and nobody can use so."""
    name, owner = dataset.name, dataset.partner
    for column in rule.columns:
        declared = dataset.column(column)
        if declared is None:
            message = f"The rule allows uses of {column}, which {name} does not have."
            yield Contradiction("column.undeclared", message, (name,), owner, column, "Take it out of the rule.")
        elif not cut_by(declared, rule.column(column).group, rule.functions):
            use = rule.column(column).group
            grain = use.grain.value if use else ""
            message = f"{column} of {name} may be grouped by the {grain}, and no function that cuts dates is allowed."
            hint = "Add date_trunc to functions."
            yield Contradiction("column.needs_function", message, (name,), owner, column, hint)
    domains = [c for c in dataset.columns if c.values and rule.column(c.name).group]
    if rule.small_groups is SmallGroups.BLANK and not domains:
        message = f"Small groups of {name} are blanked, and no column that may be grouped by declares its values."
        hint = "Declare the values of a groupable column, or write small_groups: drop."
        yield Contradiction("groups.no_domain", message, (name,), owner, hint=hint)


def _joins(policy: Policy, name: DatasetName) -> Iterator[Contradiction]:
    """Pairs that this side lists and that are never joined, and requirements that cannot be met."""
    rule = policy.rules[name]
    for partner in rule.joins.partners if rule.joins.required is not JoinRequirement.BLOCKED else ():
        other = partner.dataset
        theirs = policy.rules.get(other)
        if theirs is None or other not in policy.datasets:
            message = f"{name} may be joined with {other}, which has no rule in this collaboration."
            yield Contradiction("join.no_rule", message, (name, other), owner_of(other), hint="Its owner writes one.")
        elif theirs.joins.required is JoinRequirement.BLOCKED:
            message = f"{name} may be joined with {other}, whose owner blocks every join."
            yield Contradiction("join.blocked", message, (name, other), owner_of(other))
        else:
            yield from _one_sided(policy, name, partner)
            yield from _keys(policy, name, partner)
            yield from _together(policy, name, other)
    yield from _required(policy, rule)


def _one_sided(policy: Policy, name: DatasetName, partner: JoinPartner) -> Iterator[Contradiction]:
    """No set of pairs that both sides allow holds the whole entry."""
    other, entry = partner.dataset, frozenset(partner.keys)
    if not any(entry <= keys for keys in agreed_keys(policy, name, other)):
        on = " and ".join(f"{mine} = {theirs}" for mine, theirs in partner.keys)
        turned = ", ".join(f"{theirs}: {mine}" for mine, theirs in partner.keys)
        yield Contradiction(
            "join.one_sided",
            f"The join of {name} with {other} on {on} is allowed by one side only.",
            (name, other),
            owner_of(other),
            partner.keys[0][0] if len(partner.keys) == 1 else None,
            f"{other} would list {{dataset: {name}, keys: {{{turned}}}}}.",
        )


def _keys(policy: Policy, name: DatasetName, partner: JoinPartner) -> Iterator[Contradiction]:
    """Key columns that are not there, are blocked for joins or never equal."""
    other = partner.dataset
    for pair in partner.keys:
        if usable(policy, name, other, pair):
            continue
        sides = tuple(zip((name, other), pair, strict=True))
        found = [policy.datasets[dataset].column(column) for dataset, column in sides]
        for (dataset, column), declared in zip(sides, found, strict=True):
            both = (name, other) if dataset == name else (other, name)
            if declared is None:
                message = f"{column} is the key of a join and {dataset} does not have it."
                yield Contradiction("join.column_undeclared", message, both, owner_of(dataset), column)
            elif not policy.rules[dataset].column(column).join:
                message = f"{column} of {dataset} is required in a join and blocked for joins."
                hint = f"Write {column}: {{join: true}} under columns."
                yield Contradiction("join.column_blocked", message, both, owner_of(dataset), column, hint)
        one, two = found
        if one is not None and two is not None and one.type != two.type:
            message = (
                f"{pair[0]} of {name} is a {one.type} and {pair[1]} of {other} a {two.type}: they are never joined."
            )
            hint = "Columns that are joined are of one type."
            yield Contradiction("join.types_differ", message, (name, other), owner_of(name), pair[0], hint)


def _together(policy: Policy, name: DatasetName, other: DatasetName) -> Iterator[Contradiction]:
    """A pair that both list and that has no kind of join, no runner or no receiver in common."""
    if not agreed_keys(policy, name, other):
        return
    both = (name, other)
    if not common_kinds(policy, name, other):
        message = f"{name} and {other} allow no kind of join in common."
        yield Contradiction("join.no_common_kind", message, both, owner_of(name), hint="Both list one under kinds.")
    for code, who, common, single in (
        ("join.no_runner", "may query", common_runners, "query_runners"),
        ("join.no_receiver", "may receive a result of", common_receivers, "result_receivers"),
    ):
        if common(policy, [name]) and common(policy, [other]) and not common(policy, both):
            message = f"Nobody {who} both {name} and {other}: every query that joins them is refused."
            hint = f"Both rules name one partner in {single}."
            yield Contradiction(code, message, both, owner_of(name), hint=hint)


def _required(policy: Policy, rule: AnalysisRule) -> Iterator[Contradiction]:
    """A join that is required and that no agreed pairs lead to, directly or through others."""
    name = rule.dataset
    edges = [join for join in agreed_joins(policy) if join.kinds & MEETING]
    reached = component(name, edges) - {name}
    match rule.joins.required:
        case JoinRequirement.ANY if all(owner_of(other) == owner_of(name) for other in reached):
            message = f"{name} must be joined with a dataset of another partner, and no pair with one is agreed."
        case JoinRequirement.ALL if missing := {p.dataset for p in rule.joins.partners} - reached - {name}:
            message = f"{name} must be joined with {', '.join(sorted(missing))}, and no such pair is agreed."
        case JoinRequirement.ALL if not common_receivers(policy, _all_of(policy, rule)):
            message = f"{name} must be joined with datasets whose results nobody may receive together."
        case _:
            return
    hint = "Both sides list the pair, or the rule writes required: none."
    yield Contradiction("join.requirement_unmet", message, (name,), owner_of(name), hint=hint, blocks=True)


def _all_of(policy: Policy, rule: AnalysisRule) -> set[DatasetName]:
    return {rule.dataset} | {p.dataset for p in rule.joins.partners if p.dataset in policy.rules}
