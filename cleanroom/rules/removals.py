"""A release → whom it took away for having a match, or shows for having none: those who have one are counted (SEMANTICS 1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cleanroom.domain.dependencies import Datasets, Unit, determined, facts
from cleanroom.domain.expression import AggregateCall, Column, Field, WindowCall, inputs, present
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import SourceId
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Project,
    Relation,
    Scan,
    Window,
    inputs_of,
    relations,
    scans,
    units_of,
)
from cleanroom.domain.steps import Removal
from cleanroom.rules.cells import TRUE, condition_of, readable_form
from cleanroom.rules.per_unit import as_keys
from cleanroom.rules.uses import sources_read


def removals_of(release: Aggregate, datasets: Datasets) -> Iterator[Removal]:
    """For each anti-join below, each condition on a match that may be missing, and each key that tells of one: the rows of
    those who have a match."""
    for node in relations(release.input):
        for matched in _matched(node, release.input, datasets):
            found = _instead(release.input, node, matched, datasets)
            keys = tuple(k for k in release.keys if not _read_by(k, release.input) & found.lost)
            yield Removal(found.relation, keys if found.keyed else (), units_of(found.relation))
            if found.regrouped:  # whose groups or numbers would have been others is counted in the whole answer too
                yield Removal(matched, (), units_of(matched))
    yield from _told_by_keys(release, datasets)


def removed_under_conditions(release: Aggregate, datasets: Datasets) -> Iterator[Finding]:
    """Whom a release took away is counted for its rows, not for cells of some of a row's people: those do not stand there.

    A cell may stand for those who have a match of another source.
    """
    calls = [m.origin for m in release.measures if isinstance(m.origin, AggregateCall)]
    chosen = [call for call in calls if not _of_matches(call, release, datasets)]
    if chosen and any(True for _ in removals_of(release, datasets)):
        yield Finding(
            "aggregate.not_allowed",
            f"{chosen[0].function.upper()} of some of a row's people does not stand beside a match that is asked to be missing.",
            at=chosen[0].at,
            hint="Put the condition into WHERE, or its column into GROUP BY; aggregate columns that are never NULL.",
        )


def _of_matches(call: AggregateCall, release: Aggregate, datasets: Datasets) -> bool:
    """Whether the cell stands for all of its row's people, or for those who have a match."""
    known = facts(release.input, datasets)
    found = condition_of(call, known)
    if found is None:
        return True
    made = (r for r in relations(release.input) if isinstance(r, Scan | Aggregate))
    always = {field.id for relation in made for field in relation.fields if not field.nullable}
    read = [readable_form(part, known) for part in (call.argument, call.second) if part is not None]
    units = [present(Column(unit.field)) for unit in known.units if unit.optional]
    there = [present(part) for part in read if isinstance(part, Column) and part.field.id in always]
    return all(part in (TRUE, *units, *there) for part in (found.own, *found.splits))


def _matched(node: Relation, root: Relation, datasets: Datasets) -> Iterator[Relation]:
    """What stands for the node where those who have a match are kept, and nobody else."""
    match node:
        case Join(kind=JoinKind.ANTI):
            yield replace(node, kind=JoinKind.SEMI)
        case Filter(input=below, predicate=predicate):
            asked = sources_read(predicate, root)
            for unit in facts(below, datasets).units:
                if unit.optional and unit.scan.source in asked:
                    yield _those_of(below, unit)


def _those_of(below: Relation, unit: Unit) -> Filter:
    return Filter(below, present(Column(unit.field)), released=False)


@dataclass(frozen=True, slots=True)
class _Instead:
    """A relation with other rows in the place of a node. `keyed`: the release's keys mean the same over it.

    `regrouped`: there are tables or windows of single people above the node. `lost`: the sources whose columns do not mean
    the same any more.
    """

    relation: Relation
    keyed: bool = True
    regrouped: bool = False
    lost: frozenset[SourceId] = frozenset()


def _instead(relation: Relation, node: Relation, matched: Relation, datasets: Datasets) -> _Instead:
    """The relation with `matched` in the node's place, as far up as rows stay the rows that they were.

    On the side that may be missing other rows make other matches: there those whose match has changed are counted, and
    what is asked of that match above is not. Of the side that must be missing nothing is seen above.
    """
    if relation is node:
        return _Instead(matched)
    below = next(inner for inner in inputs_of(relation) if any(found is node for found in relations(inner)))
    inner = _instead(below, node, matched, datasets)
    if not inner.keyed:
        return inner
    match relation:
        case Filter(predicate=predicate) if sources_read(predicate, relation) & inner.lost:
            return inner
        case Filter() | Project():
            return replace(inner, relation=replace(relation, input=inner.relation))
        case Join(left=left) if below is left:
            return replace(inner, relation=replace(relation, left=inner.relation))
        case Join(right=right, kind=kind):
            changed = replace(relation, right=inner.relation, kind=_CHANGED.get(kind, kind))
            lost = frozenset(scan.source for scan in scans(right)) if kind is JoinKind.LEFT else inner.lost
            return replace(inner, relation=changed, lost=lost)
        case Aggregate() | Window() if not inner.lost and _stays_apart(relation, inner.relation, datasets):
            return _Instead(replace(relation, input=inner.relation), regrouped=True)
    return replace(inner, keyed=False)


_CHANGED = {JoinKind.LEFT: JoinKind.INNER, JoinKind.ANTI: JoinKind.SEMI}


def _stays_apart(relation: Aggregate | Window, below: Relation, datasets: Datasets) -> bool:
    """Whether the table or window is still of single people over these rows: those who are gone are so with all of theirs."""
    known = facts(below, datasets)
    match relation:
        case Aggregate(keys=keys):
            parts = [keys]
        case Window(calls=calls):
            parts = [as_keys(call.origin) for call in calls if isinstance(call.origin, WindowCall)]
    return not any(determined(known, keys)[1] for keys in parts)


def _told_by_keys(release: Aggregate, datasets: Datasets) -> Iterator[Removal]:
    """Where a key tells who has a match: those who have one, by the keys that do not tell."""
    told = {key: _read_by(key, release.input) for key in release.keys}
    for unit in facts(release.input, datasets).units:
        if unit.optional and any(unit.scan.source in sources for sources in told.values()):
            keys = tuple(key for key in release.keys if unit.scan.source not in told[key])
            matched = _those_of(release.input, unit)
            yield Removal(matched, keys, units_of(matched))


def _read_by(key: Field, root: Relation) -> frozenset[SourceId]:
    return frozenset(source for part in inputs(key.origin) for source in sources_read(part, root))
