"""The typed relational algebra. Frozen nodes; `released` says whether rows still belong to people or describe groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from cleanroom.domain.expression import Column, Expression, Field, Place, SortKey, inputs
from cleanroom.domain.identifiers import DatasetName, SourceId


class JoinKind(StrEnum):
    """LEFT keeps every row of the left side. SEMI and ANTI keep the left rows that have, and have not, a match, once each.

    FULL is for released relations alone.
    """

    INNER = "inner"
    LEFT = "left"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"


class SetKind(StrEnum):
    """UNION_ALL keeps every row; the others have no row twice."""

    UNION_ALL = "union_all"
    UNION = "union"
    INTERSECT = "intersect"
    EXCEPT = "except"


@dataclass(frozen=True, slots=True)
class Scan:
    """One reading of a dataset under one alias. Private.

    `fields` are all declared columns, `units` those that name the protected people (never NULL after the scan).
    `row_filter` is the owner's own condition over `fields`, applied before anything else.
    """

    source: SourceId
    dataset: DatasetName
    alias: str
    fields: tuple[Field, ...]
    units: tuple[Field, ...]
    row_filter: Expression | None = None
    at: Place | None = None
    released: bool = False


@dataclass(frozen=True, slots=True)
class ReleasedScan:
    """A reading of a table that `release` made in an earlier step. Stands in executable plans only."""

    table: str
    fields: tuple[Field, ...]
    released: bool = True


@dataclass(frozen=True, slots=True)
class OneRow:
    """The relation of a SELECT without FROM: one row, no columns, nobody in it."""

    fields: tuple[Field, ...] = ()
    released: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    input: Relation
    predicate: Expression
    released: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields


@dataclass(frozen=True, slots=True)
class Project:
    """Computes `fields` (each with an expression as origin) and keeps nothing else visible."""

    input: Relation
    fields: tuple[Field, ...]
    released: bool


@dataclass(frozen=True, slots=True)
class Join:
    """Rows of both sides whose key pairs (left, right) are all equal. No pairs: every row with every row.

    Over people's rows a SEMI join carries, for each unit of the right side, the least of the matching rows': those that
    are counted are then no more than there are. An ANTI join carries the left side's units alone.
    """

    left: Relation
    right: Relation
    kind: JoinKind
    keys: tuple[tuple[Column, Column], ...]
    released: bool
    at: Place | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        match self.kind:
            case JoinKind.INNER:
                return self.left.fields + self.right.fields
            case JoinKind.LEFT:
                return self.left.fields + _nullable(self.right.fields)
            case JoinKind.FULL:
                return _nullable(self.left.fields) + _nullable(self.right.fields)
            case JoinKind.SEMI | JoinKind.ANTI:
                return self.left.fields
            case _ as never:
                assert_never(never)


def _nullable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(replace(field, nullable=True) for field in fields)


@dataclass(frozen=True, slots=True)
class SetOperation:
    """The rows of several released relations put together. `fields` stand for the columns of every input, by position."""

    inputs: tuple[Relation, ...]
    kind: SetKind
    fields: tuple[Field, ...]
    released: bool = True


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row a group. `keys` have expressions as origins, `measures` aggregate calls. No keys: one group, even of no rows.

    Over a Private input it is a release (`released`) or, where its keys determine every unit, a per-unit table: then the
    hidden units pass through it, each group having one of each.
    """

    input: Relation
    keys: tuple[Field, ...]
    measures: tuple[Field, ...]
    released: bool
    at: Place | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.keys + self.measures


@dataclass(frozen=True, slots=True)
class Window:
    """Its input with one more field for each window call. Over a Private input the partition determines every unit."""

    input: Relation
    calls: tuple[Field, ...]
    released: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields + self.calls


@dataclass(frozen=True, slots=True)
class Sort:
    input: Relation
    keys: tuple[SortKey, ...]
    released: bool

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` rows (None: all) after the first `offset`."""

    input: Relation
    count: int | None
    offset: int
    released: bool
    at: Place | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        return self.input.fields


Relation = Scan | ReleasedScan | OneRow | Filter | Project | Join | SetOperation | Aggregate | Window | Sort | Limit


@dataclass(frozen=True, slots=True)
class Plan:
    """What the analyst asked, in our words. `root.fields` are the output columns, in order and by name.

    `unused` are common table expressions that nothing reads: never run, but what is blocked is blocked there too.
    """

    root: Relation
    unused: tuple[Relation, ...] = ()


def inputs_of(relation: Relation) -> tuple[Relation, ...]:
    """The relations directly below this one."""
    match relation:
        case Scan() | ReleasedScan() | OneRow():
            return ()
        case Join(left=left, right=right):
            return (left, right)
        case SetOperation(inputs=inputs):
            return inputs
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit():
            return (relation.input,)
        case _ as never:
            assert_never(never)


def relations(root: Relation) -> Iterator[Relation]:
    """The relation and everything below it, each node once, inputs first."""
    found: dict[int, Relation] = {}

    def visit(relation: Relation) -> None:
        for below in inputs_of(relation):
            if id(below) not in found:
                visit(below)
        found[id(relation)] = relation

    visit(root)
    return iter(found.values())


def scans(root: Relation) -> tuple[Scan, ...]:
    """Every scan below, in the order of their sources."""
    found = [relation for relation in relations(root) if isinstance(relation, Scan)]
    return tuple(sorted(found, key=lambda scan: scan.source))


def units_of(relation: Relation) -> tuple[Field, ...]:
    """The units that the relation's rows carry, visible or not; those of an ANTI join's right side are not there."""
    match relation:
        case Scan(units=units):
            return units
        case Join(kind=JoinKind.ANTI, left=left):
            return units_of(left)
    return tuple(unit for below in inputs_of(relation) for unit in units_of(below))


def carried(relation: Relation) -> frozenset[Field]:
    """Every field that can be read of the rows: of people's rows also what no projection names, as long as rows stay rows."""
    match relation:
        case Filter(input=below) | Sort(input=below) | Limit(input=below):
            return carried(below)
        case Window(input=below, calls=calls):
            return carried(below) | set(calls)
        case Project(input=below, fields=fields, released=False):
            return carried(below) | set(fields)
        case Aggregate(released=False):
            return frozenset(relation.fields) | set(units_of(relation))
        case Join(kind=JoinKind.SEMI, left=left, right=right, released=False):
            return carried(left) | set(units_of(right))
        case Join(kind=JoinKind.ANTI, left=left, released=False):
            return carried(left)
        case Join(left=left, right=right, released=False):
            return carried(left) | carried(right)
    return frozenset(relation.fields)


def releases(root: Relation) -> tuple[Aggregate, ...]:
    """Every aggregate that turns Private rows into Released ones, inputs first."""
    return tuple(
        relation
        for relation in relations(root)
        if isinstance(relation, Aggregate) and relation.released and not relation.input.released
    )


def expressions(relation: Relation) -> tuple[Expression, ...]:
    """The expressions that this node itself evaluates; an owner's row filter is not the analyst's and left out."""
    match relation:
        case Scan() | ReleasedScan() | OneRow() | SetOperation() | Limit():
            return ()
        case Filter(predicate=predicate):
            return (predicate,)
        case Project(fields=fields) | Window(calls=fields):
            return tuple(part for f in fields for part in inputs(f.origin))
        case Join(keys=keys):
            return tuple(side for pair in keys for side in pair)
        case Aggregate(keys=group, measures=measures):
            return tuple(part for f in (*group, *measures) for part in inputs(f.origin))
        case Sort(keys=order):
            return tuple(key.expression for key in order)
        case _ as never:
            assert_never(never)
