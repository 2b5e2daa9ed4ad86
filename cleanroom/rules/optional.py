"""The plan → sources that may have no match for a row, and which keys and conditions depend on them (SEMANTICS 3)."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.expression import Expression, inputs
from cleanroom.domain.identifiers import SourceId
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Plan, Relation, relations, scans
from cleanroom.rules.uses import sources_read


def always_there(plan: Plan) -> frozenset[int]:
    """The columns, by id, of sources that a LEFT join may miss which are never NULL where their row is there."""
    optional = {source for relation in relations(plan.root) for source in _missing(relation)}
    found = (scan for scan in scans(plan.root) if scan.source in optional)
    return frozenset(field.id for scan in found for field in scan.fields if not field.nullable)


def _missing(relation: Relation) -> frozenset[SourceId]:
    if isinstance(relation, Join) and relation.kind is JoinKind.LEFT and not relation.released:
        return frozenset(scan.source for scan in scans(relation.right))
    return frozenset()


def asked_sources(release: Aggregate) -> frozenset[SourceId]:
    """The optional sources on which a key of the release depends, or a condition that stands above their join."""
    parts = [part for key in release.keys for part in inputs(key.origin)]
    asked = {source for part in parts for source in sources_read(part, release.input)}
    return frozenset(asked | set(_asked_below(release.input)))


def _asked_below(root: Relation) -> Iterator[SourceId]:
    """The sources of what is asked of rows that already have, or have not, their match."""
    for relation in relations(root):
        optional = frozenset(s for below in relations(relation) for s in _missing(below))
        for expression in _conditions(relation):
            yield from sources_read(expression, root) & optional


def _conditions(relation: Relation) -> tuple[Expression, ...]:
    match relation:
        case Filter(predicate=predicate):
            return (predicate,)
        case Join(keys=keys, kind=kind) if kind is not JoinKind.LEFT:
            return tuple(side for pair in keys for side in pair)
        case Join(keys=keys):
            return tuple(one for one, _ in keys)
    return ()
