"""Set operation and the rows of its inputs → its rows. Two rows are the same where all their values are, NULL with NULL."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import assert_never

from cleanroom.domain.errors import EngineError
from cleanroom.domain.plan import Relation, SetKind, SetOperation, units_of
from cleanroom.engines.memory_casts import cast
from cleanroom.engines.memory_expressions import Row
from cleanroom.engines.memory_values import group_key


def combined(operation: SetOperation, inputs: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows by the operation's own fields and in their types, in the order in which the inputs first have them.

    Raises EngineError where they belong to people.
    """
    if any(units_of(below) for below in operation.inputs):
        raise EngineError("a set operation over rows that belong to people cannot be run")
    tables = [_renamed(operation, *one) for one in zip(operation.inputs, inputs, strict=True)]
    together = [row for table in tables for row in table]
    names = [{_name(row) for row in table} for table in tables]
    match operation.kind:
        case SetKind.UNION_ALL:
            return together
        case SetKind.UNION:
            return _once(together)
        case SetKind.INTERSECT:
            return [row for row in _once(tables[0]) if all(_name(row) in other for other in names[1:])]
        case SetKind.EXCEPT:
            return [row for row in _once(tables[0]) if not any(_name(row) in other for other in names[1:])]
        case _ as never:
            assert_never(never)


def _renamed(operation: SetOperation, relation: Relation, rows: Sequence[Row]) -> list[Row]:
    """The rows under the operation's fields, by position."""
    pairs = list(zip(operation.fields, relation.fields, strict=True))
    return [{field.id: cast(row[below.id], field.type) for field, below in pairs} for row in rows]


def _once(rows: Sequence[Row]) -> list[Row]:
    found: dict[Hashable, Row] = {}
    for row in rows:
        found.setdefault(_name(row), row)
    return list(found.values())


def _name(row: Row) -> Hashable:
    return tuple(group_key(value) for value in row.values())
