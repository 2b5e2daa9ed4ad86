"""A released table beside the rows that it was made of → its groups, and for each shown cell the paths that it used."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from cleanroom.domain.expression import Case, Column, Expression, Field, Literal, SourceColumn, Value, walk
from cleanroom.domain.identifiers import SourceId
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Relation, relations, scans
from cleanroom.domain.steps import column_name
from cleanroom.engines.memory_expressions import evaluate
from tests.oracle_rows import (
    CHOOSING,
    Datasets,
    Path,
    People,
    Row,
    Sources,
    call_of,
    grouped,
    meets,
    plain,
    rows_of,
    tag_of,
)

Key: TypeAlias = tuple[Hashable, ...]
Shown: TypeAlias = Mapping[str, Value]
Use: TypeAlias = tuple[Row, Path]


@dataclass(frozen=True, slots=True)
class Optional:
    """A source that a left join may find no match in. `repeats`: it has several rows for one of the left side."""

    source: SourceId
    repeats: bool


class Released:
    """One release: what the plan asked for, what was shown of it, and the people's rows of each of its groups."""

    def __init__(self, aggregate: Aggregate, shown: Sequence[Shown], datasets: Datasets, minimum: int) -> None:
        self.aggregate, self.shown, self.datasets, self.minimum = aggregate, shown, datasets, minimum
        self.people = People(aggregate.input, datasets)
        self.sources = Sources(aggregate.input)
        self.groups = grouped(aggregate.keys, rows_of(aggregate.input, datasets))
        self.optional = {o.source: o for o in _optional(aggregate.input, datasets)}
        self.asked = self._asked()

    @property
    def measures(self) -> tuple[Field, ...]:
        return self.aggregate.measures

    def key(self, row: Shown) -> Key:
        return tuple(plain(row[column_name(key)]) for key in self.aggregate.keys)

    def shown_measures(self, row: Shown) -> list[Field]:
        return [measure for measure in self.measures if row[column_name(measure)] is not None]

    def uses(self, members: Sequence[Row]) -> list[Use]:
        return [(row, path) for row in members for path in row.paths]

    def tag(self, measure: Field, use: Use) -> Hashable:
        """The branches on which the cell used this path of this row, a match or none being one; None where it did not.

        What adds nothing to a sum is as good as not used.
        """
        call = call_of(measure)
        if call.function == "sum" and call.argument is not None and _adds_zero(call.argument, use[0]):
            return None
        tags = self._tags(measure, use)
        if tags is None:
            return None
        matched = tuple(any(s == source for s, _ in use[1]) for source in sorted(self.optional_of(measure)))
        return (matched, *tags)

    def _tags(self, measure: Field, use: Use) -> tuple[Hashable, ...] | None:
        call = call_of(measure)
        if not meets(call, use[0]):
            return None
        tags = tuple(tag_of(a, *use) for a in (call.argument, call.second) if a is not None)
        return None if any(tag is None for tag in tags) else tags

    def sources_of(self, measure: Field) -> frozenset[SourceId]:
        """The sources that the cell's argument and condition look at."""
        call = call_of(measure)
        return self.sources.all_of(e for e in (call.argument, call.second, call.condition) if e is not None)

    def optional_of(self, measure: Field) -> frozenset[SourceId]:
        """The optional sources that the cell's value depends on: by its columns, or because they repeat its rows."""
        looked_at = self.sources_of(measure)
        counts_repeats = call_of(measure).function not in ("count_distinct", "min", "max")
        return frozenset(
            o.source for o in self.optional.values() if o.source in looked_at or (o.repeats and counts_repeats)
        )

    def paths(self, measure: Field, members: Sequence[Row]) -> list[Path]:
        """The paths that one cell used."""
        return [use[1] for use in self.uses(members) if self._tags(measure, use) is not None]

    def lacking(self, paths: Sequence[Path], sources: frozenset[SourceId] | None = None) -> Iterator[str]:
        """What kinds of people there are some of behind these paths, but too few."""
        for scan, column in self.people.columns:
            if sources is not None and scan.source not in sources:
                continue
            count = len(self.people.units(scan, column, paths))
            if 0 < count < self.minimum:
                yield f"{count} {column} of {scan.dataset}"

    @property
    def required(self) -> frozenset[SourceId]:
        return frozenset(scan.source for scan in self.people.scans) - self.optional.keys()

    def enough_for_a_row(self, members: Sequence[Row]) -> bool:
        """Whether a group may be a row: enough of every required source, of an optional one that is asked for enough or none."""
        paths = [path for _, path in self.uses(members)]
        counts = [(scan.source, len(self.people.units(scan, column, paths))) for scan, column in self.people.columns]
        required = all(count >= self.minimum for source, count in counts if source in self.required)
        asked = all(count == 0 or count >= self.minimum for source, count in counts if source in self.asked)
        return required and asked

    def _asked(self) -> frozenset[SourceId]:
        """The optional sources that a key or a predicate depends on."""
        looked_at = self.sources.all_of(Column(key) for key in self.aggregate.keys)
        for relation in relations(self.aggregate.input):
            match relation:
                case Filter(predicate=predicate):
                    free = frozenset(scan.source for scan in scans(relation)) & _optional_at(relation)
                    looked_at |= self.sources.all_of([predicate]) & free
                case Join(keys=keys):
                    below = _optional_at(relation.left) | _optional_at(relation.right)
                    looked_at |= self.sources.all_of(side for pair in keys for side in pair) & below
        return looked_at & self.optional.keys()


def _optional_at(relation: Relation) -> frozenset[SourceId]:
    return frozenset(
        scan.source
        for join in relations(relation)
        if isinstance(join, Join) and join.kind is JoinKind.LEFT
        for scan in scans(join.right)
    )


def _optional(relation: Relation, datasets: Datasets) -> Iterator[Optional]:
    for join in relations(relation):
        if isinstance(join, Join) and join.kind is JoinKind.LEFT:
            rows = rows_of(join.right, datasets)
            names = [tuple(plain(row.values[key.field.id]) for _, key in join.keys) for row in rows]
            known = [name for name in names if None not in name]
            for scan in scans(join.right):
                yield Optional(scan.source, len(set(known)) < len(known))


def _adds_zero(argument: Expression, row: Row) -> bool:
    """Whether the argument's branch for this row is a literal 0: a sum is the same without the row."""
    match argument:
        case Case(branches=branches, default=default):
            chosen = next((v for c, v in branches if evaluate(c, row.values) is True), default)
            return chosen is not None and _adds_zero(chosen, row)
        case Literal(value=value):
            return value == 0
    return False


def is_conditional(measure: Field) -> bool:
    """Whether some rows of the group may not count for the cell: a condition, or an argument that may be unknown."""
    call = call_of(measure)
    arguments = [a for a in (call.argument, call.second) if a is not None]
    return call.condition is not None or any(not isinstance(a, Column) or a.field.nullable for a in arguments)


def is_simple(released: Released) -> bool:
    """Whether all that is withheld is withheld for people or atoms too small: inner joins of rows alone, no CASE, no clamp."""
    joins = {r.kind for r in relations(released.aggregate.input) if isinstance(r, Join)}
    plain_relations = not any(isinstance(r, Aggregate) for r in relations(released.aggregate.input))
    arguments = [
        node
        for m in released.measures
        for a in _parts(m)
        for node in walk(a)
        if isinstance(node, Case) or _chooses(node)
    ]
    return joins <= {JoinKind.INNER} and plain_relations and not arguments


def _parts(measure: Field) -> list[Expression]:
    call = call_of(measure)
    found = [a for a in (call.argument, call.second) if a is not None]
    return found + [
        a.field.origin
        for a in found
        if isinstance(a, Column) and not isinstance(a.field.origin, SourceColumn)  # type: ignore[misc]
    ]


def _chooses(node: Expression) -> bool:
    return getattr(node, "function", None) in CHOOSING


def anti_joins(relation: Relation) -> Iterator[Join]:
    """Every anti-join below that takes people's rows away."""
    for below in relations(relation):
        if isinstance(below, Join) and below.kind is JoinKind.ANTI:
            yield below


# --- brute force ---------------------------------------------------------------------------------------------------


def brute_force(measure: Field, members: Sequence[Row]) -> Value:
    """The aggregate over all rows of a group, NULLs passed over."""
    call = call_of(measure)
    rows = [row for row in members if meets(call, row)]
    if call.function in ("count_rows", "count"):
        return len(rows)
    assert call.argument is not None
    values = [evaluate(call.argument, row.values) for row in rows]
    if call.function == "count_distinct":
        return len({plain(value) for value in values})
    if not values:
        return None
    exact = [Fraction(value) for value in values]  # type: ignore[arg-type]
    if call.function == "sum":
        return float(sum(exact)) if isinstance(values[0], float) else _exact(sum(exact, Fraction(0)))
    if call.function == "avg":
        return float(sum(exact) / len(exact))
    others = exact if call.second is None else [Fraction(evaluate(call.second, r.values)) for r in rows]  # type: ignore[arg-type]
    return _moments(call.function, exact, others)


def _moments(function: str, left: Sequence[Fraction], right: Sequence[Fraction]) -> Value:
    count = len(left)
    if count < 2 and not function.endswith("_pop") and function != "corr":
        return None
    one, other, both = _deviation(left, left), _deviation(right, right), _deviation(left, right)
    match function:
        case "variance" | "covar":
            return float(both / (count - 1))
        case "variance_pop" | "covar_pop":
            return float(both / count)
        case "stddev":
            return math.sqrt(both / (count - 1))
        case "stddev_pop":
            return math.sqrt(both / count)
        case "corr":
            return float(both) / math.sqrt(one * other) if one and other else None
        case _:
            raise AssertionError(f"{function} is never released")


def _deviation(left: Sequence[Fraction], right: Sequence[Fraction]) -> Fraction:
    mean, other = sum(left) / len(left), sum(right) / len(right)
    return sum(((x - mean) * (y - other) for x, y in zip(left, right, strict=True)), Fraction(0))


def close(left: Value, right: Value) -> bool:
    """Equal, or doubles that differ by rounding alone: sums of doubles depend on the order of their terms."""
    if isinstance(left, float) or isinstance(right, float):
        if left is None or right is None:
            return False
        if math.isnan(float(left)):  # type: ignore[arg-type]
            return math.isnan(float(right))  # type: ignore[arg-type]
        return math.isclose(float(left), float(right), rel_tol=1e-9, abs_tol=1e-6)  # type: ignore[arg-type]
    return plain(left) == plain(right)


def _exact(total: Fraction) -> Value:
    if total.denominator == 1:
        return int(total)
    digits = next(n for n in range(40) if 10**n % total.denominator == 0)
    return Decimal(int(total * 10**digits)).scaleb(-digits)
