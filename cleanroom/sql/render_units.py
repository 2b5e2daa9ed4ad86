"""Fields that a private step's inner joins make equal → one of them to count for all."""

from __future__ import annotations

from cleanroom.domain.expression import Field
from cleanroom.domain.plan import Join, relations
from cleanroom.domain.steps import PrivateStep


def counted_fields(step: PrivateStep) -> tuple[Field, ...]:
    """For each unit of the step the field whose distinct values are counted: the first unit equal to it on every row.

    Two fields are equal on every row where inner joins equate them, directly or through others, in one and the same type
    (between types one value may equal several). Counting one of them once is half the work of most joins.
    """
    groups: dict[Field, set[Field]] = {}
    for relation in relations(step.aggregate.input):
        for left, right in relation.keys if isinstance(relation, Join) else ():
            if left.type == right.type:
                merged = groups.get(left.field, {left.field}) | groups.get(right.field, {right.field})
                groups.update(dict.fromkeys(merged, merged))
    return tuple(next(u for u in step.units if u == unit or u in groups.get(unit, ())) for unit in step.units)
