"""Relation → the hidden units that travel with its rows: those of every scan below that its rows still carry."""

from __future__ import annotations

from typing import assert_never

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Field
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    OneRow,
    Project,
    Relation,
    ReleasedScan,
    Scan,
    SetOperation,
    Sort,
    Window,
)


def hidden_units(relation: Relation) -> tuple[Field, ...]:
    """The units of the scans below, in order: of a semi-join both sides', of an anti-join the left side's, of released rows none.

    Raises EngineError where people's rows meet an operator that is for released rows alone, or one scan is read twice.
    """
    match relation:
        case Scan(units=units):
            return units
        case ReleasedScan() | OneRow():
            return ()
        case Join():
            return _of_join(relation)
        case SetOperation(inputs=inputs):
            if any(hidden_units(below) for below in inputs):
                raise EngineError("a set operation over rows that belong to people cannot be run")
            return ()
        case Aggregate(input=below, released=released):
            return () if released else hidden_units(below)
        case Filter(input=below) | Project(input=below) | Window(input=below) | Sort(input=below) | Limit(input=below):
            return hidden_units(below)
        case _ as never:
            assert_never(never)


def _of_join(join: Join) -> tuple[Field, ...]:
    left, right = hidden_units(join.left), hidden_units(join.right)
    if set(left) & set(right):
        # Rows name their fields by id: the units of one side would stand for those of the other.
        raise EngineError("a join of one scan with itself cannot be run")
    if join.kind is JoinKind.FULL and (left or right):
        raise EngineError("a full join of rows that belong to people cannot be run")
    return left if join.kind is JoinKind.ANTI else left + right
