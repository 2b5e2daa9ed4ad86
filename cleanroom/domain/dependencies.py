"""Rows of people → which columns determine which, whose rows a row is made of, whom it belongs to (SEMANTICS 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal as Word
from typing import assert_never

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Column,
    Expression,
    Field,
    Literal,
    SourceColumn,
    WindowCall,
    fields_of,
)
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Limit, Project, Relation, Scan, Sort, Window
from cleanroom.domain.policy import Dataset
from cleanroom.domain.steps import Claim

Node = tuple[Word["field", "row"], int]
"""A column by its field's id, or a row: of a scan by minus its source's id, of a per-unit table by its first key's id."""
Datasets = Mapping[DatasetName, Dataset]


@dataclass(frozen=True, slots=True)
class Unit:
    """A protected person behind each row. `optional`: the row may belong to nobody of that source (NULL)."""

    field: Field
    scan: Scan
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Dependency:
    """Rows that agree on `start` agree on `end`. It holds of rows where none of `start` is NULL if `unless_null`."""

    start: frozenset[Node]
    end: frozenset[Node]
    claims: frozenset[Claim] = frozenset()
    unless_null: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a private relation.

    `rows`: one row of the relation is one of each of these. `owners`: of which of them a column is a value, by field id.
    `present`: columns that are never NULL, unless all of their row is; with the one whose promise this rests on, if it does.
    `matches`: what rows that may be missing determine where they are there: their match.
    `numbered`: what ROW_NUMBER() = 1 would make unique, by the number's field id: (partition, rows).
    `scans`: the scans that a row is made of, by the row's node. `optional`: the rows that may be missing, all NULL.
    """

    rows: frozenset[Node]
    units: tuple[Unit, ...]
    dependencies: tuple[Dependency, ...]
    equal: tuple[tuple[Node, Node], ...]
    present: Mapping[Node, SourceColumn | None]
    owners: Mapping[int, frozenset[Node]]
    scans: Mapping[Node, tuple[Scan, ...]]
    numbered: Mapping[int, tuple[frozenset[Node], frozenset[Node]]] = field(default_factory=dict)
    optional: frozenset[Node] = frozenset()
    matches: tuple[Dependency, ...] = ()

    def closure(self, start: frozenset[Node], *, matched: bool = False) -> tuple[frozenset[Node], frozenset[Claim]]:
        """Everything that the start determines, and the owners' promises that this relies on.

        `matched`: on rows where nothing of the start is missing.
        """
        known, claims = set(start), set[Claim]()
        steps = (*self.dependencies, *(self.matches if matched else ()))
        changed = True
        while changed:
            changed = False
            for one, other in self.equal:
                if (one in known) is not (other in known):
                    known |= {one, other}
                    changed = True
            for step in steps:
                if step.start <= known and not step.end <= known and (not step.unless_null or self._all_present(step)):
                    known |= step.end
                    claims |= step.claims
                    if step.unless_null:
                        claims |= {promise for node in step.start for promise in self._promised(node)}
                    changed = True
        return frozenset(known), frozenset(claims)

    def _promised(self, present: Node) -> Iterator[Claim]:
        found = self.present[present]
        if found is not None:
            yield Claim(found.dataset, (found.column,), unique=False)

    def _all_present(self, step: Dependency) -> bool:
        return all(node in self.present for node in step.start)

    def same(self, start: Node) -> frozenset[Node]:
        """The columns that are equal to this one on every row."""
        found = {start}
        while more := {n for pair in self.equal for n in pair if set(pair) & found} - found:
            found |= more
        return frozenset(found)


def facts(relation: Relation, datasets: Datasets) -> Facts:
    """What is known of the relation's rows; of rows that belong to nobody nothing."""
    match relation:
        case Scan():
            return _scan(relation, datasets)
        case Filter(input=below, predicate=predicate):
            return _filtered(facts(below, datasets), predicate)
        case Project(input=below, fields=fields):
            return _computed(facts(below, datasets), fields)
        case Join():
            return _joined(relation, facts(relation.left, datasets), facts(relation.right, datasets))
        case Aggregate(input=below):
            return _grouped(relation, facts(below, datasets))
        case Window(input=below, calls=calls):
            return _windowed(facts(below, datasets), calls)
        case Sort(input=below) | Limit(input=below):
            return facts(below, datasets)
        case _:
            return _NOBODY


_NOBODY = Facts(frozenset(), (), (), (), {}, {}, {})


def column(found: Field) -> Node:
    return ("field", found.id)


def determined(known: Facts, keys: tuple[Field, ...]) -> tuple[tuple[Unit, ...], tuple[Unit, ...], frozenset[Claim]]:
    """The units that grouping by these keys keeps apart, those that it mixes, and the promises that this relies on.

    Of a key that is an expression nothing is known: only columns determine.
    """
    start = frozenset(column(key.origin.field) for key in keys if isinstance(key.origin, Column))
    reached, claims = known.closure(start)
    kept = tuple(unit for unit in known.units if column(unit.field) in reached)
    return kept, tuple(unit for unit in known.units if unit not in kept), claims


def is_per_unit(relation: Relation, keys: tuple[Field, ...], datasets: Datasets) -> bool:
    """Whether grouping these rows by the keys gives rows of single people still."""
    return bool(keys) and not determined(facts(relation, datasets), keys)[1]


def _scan(scan: Scan, datasets: Datasets) -> Facts:
    row: Node = ("row", -scan.source)
    rows = frozenset({row})
    named = {f.name: column(f) for f in scan.fields}
    dependencies = [Dependency(rows, frozenset(named.values()))]
    for unique in datasets[scan.dataset].unique:
        start = frozenset(named[name] for name in unique)
        claim = Claim(scan.dataset, unique, unique=True)
        dependencies.append(Dependency(start, rows, frozenset({claim}), unless_null=True))
    present: dict[Node, SourceColumn | None] = {
        named[f.name]: f.origin for f in scan.fields if not f.nullable and isinstance(f.origin, SourceColumn)
    }
    present |= {column(unit): None for unit in scan.units}
    return Facts(
        rows=rows,
        units=tuple(Unit(unit, scan) for unit in scan.units),
        dependencies=tuple(dependencies),
        equal=(),
        present=present,
        owners=dict.fromkeys((f.id for f in scan.fields), rows),
        scans={row: (scan,)},
    )


def _filtered(below: Facts, predicate: Expression) -> Facts:
    """Where a row number is asked to be 1, its partition determines the row."""
    unique = [below.numbered[number.id] for number in _numbers_one(predicate) if number.id in below.numbered]
    return replace(below, dependencies=(*below.dependencies, *(Dependency(start, rows) for start, rows in unique)))


def _numbers_one(predicate: Expression) -> Iterator[Field]:
    match predicate:
        case Call(function="and", arguments=parts):
            for part in parts:
                yield from _numbers_one(part)
        case Call(function="eq" | "le", arguments=(Column(field=found), Literal(value=1))):
            yield _passed_on(found)
        case Call(function="eq" | "ge", arguments=(Literal(value=1), Column(field=found))):
            yield _passed_on(found)


def _passed_on(found: Field) -> Field:
    """The field that this one repeats under another name."""
    while isinstance(found.origin, Column):
        found = found.origin.field
    return found


def _computed(below: Facts, fields: tuple[Field, ...]) -> Facts:
    dependencies, equal = list(below.dependencies), list(below.equal)
    present, owners = dict(below.present), dict(below.owners)
    for made in fields:
        match made.origin:
            case Column(field=found):
                equal.append((column(made), column(found)))
                owners[made.id] = below.owners.get(found.id, below.rows)
                if column(found) in present:
                    present[column(made)] = present[column(found)]
            case SourceColumn() | AggregateCall() | WindowCall():
                pass
            case _ as expression:
                used = list(fields_of(expression))
                dependencies.append(Dependency(frozenset(map(column, used)), frozenset({column(made)})))
                owners[made.id] = frozenset(n for f in used for n in below.owners.get(f.id, below.rows))
    return replace(below, dependencies=tuple(dependencies), equal=tuple(equal), present=present, owners=owners)


def _joined(join: Join, left: Facts, right: Facts) -> Facts:
    keys = [(column(one.field), column(other.field)) for one, other in join.keys]
    match join.kind:
        case JoinKind.INNER:
            both = _both(left, right)
            known = {node: None for pair in keys for node in pair}
            return replace(both, equal=(*both.equal, *keys), present={**both.present, **known})
        case JoinKind.LEFT:
            units = tuple(replace(unit, optional=True) for unit in right.units)
            optional = replace(right, units=units, optional=right.rows)
            both = _both(left, optional)
            matched = Dependency(frozenset(one for one, _ in keys), frozenset(other for _, other in keys))
            # Where there is no match all of the right side is NULL: its keys are missing only with their row.
            known = {other: None for _, other in keys}
            back = Dependency(right.rows, matched.start)
            return replace(
                both,
                dependencies=(*both.dependencies, matched),
                present={**both.present, **known},
                matches=(*both.matches, back),
            )
        case JoinKind.SEMI:
            return _semi(keys, left, right)
        case JoinKind.ANTI:
            return left
        case JoinKind.FULL:
            return _NOBODY  # rows of people are never joined so
        case _ as never:
            assert_never(never)


def _both(left: Facts, right: Facts) -> Facts:
    return Facts(
        rows=left.rows | right.rows,
        units=left.units + right.units,
        dependencies=left.dependencies + right.dependencies,
        equal=left.equal + right.equal,
        present={**left.present, **right.present},
        owners={**left.owners, **right.owners},
        scans={**left.scans, **right.scans},
        numbered={**left.numbered, **right.numbered},
        optional=left.optional | right.optional,
        matches=left.matches + right.matches,
    )


def _semi(keys: list[tuple[Node, Node]], left: Facts, right: Facts) -> Facts:
    """The left rows; of the right side only one unit for each key is left, and it is the key where that names the unit."""
    same = tuple(
        (one, column(unit.field))
        for one, other in keys
        for unit in right.units
        if column(unit.field) in right.same(other)
    )
    carried = Dependency(frozenset(one for one, _ in keys), frozenset(column(unit.field) for unit in right.units))
    return replace(
        left,
        units=left.units + right.units,
        dependencies=(*left.dependencies, carried),
        equal=left.equal + same,
        present={**left.present, **{one: None for one, _ in keys}},
    )


def _grouped(relation: Aggregate, below: Facts) -> Facts:
    """A per-unit table: what held of its rows holds of what its keys determine; each group is one row."""
    inner = _computed(below, relation.keys)
    row: Node = ("row", relation.keys[0].id if relation.keys else 0)
    fields = frozenset(map(column, relation.fields))
    return replace(
        inner,
        rows=frozenset({row}),
        dependencies=(
            *inner.dependencies,
            Dependency(frozenset(map(column, relation.keys)), frozenset({row})),
            Dependency(frozenset({row}), fields),
        ),
        owners={f.id: frozenset({row}) for f in relation.fields},
        scans={row: tuple(scan for node in sorted(below.rows) for scan in below.scans[node])},
        numbered={},
        optional=frozenset(),
        matches=(),
    )


def _windowed(below: Facts, calls: tuple[Field, ...]) -> Facts:
    dependency = Dependency(below.rows, frozenset(map(column, calls)))
    numbered = dict(below.numbered)
    for made in calls:
        match made.origin:
            case WindowCall(function="row_number", partition=partition):
                columns = [part.field for part in partition if isinstance(part, Column)]
                if len(columns) == len(partition):
                    numbered[made.id] = (frozenset(map(column, columns)), below.rows)
    owners = {**below.owners, **{made.id: below.rows for made in calls}}
    return replace(below, dependencies=(*below.dependencies, dependency), owners=owners, numbered=numbered)
