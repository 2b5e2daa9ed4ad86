"""ORDER BY, LIMIT and OFFSET of a SELECT or a set operation → Sort and Limit over its relation."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.domain.expression import SortKey
from cleanroom.domain.plan import Limit, Relation, Sort
from cleanroom.domain.types import BIGINT
from cleanroom.sql.nodes import place_of
from cleanroom.sql.resolution import Resolution


def limited(tree: exp.Expr, relation: Relation, sort: tuple[SortKey, ...], resolution: Resolution) -> Relation:
    """The relation in the order of the keys, and the rows that LIMIT (or FETCH FIRST) and OFFSET of the tree keep."""
    if sort:
        relation = Sort(relation, sort, relation.released)
    limit, offset = _limit(tree.args.get("limit"), resolution), _offset(tree.args.get("offset"), resolution)
    if limit is not None or offset:
        at = place_of(tree.args.get("limit") or tree.args["offset"]) or place_of(tree)
        relation = Limit(relation, limit, offset or 0, relation.released, at)
    return relation


def _limit(node: exp.Expr | None, resolution: Resolution) -> int | None:
    """How many rows are kept; None where all are."""
    match node:
        case None:
            return None
        case exp.Fetch():
            return _fetched(node, resolution)
        case exp.Limit(expression=exp.Var(this="ALL")):
            resolution.read_whole(node, "expression")
            return None
    resolution.read_whole(node, "expression")
    return _whole(node.args.get("expression"), node, "LIMIT", resolution)


def _fetched(node: exp.Fetch, resolution: Resolution) -> int | None:
    """FETCH FIRST n ROWS ONLY, and one row where no number is written."""
    resolution.read_whole(node, "direction", "count", "limit_options")
    options = node.args.get("limit_options")
    if options is not None:
        resolution.read_whole(options, "rows")
    count = node.args.get("count")
    return 1 if count is None else _whole(count, node, "FETCH", resolution)


def _offset(node: exp.Expr | None, resolution: Resolution) -> int | None:
    if node is None:
        return None
    resolution.read_whole(node, "expression")
    return _whole(node.args.get("expression"), node, "OFFSET", resolution)


def _whole(value: object, node: exp.Expr, clause: str, resolution: Resolution) -> int | None:
    if isinstance(value, exp.Literal) and value.is_int and int(str(value.this)) < 2**31:
        return int(str(value.this))
    given = resolution.parameter(value) if isinstance(value, exp.Placeholder) else None
    if given is not None and given.type == BIGINT and isinstance(given.value, int) and 0 <= given.value < 2**31:
        return given.value
    resolution.unsupported(node, f"A computed {clause}", "Write a whole number.")
    return None
