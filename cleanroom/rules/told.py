"""What holds, what contradicts itself and what is ready → JSON, whole or as one member may see it. Never a row filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cleanroom.domain.identifiers import DatasetName, PartnerName, owner_of
from cleanroom.domain.policy import Policy
from cleanroom.rules.contradictions import Contradiction, contradictions
from cleanroom.rules.effective import Effective, EffectiveColumn, EffectiveDataset, EffectiveJoin, effective
from cleanroom.rules.readiness import Readiness, Reason


def effective_json(
    policy: Policy, runner: PartnerName | None = None, eyes: PartnerName | None = None
) -> dict[str, Any]:
    """The effective rule. `runner`: of that partner's queries alone. `eyes`: the member who looks; None: the operator.

    A member sees what it may do itself, and all of its own datasets. Of others' it does not learn who else may ask.
    """
    found = effective(policy, runner)
    return {
        "collaboration": found.collaboration,
        "datasets": [_dataset(d, eyes) for d in found.datasets],
        "joins": [_join(j, eyes) for j in found.joins if _concerns(j, eyes)],
        "contradictions": [_contradiction(c) for c in contradictions(policy) if _told(c, found, eyes)],
    }


def readiness_json(collaboration: str, found: Iterable[Readiness]) -> dict[str, Any]:
    """The readiness of datasets, as it was found for who looks (`readiness.seen_by`)."""
    return {"collaboration": collaboration, "datasets": [_readiness(one) for one in found]}


def _told(one: Contradiction, found: Effective, eyes: PartnerName | None) -> bool:
    """An owner of one of the datasets is told; the operator everything; who asks for one runner, what is of its datasets."""
    shown = found.runner is None or any(d.name in one.datasets for d in found.datasets)
    return shown and (eyes is None or any(owner_of(name) == eyes for name in one.datasets))


def _dataset(one: EffectiveDataset, eyes: PartnerName | None) -> dict[str, Any]:
    whole = eyes is None or owner_of(one.name) == eyes
    uses = whole or eyes in one.runners
    return {
        "name": one.name,
        "runners": _only(one.runners, whole, eyes),
        "receivers": _only(one.receivers, whole, eyes),
        "askable": _only(one.askable, whole, eyes),
        "alone": one.alone,
        "required": one.required.value,
        "minimum_units": one.minimum_units,
        "small_groups": one.small_groups.value,
        "count_rows": one.count_rows and uses,
        "expressions": one.expressions,
        "templates_only": one.templates_only,
        "functions": list(one.functions),
        "columns": _columns(one.columns if uses else ()),
    }


def _columns(columns: Iterable[EffectiveColumn]) -> dict[str, Any]:
    """Columns by use."""
    columns = tuple(columns)
    return {
        "join": [c.name for c in columns if c.join],
        "group": {c.name: c.group.value for c in columns if c.group},
        "filter": {c.name: c.filter.value for c in columns if c.filter},
        "aggregate": {c.name: list(c.aggregate) for c in columns if c.aggregate},
        "minimum_units": {c.name: c.minimum_units for c in columns if c.minimum_units is not None},
    }


def _join(one: EffectiveJoin, eyes: PartnerName | None) -> dict[str, Any]:
    whole = eyes is None or all(owner_of(name) == eyes for name in one.join.datasets)
    return {
        "datasets": list(one.join.datasets),
        "keys": [[left, right] for left, right in one.join.keys],
        "kinds": sorted(one.join.kinds),
        "runners": _only(one.runners, whole, eyes),
        "receivers": _only(one.receivers, whole, eyes),
        "sufficient": one.sufficient,
        "minimum_units": one.minimum_units,
        "small_groups": one.small_groups.value,
        "count_rows": one.count_rows,
        "expressions": one.expressions,
        "functions": list(one.functions),
    }


def _concerns(one: EffectiveJoin, eyes: PartnerName | None) -> bool:
    return eyes is None or eyes in one.runners or any(owner_of(name) == eyes for name in one.join.datasets)


def _only(partners: Iterable[PartnerName], whole: bool, eyes: PartnerName | None) -> list[PartnerName]:
    return [partner for partner in partners if whole or partner == eyes]


def _contradiction(one: Contradiction) -> dict[str, Any]:
    parts = {"column": one.column, "hint": one.hint}
    return {
        "code": one.code,
        "message": one.message,
        "datasets": list(one.datasets),
        "by": one.by,
        "blocks": one.blocks,
        **_present(parts),
    }


def _readiness(one: Readiness) -> dict[str, Any]:
    return {
        "dataset": one.dataset,
        "ready": one.ready,
        "askable": list(one.askable),
        "reasons": [_reason(reason, one.dataset) for reason in one.reasons],
    }


def _reason(one: Reason, dataset: DatasetName) -> dict[str, Any]:
    who = (
        "operator"
        if one.operator
        else "owner"
        if one.by == owner_of(dataset)
        else "members"
        if one.by is None
        else "partner"
    )
    return {
        "code": one.code,
        "message": one.message,
        "blocks": one.blocks,
        "who": who,
        **_present({"by": one.by, "hint": one.hint}),
    }


def _present(parts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parts.items() if value is not None}
