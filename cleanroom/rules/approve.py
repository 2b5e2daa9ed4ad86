"""An approved verdict → executable steps: each release a private step, then the analyst's own last step."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from cleanroom.domain.expression import Field
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import fold
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    Limit,
    OneRow,
    Project,
    Relation,
    ReleasedScan,
    Scan,
    SetOperation,
    Sort,
    Window,
    releases,
)
from cleanroom.domain.steps import ExecutablePlan, FinalStep
from cleanroom.rules.claims import claims_of
from cleanroom.rules.populations import families
from cleanroom.rules.steps import private_step


def approve(verdict: Verdict) -> ExecutablePlan:
    """What may run. Raises ValueError where the verdict holds a finding: a refused query has no executable form."""
    if not verdict.approved or verdict.plan is None or not verdict.receivers:
        raise ValueError("only an approved verdict can be executed")
    policy, plan = verdict.policy, verdict.plan
    minimum = max(policy.rules[name].minimum_units for name in verdict.datasets)
    found = releases(plan.root)
    tables = {id(release): f"r{number}" for number, release in enumerate(found)}
    family = {id(release): members for members in families(plan) for release in members}
    steps = tuple(private_step(tables[id(release)], release, family[id(release)], policy, minimum) for release in found)
    final = FinalStep(_cut(plan.root, tables), _names(plan.root.fields))
    claims = {claim for release in found for claim in claims_of(release, policy.datasets)}
    ordered = tuple(sorted(claims, key=lambda c: (c.dataset, c.columns, c.unique)))
    return ExecutablePlan(steps, final, ordered, verdict.receivers, minimum)


def _cut(relation: Relation, tables: dict[int, str]) -> Relation:
    """The relation with each release replaced by a reading of the table that it becomes."""
    if id(relation) in tables:
        return ReleasedScan(tables[id(relation)], relation.fields)
    match relation:
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit():
            return replace(relation, input=_cut(relation.input, tables))
        case Join(left=left, right=right):
            return replace(relation, left=_cut(left, tables), right=_cut(right, tables))
        case SetOperation(inputs=inputs):
            return replace(relation, inputs=tuple(_cut(below, tables) for below in inputs))
        case ReleasedScan() | OneRow():
            return relation
        case Scan():
            raise ValueError("rows of people outside a release")
        case _ as never:
            assert_never(never)


def _names(fields: tuple[Field, ...]) -> tuple[str, ...]:
    """The output columns' names, a number added where one was taken (case does not tell names apart)."""
    taken: dict[str, int] = {}
    names = []
    for field in fields:
        name, count = field.name, 0
        while fold(name) in taken:
            count += 1
            name = f"{field.name}_{count}"
        taken[fold(name)] = 1
        names.append(name)
    return tuple(names)
