"""Join and the rows of both sides → its rows, each kind by its definition. NULL equals nothing."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import assert_never

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Column, Field, Value
from cleanroom.domain.plan import Join, JoinKind, Relation, carried, units_of
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_values import group_key, order_key


def joined(join: Join, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """The join's rows: pairs, then what has no match. Without keys every row matches every row.

    Raises EngineError for a full join of people's rows, and where both sides are of one scan.
    """
    _require_apart(join)
    found = _matches(join, left, right)
    pairs: list[Row] = [{**row, **match} for row, matches in zip(left, found, strict=True) for match in matches]
    alone = [row for row, matches in zip(left, found, strict=True) if not matches]
    match join.kind:
        case JoinKind.INNER:
            return pairs
        case JoinKind.LEFT:
            return [*pairs, *({**row, **_nothing(join.right)} for row in alone)]
        case JoinKind.FULL:
            met = {id(row) for matches in found for row in matches}
            others = ({**_nothing(join.left), **row} for row in right if id(row) not in met)
            return [*pairs, *({**row, **_nothing(join.right)} for row in alone), *others]
        case JoinKind.SEMI:
            units = units_of(join.right)
            return [{**row, **_least(units, matches)} for row, matches in zip(left, found, strict=True) if matches]
        case JoinKind.ANTI:
            return alone
        case _ as never:
            assert_never(never)


def _require_apart(join: Join) -> None:
    left, right = units_of(join.left), units_of(join.right)
    if set(left) & set(right):
        # Rows name their fields by id: the units of one side would stand for those of the other.
        raise EngineError("a join of one scan with itself cannot be run")
    if join.kind is JoinKind.FULL and (left or right):
        raise EngineError("a full join of rows that belong to people cannot be run")


def _matches(join: Join, left: Sequence[Row], right: Sequence[Row]) -> list[Sequence[Row]]:
    """For each left row the right rows whose keys are all equal to its own."""
    index: dict[Hashable, list[Row]] = {}
    for row in right:
        index.setdefault(_key([key for _, key in join.keys], row), []).append(row)
    index.pop(None, None)
    return [index.get(_key([key for key, _ in join.keys], row), ()) for row in left]


def _key(keys: Sequence[Column], row: Row) -> Hashable:
    """What the row is matched by; None where a part of it is NULL."""
    values = [evaluate(key, row) for key in keys]
    return None if any(value is None for value in values) else tuple(group_key(value) for value in values)


def _nothing(relation: Relation) -> Row:
    """In the place of a row that is not there: NULL in every column, those that no projection names and units too."""
    return dict.fromkeys((field.id for field in (*relation.fields, *carried(relation), *units_of(relation))), None)


def _least(units: Sequence[Field], matches: Sequence[Row]) -> Row:
    """Of each unit the least value among the matching rows; NULL where none of them has one."""
    return {unit.id: _minimum([match[unit.id] for match in matches]) for unit in units}


def _minimum(values: Sequence[Value]) -> Value:
    return min((value for value in values if value is not None), key=order_key, default=None)
