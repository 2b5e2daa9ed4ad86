"""Private step of several grains and its rows → which rows the other releases show, what is left, how many groups are not."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import PrivateStep, contains
from cleanroom.engines.memory_counts import enough_units, none_or_enough
from cleanroom.engines.memory_expressions import Row
from cleanroom.engines.memory_relations import grouped


@dataclass(frozen=True, slots=True)
class Shown:
    """For each key set, in order, the shown group that a row (by its identity) is in; no entry: in none that is shown."""

    groups: tuple[Mapping[int, int], ...]

    def remainder(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are in no shown group of any set."""
        return [row for row in rows if not any(id(row) in groups for groups in self.groups)]

    def places(self, row: Row) -> set[Hashable]:
        """The groups that the row is in; all those that are not shown are one."""
        return {(at, groups[id(row)]) if id(row) in groups else None for at, groups in enumerate(self.groups)}


def shown_finer(step: PrivateStep, rows: Sequence[Row]) -> Shown:
    """The groups of the finer sets that are shown."""
    return _in_turn(step, step.finer, rows)


def withheld_beside(step: PrivateStep, rows: Sequence[Row]) -> int:
    """How many groups of this set of keys and of those beside it are not shown."""
    crossing = sorted(step.beside, key=lambda keys: sum(contains(keys, other) for other in step.beside), reverse=True)
    sets = (*step.finer, *crossing, step.aggregate.keys)
    shown = _in_turn(step, sets, rows).groups
    return sum(
        len(grouped(keys, rows)) - len(set(groups.values()))
        for keys, groups in list(zip(sets, shown, strict=True))[len(step.finer) :]
    )


def _in_turn(step: PrivateStep, sets: Sequence[tuple[Field, ...]], rows: Sequence[Row]) -> Shown:
    """Each set over all rows, those that contain others first: of a group what those leave is none or enough, too."""
    found: list[Mapping[int, int]] = []
    for keys in sets:
        below = Shown(tuple(groups for other, groups in zip(sets, found, strict=False) if contains(other, keys)))
        parts = [members for _, members in grouped(keys, rows)]
        shown = [part for part in parts if enough_units(step, part) and none_or_enough(step, below.remainder(part))]
        found.append({id(row): number for number, part in enumerate(shown) for row in part})
    return Shown(tuple(found))
