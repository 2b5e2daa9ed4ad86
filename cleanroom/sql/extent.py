"""A relation → whether the house will work through it. What is small as written can be large once names are written out."""

from __future__ import annotations

from cleanroom.domain.expression import Column, Expression, Field, children, inputs, walk
from cleanroom.domain.plan import Aggregate, Project, Relation, Window, expressions, inputs_of, relations

MOST_NODES = 20_000
MOST_LEVELS = 120


def too_large(root: Relation) -> str | None:
    """Why the plan is too large, or None. Counts every expression written out to columns of datasets and aggregates:
    its nodes, in all MOST_NODES, and its levels, like those of the relations MOST_LEVELS."""
    deep: dict[int, int] = {}
    levels: dict[int, int] = {}
    nodes = 0
    for relation in relations(root):
        levels[id(relation)] = 1 + max((levels[id(below)] for below in inputs_of(relation)), default=0)
        nodes += sum(map(_nodes, expressions(relation)))
        if nodes > MOST_NODES:
            return "expressions built upon expressions grow too long"
        for field in _made(relation):
            deep[field.id] = 1 + max((_levels(part, deep) for part in inputs(field.origin)), default=0)
        others = max((_levels(part, deep) for part in expressions(relation)), default=0)
        if max(levels[id(relation)], others) > MOST_LEVELS:
            return "expressions and sub-selects may build upon each other only so deep"
    return None


def _made(relation: Relation) -> tuple[Field, ...]:
    match relation:
        case Project(fields=fields) | Window(calls=fields):
            return fields
        case Aggregate(keys=keys, measures=measures):
            return keys + measures
    return ()


def _nodes(expression: Expression) -> int:
    return sum(node.field.weight if isinstance(node, Column) else 1 for node in walk(expression))


def _levels(expression: Expression, deep: dict[int, int]) -> int:
    """How deep the expression is once written out; without recursion over its own depth."""
    deepest, waiting = 0, [(expression, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level + (deep.get(node.field.id, 0) if isinstance(node, Column) else 0))
        waiting += [(child, level + 1) for child in children(node)]
    return deepest
