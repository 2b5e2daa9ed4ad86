"""PrivateStep → nothing, or ValueError. A step asks for thresholds that the release can check, and for none it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from cleanroom.domain.expression import AggregateCall
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import MOST_PUBLIC_GROUPS, PrivateStep, contains
from cleanroom.release.blank import public_groups


def require_step(step: PrivateStep) -> None:
    """Raises ValueError with the first thing that is wrong with the step."""
    for check in (_of_units, _of_cells, _of_removals, _of_grains, _of_several_grains, _of_small_groups):
        for wrong, message in check(step):
            if wrong:
                raise ValueError(message)


def _of_units(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    yield not step.units, "a private step protects at least one unit"
    yield step.minimum_units < 1, "a threshold is at least one unit"
    yield not step.optional <= set(step.units), "an optional unit is no unit of its step"
    yield not step.unasked <= step.optional, "a unit that a row needs is not asked for"
    yield step.optional >= set(step.units), "a row would need nobody"


def _of_cells(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    measures = (*(cell.measure for cell in step.conditional), *step.distinct_measures)
    yield any(m not in step.aggregate.measures for m in measures), "a conditional cell or distinct count is no measure"
    known = range(len(step.conditions))
    yield any(cell.condition not in known for cell in step.conditional), "a conditional cell names no condition"
    yield (
        any(m not in step.aggregate.measures for m, _ in step.cell_minimums),
        "a cell's own threshold is for no measure",
    )
    yield any(number < 1 for _, number in step.cell_minimums), "a cell's own threshold is at least one unit"


def _of_removals(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    yield any(not removal.units for removal in step.removals), "an anti-join takes away at least one unit"
    known = set(step.aggregate.keys)
    yield any(not set(r.keys) <= known for r in step.removals), "an anti-join has other keys than its step"


def _of_grains(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    keys = step.aggregate.keys
    yield any(not contains(finer, keys) for finer in step.finer), "a finer set of keys lacks one of its step's"
    late = any(contains(later, one) and not contains(one, later) for one, later in combinations(step.finer, 2))
    yield late, "a finer set of keys stands after one that it contains"
    nested = any(contains(other, keys) or contains(keys, other) for other in step.beside)
    yield nested, "a set of keys beside its step's contains them or lies in them"


def _of_several_grains(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    """What is shown of the other sets must follow from counts of units alone: the step knows no more of their rows."""
    if not step.finer and not step.beside:
        return
    calls = [m.origin for m in step.aggregate.measures if isinstance(m.origin, AggregateCall)]
    conditional = bool(step.conditions) or any(call.condition is not None for call in calls)
    yield conditional, "several sets of keys have no conditional cells"
    yield bool(step.removals), "several sets of keys have no anti-join"
    yield step.small_groups is SmallGroups.POOL, "several sets of keys have no pool"


def _of_small_groups(step: PrivateStep) -> Iterator[tuple[bool, str]]:
    if step.small_groups is SmallGroups.BLANK:
        yield len(step.public_keys) != len(step.aggregate.keys), "a key has no public values"
        yield public_groups(step) > MOST_PUBLIC_GROUPS, f"there are more than {MOST_PUBLIC_GROUPS} public groups"
