"""Private step of several grains and its rows → which rows finer releases show, what is left, how many groups are too few."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.domain.expression import Field
from cleanroom.domain.steps import PrivateStep, contains
from cleanroom.engines.memory_counts import enough_of_each, none_or_enough_of_each
from cleanroom.engines.memory_expressions import Row
from cleanroom.engines.memory_relations import grouped


@dataclass(frozen=True, slots=True)
class Finer:
    """For each finer key set, in order, the shown group that a row (by its identity) is in; no entry: in none that is shown."""

    shown: tuple[Mapping[int, int], ...]

    def remainder(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that are in no shown group of any finer set."""
        return [row for row in rows if not any(id(row) in groups for groups in self.shown)]

    def places(self, row: Row) -> set[Hashable]:
        """The groups that the row is in; all those that are not shown are one."""
        return {(at, groups[id(row)]) if id(row) in groups else None for at, groups in enumerate(self.shown)}


def finer(step: PrivateStep, rows: Sequence[Row]) -> Finer:
    """Each finer set over all rows: a group is shown where it has enough units, and what remains of it none or enough."""
    found: list[Mapping[int, int]] = []
    for keys in step.finer:
        below = [groups for other, groups in zip(step.finer, found, strict=False) if contains(other, keys)]
        found.append(_shown(step, keys, rows, Finer(tuple(below))))
    return Finer(tuple(found))


def _shown(step: PrivateStep, keys: tuple[Field, ...], rows: Sequence[Row], below: Finer) -> Mapping[int, int]:
    shown: dict[int, int] = {}
    for number, (_, members) in enumerate(grouped(keys, rows)):
        if enough_of_each(step.units, members, step.minimum_units) and none_or_enough_of_each(
            step.units, below.remainder(members), step.minimum_units
        ):
            shown |= {id(row): number for row in members}
    return shown


def withheld_groups(step: PrivateStep, rows: Sequence[Row]) -> int:
    """How many groups of this set of keys and of those beside it have too few units of some kind."""
    groups = [members for keys in (step.aggregate.keys, *step.beside) for _, members in grouped(keys, rows)]
    return sum(not enough_of_each(step.units, members, step.minimum_units) for members in groups)
