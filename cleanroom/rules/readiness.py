"""A policy and what is known around it → for each dataset why it can or cannot be queried, every reason at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from cleanroom.domain.identifiers import DatasetName, PartnerName, TemplateName, owner_of
from cleanroom.domain.policy import Analyses, Policy
from cleanroom.rules.contradictions import Contradiction, contradictions
from cleanroom.rules.effective import effective, releasable


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a dataset cannot be queried, or (not `blocks`) only less of it than its rule says.

    `by`: the partner that can act; None: the operator, where `operator`, else the members by agreement. `others`: the
    datasets that it is also about.
    """

    code: str
    message: str
    by: PartnerName | None
    blocks: bool = True
    operator: bool = False
    hint: str | None = None
    others: tuple[DatasetName, ...] = ()


@dataclass(frozen=True, slots=True)
class Backing:
    """What is known of where a dataset's data is kept; None: not known here, and no reason is made of it.

    `connected`: its connection exists and is its owner's. `admitted`: the operator admitted it. `secret`: what the
    connection refers to is given.
    """

    connected: bool | None = None
    admitted: bool | None = None
    secret: bool | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether somebody can query the dataset. `askable`: who, as far as rules go; empty `reasons`: nothing is in the way."""

    dataset: DatasetName
    ready: bool
    askable: tuple[PartnerName, ...]
    reasons: tuple[Reason, ...]


UNKNOWN = Backing()
_OWNER = "owner.not_ready"


def readiness(
    policy: Policy,
    unruled: Iterable[DatasetName] = (),
    backings: Mapping[DatasetName, Backing] | None = None,
    reads: Mapping[TemplateName, tuple[DatasetName, ...]] | None = None,
) -> tuple[Readiness, ...]:
    """Of each dataset with a rule in the collaboration and of the `unruled` ones, by name: all reasons.

    `reads`: what each template reads (`sql.template_text.templates_read`).
    """
    asking = {dataset.name: dataset.askable for dataset in effective(policy).datasets}
    found = contradictions(policy)
    ruled = {
        name: (*_of_rule(policy, name, found, asking[name]), *_templates(policy, name, reads or {})) for name in asking
    }
    lacking = {name: tuple(_unruled(policy, name)) for name in unruled if name not in asking}
    return tuple(
        _readiness(name, asking.get(name, ()), (*reasons, *_behind(name, (backings or {}).get(name, UNKNOWN))))
        for name, reasons in sorted({**ruled, **lacking}.items())
    )


def seen_by(partner: PartnerName, found: Iterable[Readiness]) -> tuple[Readiness, ...]:
    """What a member may see of it: its own whole; of others those with a rule, and of their owner's side only whether it is
    ready. What it cannot ask itself tells it nothing of who can."""
    return tuple(
        one if owner_of(one.dataset) == partner else _from_outside(one, partner)
        for one in found
        if _shown(one, partner)
    )


def _shown(one: Readiness, partner: PartnerName) -> bool:
    return owner_of(one.dataset) == partner or all(reason.code != "rule.none" for reason in one.reasons)


def _from_outside(one: Readiness, partner: PartnerName) -> Readiness:
    """One reason stands for all that are the owner's own; pairs that the partner's own datasets are in are told."""
    owner = owner_of(one.dataset)
    told = [r for r in one.reasons if any(owner_of(other) == partner for other in r.others)]
    if any(reason.blocks and reason not in told for reason in one.reasons):
        told.append(Reason(_OWNER, f"The side of {one.dataset}'s owner is not ready.", owner))
    return replace(one, askable=tuple(p for p in one.askable if p == partner), reasons=tuple(told))


def _readiness(name: DatasetName, asking: tuple[PartnerName, ...], reasons: tuple[Reason, ...]) -> Readiness:
    if not asking and not any(reason.blocks for reason in reasons):
        message = f"No partner that may query {name} can meet what all the rules beside it require."
        reasons = (*reasons, Reason("rules.exclude_all", message, owner_of(name)))
    return Readiness(name, not any(reason.blocks for reason in reasons), asking, reasons)


def _of_rule(
    policy: Policy, name: DatasetName, found: Iterable[Contradiction], asking: tuple[PartnerName, ...]
) -> Iterator[Reason]:
    for one in found:
        if name in one.datasets:
            blocks = one.blocks and one.datasets[0] == name
            others = tuple(other for other in one.datasets if other != name)
            yield Reason(one.code, one.message, one.by, blocks, hint=one.hint, others=others)
    if asking and not _shows(policy, name):
        message = f"Nothing of {name} can come out: no row is counted, no column aggregated or grouped by."
        hint = "Write count_rows: true, or list aggregates under columns."
        yield Reason("rule.shows_nothing", message, owner_of(name), hint=hint)


def _templates(
    policy: Policy, name: DatasetName, reads: Mapping[TemplateName, tuple[DatasetName, ...]]
) -> Iterator[Reason]:
    """Where templates alone may read the dataset, one that does is approved by the owners of all that it reads."""
    texts = {n: t for n, t in policy.templates.items() if name in reads.get(n, ())}
    lacking = {n: [d for d in reads[n] if owner_of(d) not in t.approvals] for n, t in texts.items()}
    if policy.rules[name].analyses is not Analyses.TEMPLATES or [] in lacking.values():
        return
    owner = owner_of(name)
    others = sorted({d for n, t in texts.items() if owner in t.approvals for d in lacking[n]})
    if not others:
        message = f"{name} may be read by approved templates alone, and its owner has approved none that reads it."
        hint = "Its owner approves a template that reads it, or writes analyses: free."
        yield Reason("template.none", message, owner, hint=hint)
        return
    partners = sorted({owner_of(other) for other in others})
    message = (
        f"{name} may be read by approved templates alone, and none that reads it is approved by {', '.join(partners)}."
    )
    by = partners[0] if len(partners) == 1 else None
    hint = "Every owner of a dataset that a template reads approves it."
    yield Reason("template.waiting", message, by, hint=hint, others=tuple(others))


def _shows(policy: Policy, name: DatasetName) -> bool:
    """Whether anything of the dataset can come out, or of one that it is joined with."""
    beside = {name} | {
        other for join in effective(policy).joins if name in join.join.datasets for other in join.join.datasets
    }
    return any(releasable(policy.rules[other], policy.datasets[other]) for other in beside)


def _unruled(policy: Policy, name: DatasetName) -> Iterator[Reason]:
    owner = owner_of(name)
    message = f"{name} has no analysis rule in {policy.collaboration.name}."
    yield Reason("rule.none", message, owner, hint="Its owner writes one: nothing is allowed without.")


def _behind(name: DatasetName, backing: Backing) -> Iterator[Reason]:
    """What is the matter with where the data is kept: for the owner alone."""
    owner = owner_of(name)
    if backing.connected is False:
        yield Reason("connection.missing", f"The connection of {name} is not there.", owner)
    if backing.admitted is False:
        message = f"The operator has not admitted where {name} is kept."
        yield Reason("connection.not_admitted", message, None, operator=True)
    if backing.secret is False:
        message = f"The secret that the connection of {name} refers to is not given."
        yield Reason("secret.missing", message, owner)
