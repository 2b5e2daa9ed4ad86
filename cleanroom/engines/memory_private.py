"""Private step and tables → its rows with the hidden counts, each by the definition in `PrivateStep`, with sets of units."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from cleanroom.domain.expression import Value
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import (
    PrivateStep,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_counts,
    distinct_minimum_name,
    pooled_name,
    remainder_name,
    removed_name,
    shared_minimum_name,
    unit_count_name,
    withheld_beside_name,
)
from cleanroom.engines.memory_counts import classes, distinct_units, least, least_present, partitioned
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_grains import Shown, shown_finer, withheld_beside
from cleanroom.engines.memory_groups import Group, groups, removed
from cleanroom.engines.memory_relations import NamedRow, Tables, aggregated_row, rows_of

Counts: TypeAlias = Iterator[tuple[str, int | None]]


def private_rows(step: PrivateStep, tables: Tables) -> list[NamedRow]:
    """One row a group: keys, measures and hidden counts, by their names."""
    rows = rows_of(step.aggregate.input, tables)
    away = [rows_of(removal.relation, tables) for removal in step.removals]
    shown, withheld = shown_finer(step, rows), withheld_beside(step, rows) if step.beside else 0
    return [
        {
            **_visible(step, group),
            **dict(_units(step, group)),
            **dict(_conditional(step, group) if step.conditions else ()),
            **dict(_removals(step, group, away)),
            **dict(_grains(step, group, shown) if step.finer else ()),
            **({withheld_beside_name(): withheld} if step.beside else {}),
            **({pooled_name(): group.pooled} if step.small_groups is SmallGroups.POOL else {}),
        }
        for group in groups(step, rows)
    ]


def _visible(step: PrivateStep, group: Group) -> dict[str, Value]:
    values = aggregated_row(step.aggregate, group.key, group.members)
    return {column_name(field): values[field.id] for field in step.aggregate.fields}


def _units(step: PrivateStep, group: Group) -> Counts:
    return ((unit_count_name(j), distinct_units(unit, group.members)) for j, unit in enumerate(step.units))


def _conditional(step: PrivateStep, group: Group) -> Counts:
    for j, unit in enumerate(step.units):
        yield atom_minimum_name(j), least_present(unit, partitioned(group.members, lambda row: _mask(step, row)))
        for i, condition in enumerate(step.conditions):
            met = [row for row in group.members if evaluate(condition, row) is True]
            yield cell_count_name(i, j), distinct_units(unit, met)
        for measure in step.distinct_measures:
            parts = classes(measure, group.members, lambda row: {_mask(step, row)})
            yield distinct_minimum_name(measure, j), least_present(unit, parts)


def _mask(step: PrivateStep, row: Row) -> tuple[bool, ...]:
    """Which atom a row is in: the conditions that are TRUE on it."""
    return tuple(evaluate(condition, row) is True for condition in step.conditions)


def _removals(step: PrivateStep, group: Group, away: Sequence[Sequence[Row]]) -> Counts:
    for r, (removal, rows) in enumerate(zip(step.removals, away, strict=True)):
        gone = removed(removal, rows, group)
        yield from ((removed_name(r, j), distinct_units(unit, gone)) for j, unit in enumerate(removal.units))


def _grains(step: PrivateStep, group: Group, shown: Shown) -> Counts:
    rest = shown.remainder(group.members)
    for j, unit in enumerate(step.units):
        yield remainder_name(j), distinct_units(unit, rest)
        for measure in distinct_counts(step):
            parts = classes(measure, group.members, shown.places)
            yield shared_minimum_name(measure, j), least(unit, parts)
