"""UNION, INTERSECT and EXCEPT → one relation of groups; rows of people are never put together so."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from cleanroom.domain.expression import Column, Field, SortKey
from cleanroom.domain.identifiers import fold
from cleanroom.domain.plan import Relation, SetKind, SetOperation
from cleanroom.domain.types import Kind
from cleanroom.sql.aggregation import direction
from cleanroom.sql.limits import limited
from cleanroom.sql.resolution import Resolution
from cleanroom.sql.typing import widest

Select = Callable[[exp.Expr], Relation | None]
_KINDS: dict[tuple[type[exp.Expr], bool], SetKind] = {
    (exp.Union, False): SetKind.UNION_ALL,
    (exp.Union, True): SetKind.UNION,
    (exp.Intersect, True): SetKind.INTERSECT,
    (exp.Except, True): SetKind.EXCEPT,
}


def read_set_operation(tree: exp.SetOperation, select: Select, resolution: Resolution) -> Relation | None:
    """The rows of both sides put together by position; None, with findings, where a side names nothing."""
    resolution.read_whole(tree, "this", "expression", "distinct", "with_", "order", "limit", "offset")
    left, right = (select(_opened(side)) for side in (tree.this, tree.args["expression"]))
    if left is None or right is None:
        return None
    kind = _KINDS.get((type(tree), bool(tree.args.get("distinct"))))
    if kind is None:
        resolution.unsupported(tree, "A set operation that keeps repeated rows, but UNION ALL")
        return None
    for side in (left, right):
        if not side.released:
            resolution.refuse(
                "output.not_aggregate",
                "A set operation over rows of people is not accepted.",
                tree,
                hint="Aggregate each side first; groups are put together freely.",
            )
            return None
    if len(left.fields) != len(right.fields):
        resolution.refuse("type.mismatch", "Both sides of a set operation need as many columns.", tree)
        return None
    relation = SetOperation((left, right), kind, _fields(tree, left, right, resolution))
    return limited(tree, relation, _order(tree, relation.fields, resolution), resolution)


def _opened(tree: exp.Expr) -> exp.Expr:
    """What stands in parentheses, where they hold nothing else."""
    while isinstance(tree, exp.Subquery) and {k for k, v in tree.args.items() if v} == {"this"}:
        tree = tree.this
    return tree


def _fields(tree: exp.Expr, left: Relation, right: Relation, resolution: Resolution) -> tuple[Field, ...]:
    made = []
    for one, other in zip(left.fields, right.fields, strict=True):
        kind = widest((one.type, other.type))
        if kind.kind is Kind.NULL:
            resolution.refuse("type.mismatch", f"{one.type} and {other.type} are not put into one column.", tree)
        made.append(resolution.field(one.name, kind, nullable=True, origin=Column(one)))
    return tuple(made)


def _order(tree: exp.Expr, fields: tuple[Field, ...], resolution: Resolution) -> tuple[SortKey, ...]:
    """ORDER BY of a set operation names its columns, by name or position."""
    order = tree.args.get("order")
    if order is None:
        return ()
    resolution.read_whole(order, "expressions")
    keys: list[SortKey] = []
    for item in order.expressions:
        resolution.read_whole(item, "this", "desc", "nulls_first")
        named = _named(item.this, fields)
        if len(named) != 1:
            resolution.unsupported(item, "ORDER BY of anything but a column of the result", "Name it, or its position.")
        keys += [SortKey(Column(field), *direction(item)) for field in named[:1]]
    return tuple(keys)


def _named(tree: exp.Expr, fields: tuple[Field, ...]) -> list[Field]:
    match tree:
        case exp.Literal() if tree.is_int and 1 <= int(str(tree.this)) <= len(fields):
            return [fields[int(str(tree.this)) - 1]]
        case exp.Column() if not tree.args.get("table"):
            return [field for field in fields if fold(field.name) == fold(tree.name)]
    return []
