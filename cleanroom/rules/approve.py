"""An approved verdict → executable steps: each release a private step, then the analyst's own last step."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from cleanroom.domain.expression import AggregateCall, Call, Expression, Field
from cleanroom.domain.finding import Verdict
from cleanroom.domain.functions import AGGREGATES
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
    Sort,
    Window,
    releases,
)
from cleanroom.domain.policy import Policy
from cleanroom.domain.steps import Claim, ConditionalCell, ExecutablePlan, FinalStep, PrivateStep
from cleanroom.domain.types import BOOLEAN
from cleanroom.rules.dependencies import dependencies, equal_units
from cleanroom.rules.uses import source_column


def approve(verdict: Verdict) -> ExecutablePlan:
    """What may run. Raises ValueError where the verdict holds a finding: a refused query has no executable form."""
    if not verdict.approved or verdict.plan is None or not verdict.receivers:
        raise ValueError("only an approved verdict can be executed")
    minimum = max(verdict.policy.rules[name].minimum_units for name in verdict.datasets)
    found = releases(verdict.plan.root)
    steps = tuple(_private(f"r{i}", release, verdict.policy, minimum) for i, release in enumerate(found))
    tables = {id(step.aggregate): step.table for step in steps}
    final = FinalStep(_cut(verdict.plan.root, tables), _names(verdict.plan.root.fields))
    claims = {claim for release in found for claim in _claims(release, verdict.policy)}
    ordered = tuple(sorted(claims, key=lambda c: (c.dataset, c.columns, c.unique)))
    return ExecutablePlan(steps, final, ordered, verdict.receivers, minimum)


def _private(table: str, release: Aggregate, policy: Policy, minimum: int) -> PrivateStep:
    conditions: list[Expression] = []
    cells: list[ConditionalCell] = []
    for measure in release.measures:
        condition = _condition(measure)
        if condition is not None:
            if condition not in conditions:
                conditions.append(condition)
            cells.append(ConditionalCell(measure, conditions.index(condition)))
    distinct = tuple(cell.measure for cell in cells if _call(cell.measure).function == "count_distinct")
    units = equal_units(release, dependencies(release, policy.datasets))
    return PrivateStep(table, release, units, tuple(conditions), tuple(cells), distinct, minimum)


def _call(measure: Field) -> AggregateCall:
    assert isinstance(measure.origin, AggregateCall)
    return measure.origin


def _condition(measure: Field) -> Expression | None:
    """What makes the cell stand for some of its row's people: its own condition, and that its argument is not NULL."""
    call = _call(measure)
    if call.argument is None or not _may_be_null(call.argument):
        return call.condition
    present = Call("not", (Call("is_null", (call.argument,), BOOLEAN),), BOOLEAN)
    return present if call.condition is None else Call("and", (call.condition, present), BOOLEAN)


def _may_be_null(argument: Expression) -> bool:
    found = source_column(argument)
    return found is None or found[1].nullable


def _claims(release: Aggregate, policy: Policy) -> set[Claim]:
    """The owners' promises that the typing of this release relied on."""
    known = dependencies(release, policy.datasets)
    claims: set[Claim] = set()
    for measure in release.measures:
        argument = _call(measure).argument
        found = None if argument is None else source_column(argument)
        if found is None:
            continue
        column, field = found
        scan = next(s for s in known.scans if s.source == column.source)
        if not field.nullable and field not in scan.units:
            claims.add(Claim(column.dataset, (column.column,), unique=False))
        if AGGREGATES[_call(measure).function].sensitive and len(known.scans) > 1:
            claims |= known.row_of(scan)[1]
    return claims


def _cut(relation: Relation, tables: dict[int, str]) -> Relation:
    """The relation with each release replaced by a reading of the table that it becomes."""
    if id(relation) in tables:
        return ReleasedScan(tables[id(relation)], relation.fields)
    match relation:
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit():
            return replace(relation, input=_cut(relation.input, tables))
        case Join(left=left, right=right):
            return replace(relation, left=_cut(left, tables), right=_cut(right, tables))
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
