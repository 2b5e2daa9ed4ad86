"""ORDER BY, LIMIT and OFFSET of a SELECT or a set operation → Sort and Limit over its relation."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.domain.expression import SortKey
from cleanroom.domain.plan import Limit, Relation, Sort
from cleanroom.sql.nodes import place_of
from cleanroom.sql.resolution import Resolution


def limited(tree: exp.Expr, relation: Relation, sort: tuple[SortKey, ...], resolution: Resolution) -> Relation:
    """The relation in the order of the keys, and the rows that LIMIT and OFFSET of the tree keep."""
    if sort:
        relation = Sort(relation, sort, relation.released)
    limit, offset = _whole(tree, "limit", resolution), _whole(tree, "offset", resolution)
    if limit is not None or offset:
        at = place_of(tree.args.get("limit") or tree.args["offset"]) or place_of(tree)
        relation = Limit(relation, limit, offset or 0, relation.released, at)
    return relation


def _whole(tree: exp.Expr, clause: str, resolution: Resolution) -> int | None:
    node = tree.args.get(clause)
    if node is None:
        return None
    resolution.read_whole(node, "expression")
    value = node.args.get("expression")
    if isinstance(value, exp.Literal) and value.is_int and int(str(value.this)) < 2**31:
        return int(str(value.this))
    resolution.unsupported(node, f"A computed {clause.upper()}", "Write a whole number.")
    return None
