"""Private step and its rows → the groups that get a row of the raw table: each its own, or those of too few as one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_

from cleanroom.domain.expression import Field
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import PrivateStep, Removal
from cleanroom.engines.memory_counts import enough_units
from cleanroom.engines.memory_expressions import Row
from cleanroom.engines.memory_relations import grouped
from cleanroom.engines.memory_values import group_key


@dataclass(frozen=True, slots=True)
class Group:
    """One row to be: key values, rows, the names of the groups in it. `pooled`: how many those are; 0: a group of its own."""

    key: Row
    members: Sequence[Row]
    names: frozenset[Hashable]
    pooled: int = 0


def groups(step: PrivateStep, rows: Sequence[Row]) -> list[Group]:
    """Each group; where the step pools, those of not enough units as one. Without keys there is nothing to pool."""
    keys = step.aggregate.keys
    found = [Group(key, members, frozenset({_name(keys, key)})) for key, members in grouped(keys, rows)]
    if step.small_groups is not SmallGroups.POOL or not keys:
        return found
    enough = [enough_units(step, group.members) for group in found]
    large, small = list(compress(found, enough)), list(compress(found, map(not_, enough)))
    return [*large, _pool(keys, small)] if small else large


def removed(removal: Removal, rows: Sequence[Row], group: Group) -> list[Row]:
    """The removed rows that have the group's keys, as many as the removal has."""
    if not removal.keys:
        return list(rows)
    if len(removal.keys) < len(group.key):
        own = _name(removal.keys, group.key)
        return [row for key, part in grouped(removal.keys, rows) if _name(removal.keys, key) == own for row in part]
    return [row for key, part in grouped(removal.keys, rows) if _name(removal.keys, key) in group.names for row in part]


def _pool(keys: Sequence[Field], small: Sequence[Group]) -> Group:
    """All groups of too few together, their keys NULL."""
    members = [row for group in small for row in group.members]
    names = frozenset(name for group in small for name in group.names)
    return Group(dict.fromkeys((key.id for key in keys), None), members, names, len(small))


def _name(keys: Sequence[Field], key: Row) -> Hashable:
    return tuple(group_key(key[field.id]) for field in keys)
