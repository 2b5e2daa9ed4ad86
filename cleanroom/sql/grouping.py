"""GROUP BY → the keys of the groups, and which of them each grain has: one grain, or those of ROLLUP, CUBE and GROUPING SETS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from sqlglot import exp

from cleanroom.sql.resolution import Resolution

MOST_GRAINS = 16
Tree = exp.Expr
Grain = tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Grouping:
    """The trees of the keys of every grain, finest as written. One grain: an ordinary GROUP BY."""

    grains: tuple[Grain, ...]

    @property
    def trees(self) -> tuple[Tree, ...]:
        """Every key once, in the order in which it is first written."""
        found: list[Tree] = []
        for grain in self.grains:
            found += [tree for tree in grain if not any(tree is known for known in found)]
        return tuple(found)


def read_grouping(group: exp.Group, entry: Callable[[Tree], list[Tree]], resolution: Resolution) -> Grouping:
    """The grains of the clause: of several parts, every combination of their grains. `entry` opens one written key."""
    resolution.read_whole(group, "expressions", "rollup", "cube", "grouping_sets")
    parts = [_part(tree, entry) for tree in group.expressions]
    plain = [tree for tree in group.expressions if not isinstance(tree, exp.Rollup | exp.Cube | exp.GroupingSets)]
    for slot in ("rollup", "cube", "grouping_sets"):
        for tree in group.args.get(slot) or []:
            if tree.expressions:
                parts.append(_part(tree, entry))
            else:  # GROUP BY a, b WITH ROLLUP: all that is written is rolled up
                parts = [_of_sets(slot, [tuple(entry(one)) for one in plain])]
    grains: list[Grain] = [()]
    for part in parts:
        grains = [(*grain, *more) for grain in grains for more in part]
        if len(grains) > MOST_GRAINS:
            resolution.refuse("sql.too_large", f"GROUP BY may have {MOST_GRAINS} grains.", group)
            return Grouping(tuple(grains[:1]))
    return Grouping(tuple(grains))


def _part(tree: Tree, entry: Callable[[Tree], list[Tree]]) -> list[Grain]:
    match tree:
        case exp.Rollup():
            return _of_sets("rollup", [tuple(entry(one)) for one in tree.expressions])
        case exp.Cube():
            return _of_sets("cube", [tuple(entry(one)) for one in tree.expressions])
        case exp.GroupingSets():
            return [grain for one in tree.expressions for grain in _listed(one, entry)]
    return [tuple(entry(tree))]


def _listed(tree: Tree, entry: Callable[[Tree], list[Tree]]) -> list[Grain]:
    if isinstance(tree, exp.Rollup | exp.Cube | exp.GroupingSets):
        return _part(tree, entry)
    return [tuple(entry(tree))]


def _of_sets(kind: str, columns: Sequence[Grain]) -> list[Grain]:
    """ROLLUP takes columns away from the right, CUBE in every way; a column in parentheses is several at once."""
    size = len(columns)
    if kind == "cube":
        kept = [chosen for n in range(size, -1, -1) for chosen in combinations(range(size), n)]
    else:
        kept = [tuple(range(n)) for n in range(size, -1, -1)]
    return [tuple(tree for index in chosen for tree in columns[index]) for chosen in kept]
