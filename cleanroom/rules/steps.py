"""An approved release → its private step: whom to count, under which conditions, beside which other grains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

from cleanroom.domain.dependencies import Facts, column, facts
from cleanroom.domain.expression import (
    AggregateCall,
    Column,
    Expression,
    Field,
    SortKey,
    SourceColumn,
    Value,
    WindowCall,
    inputs,
)
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Project,
    Relation,
    Sort,
    Window,
    carried,
    expressions,
    relations,
    scans,
)
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.domain.steps import MOST_PUBLIC_GROUPS, ConditionalCell, PrivateStep, contains
from cleanroom.domain.types import Kind
from cleanroom.rules.cells import condition_of
from cleanroom.rules.optional import asked_sources
from cleanroom.rules.populations import in_words_of
from cleanroom.rules.removals import removals_of
from cleanroom.rules.uses import mentions, occurrences, source_column


@dataclass(frozen=True, slots=True)
class _Cells:
    """The conditions of a release's cells, each once."""

    conditions: tuple[Expression, ...]
    cells: tuple[ConditionalCell, ...]


def private_step(
    table: str, release: Aggregate, family: Sequence[Aggregate], policy: Policy, minimum: int
) -> PrivateStep:
    """The step of one release; `family` are the releases over the same rows, itself among them."""
    read = frozenset(column for member in family for column in _read(member))
    known = facts(release.input, policy.datasets)
    units = _counted_units(known)
    optional = frozenset(unit.field for unit in known.units if unit.optional)
    asked = asked_sources(release)
    cells = _cells(release, known)
    measures = tuple(dict.fromkeys(cell.measure for cell in cells.cells))
    removals = tuple(removals_of(release, policy.datasets))
    finer, beside = _grains(release, family)
    small, public = _small_groups(release, policy)
    # Groups that are merged would have to be merged in the other grains, and among the removed, as well.
    alone = small is not SmallGroups.POOL or (len(family) == 1 and not removals)
    settled = replace(release, input=_settled(release.input, read))
    return PrivateStep(
        table=table,
        aggregate=settled,
        units=units,
        conditions=cells.conditions,
        conditional=cells.cells,
        distinct_measures=tuple(m for m in measures if _call(m).function == "count_distinct"),
        minimum_units=minimum,
        optional=optional,
        unasked=frozenset(u.field for u in known.units if u.optional and u.scan.source not in asked),
        removals=removals,
        finer=finer,
        beside=beside,
        small_groups=small if alone else SmallGroups.DROP,
        public_keys=public if alone else (),
        cell_minimums=tuple(_minimums(release, policy, minimum)),
    )


def _call(measure: Field) -> AggregateCall:
    assert isinstance(measure.origin, AggregateCall)
    return measure.origin


def _counted_units(known: Facts) -> tuple[Field, ...]:
    """The units of the sources, one for each set that joins make equal on every row."""
    kept: list[Field] = []
    for unit in known.units:
        same = known.same(column(unit.field)) if not unit.optional else frozenset({column(unit.field)})
        if not any(column(other) in same for other in kept):
            kept.append(unit.field)
    return tuple(kept)


def _cells(release: Aggregate, known: Facts) -> _Cells:
    conditions: list[Expression] = []
    cells: list[ConditionalCell] = []
    for measure in release.measures:
        found = condition_of(_call(measure), known)
        if found is not None:
            conditions += [c for c in dict.fromkeys((found.own, *found.splits)) if c not in conditions]
            cells += [ConditionalCell(measure, conditions.index(own)) for own in dict.fromkeys((found.own, *found.fed))]
    return _Cells(tuple(conditions), tuple(cells))


def _grains(
    release: Aggregate, family: Sequence[Aggregate]
) -> tuple[tuple[tuple[Field, ...], ...], tuple[tuple[Field, ...], ...]]:
    """The key sets of the family that contain this release's, finest first, and those that cross it."""
    finer: list[tuple[Field, ...]] = []
    beside: list[tuple[Field, ...]] = []
    for other in family:
        keys = in_words_of(release, other)
        assert keys is not None
        if contains(keys, release.keys):
            same = contains(release.keys, keys)
            if not same and not any(contains(k, keys) and contains(keys, k) for k in finer):
                finer.append(keys)
        elif not contains(release.keys, keys) and not any(contains(k, keys) and contains(keys, k) for k in beside):
            beside.append(keys)
    return tuple(sorted(finer, key=len, reverse=True)), tuple(beside)


def _small_groups(release: Aggregate, policy: Policy) -> tuple[SmallGroups, tuple[tuple[Value, ...], ...]]:
    """What becomes of small groups: the strictest of the owners'. BLANK needs every key to have a public domain."""
    wanted = {policy.rules[scan.dataset].small_groups for scan in scans(release.input)}
    strictest = next(choice for choice in SmallGroups if choice in wanted)
    if strictest is not SmallGroups.BLANK:
        return (strictest if release.keys else SmallGroups.DROP), ()
    domains = [_domain(key, policy) for key in release.keys]
    public = tuple(domain for domain in domains if domain)
    every = bool(public) and len(public) == len(domains) and prod(map(len, public)) <= MOST_PUBLIC_GROUPS
    return (SmallGroups.BLANK, public) if every else (SmallGroups.DROP, ())


def _domain(key: Field, policy: Policy) -> tuple[Value, ...]:
    """The values that the key can have, as its owner made public; none where it is no bare column of such."""
    found = None if isinstance(key.origin, AggregateCall | WindowCall) else source_column(Column(key))
    declared = None if found is None else policy.datasets[found[0].dataset].column(found[0].column)
    if declared is None or declared.values is None or declared.type.kind is not Kind.VARCHAR:
        return ()
    return declared.values


def _minimums(release: Aggregate, policy: Policy, minimum: int) -> Iterator[tuple[Field, int]]:
    """Measures of columns whose owners ask for more people than rows need."""
    for measure in release.measures:
        used = [found for part in inputs(measure.origin) for found in occurrences(part)]
        asked = [policy.rules[found.dataset].column(found.column.column).minimum_units for found in used]
        most = max((least for least in asked if least is not None), default=0)
        if most > minimum:
            yield measure, most


def _read(release: Aggregate) -> Iterator[tuple[DatasetName, str]]:
    """Every column that the release reads anyway."""
    for scan in scans(release.input):
        yield from ((scan.dataset, unit.name) for unit in scan.units)
    for relation in relations(release):
        for expression in expressions(relation):
            yield from ((found.dataset, found.column.column) for found in mentions(expression))


def _settled(relation: Relation, read: frozenset[tuple[DatasetName, str]]) -> Relation:
    """The relation with windows over rows ordered to the end: rows that an ORDER BY does not tell apart come in the same
    order in every run, and in every release over the same rows."""
    match relation:
        case Window(input=below, calls=calls, released=False):
            known = [f for f in _lasting(below) if _is_read(f, read)]
            return replace(relation, input=_settled(below, read), calls=tuple(_ordered(call, known) for call in calls))
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit():
            return replace(relation, input=_settled(relation.input, read))
        case Join(left=left, right=right):
            return replace(relation, left=_settled(left, read), right=_settled(right, read))
    return relation


def _lasting(relation: Relation) -> Sequence[Field]:
    """What tells the relation's rows apart: keys of per-unit tables, columns of datasets by name."""
    known = carried(relation)
    keys = [k for r in relations(relation) if isinstance(r, Aggregate) for k in r.keys if k in known]
    columns = [f for scan in scans(relation) for f in sorted(scan.fields, key=lambda f: f.name) if f in known]
    return [*keys, *columns]


def _is_read(found: Field, read: frozenset[tuple[DatasetName, str]]) -> bool:
    match found.origin:
        case SourceColumn(dataset=dataset, column=name):
            return (dataset, name) in read
    return True


def _chooses(call: WindowCall) -> bool:
    """Whether the call tells rows apart that its order does not: ranks and default frames take them together."""
    match call.function:
        case "row_number" | "lag" | "lead" | "first_value":
            return True
    return call.frame is not None


def _ordered(call: Field, known: Sequence[Field]) -> Field:
    origin = call.origin
    assert isinstance(origin, WindowCall)
    if not origin.order or not _chooses(origin):
        return call
    return replace(call, origin=replace(origin, order=(*origin.order, *(SortKey(Column(f)) for f in known))))
