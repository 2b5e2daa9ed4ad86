"""Plans by hand, for tests of what comes after the parser: datasets, scans, columns and measures in a line each."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Column,
    Expression,
    Field,
    Literal,
    SourceColumn,
    Value,
    WindowCall,
)
from cleanroom.domain.identifiers import ConnectionName, DatasetName, SourceId
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Project, Relation, ReleasedScan, Scan, Window
from cleanroom.domain.policy import Dataset, DatasetColumn, Domain, SmallGroups
from cleanroom.domain.steps import FinalStep, PrivateStep, Removal
from cleanroom.domain.types import BIGINT, BOOLEAN, DATE, DOUBLE, NULL, TIMESTAMP, VARCHAR, DataType, Kind, parse_type


def dataset(name: str, columns: Mapping[str, str], *, units: tuple[str, ...] = ("user_id",)) -> Dataset:
    """A dataset of these columns: name → type as in a document."""
    declared = tuple(DatasetColumn(column, typed(text)) for column, text in columns.items())
    return Dataset(
        DatasetName(name), ConnectionName("lake"), "x.parquet", Domain.EVENT, "o@example.org", "", units, (), declared
    )


def typed(text: str) -> DataType:
    found = parse_type(text)
    assert found is not None, text
    return found


def literal(value: Value) -> Literal:
    """The value with the type that a query's literal of it would have."""
    return Literal(value, _type_of(value))


def _type_of(value: Value) -> DataType:
    match value:
        case None:
            return NULL
        case bool():
            return BOOLEAN
        case int():
            return BIGINT
        case float():
            return DOUBLE
        case str():
            return VARCHAR
        case Decimal():
            return DataType(Kind.DECIMAL, 18, max(0, -int(value.as_tuple().exponent)))
        case datetime.datetime():
            return TIMESTAMP
        case _:
            return DATE


def call(function: str, *arguments: Expression | Value, type: DataType = BOOLEAN) -> Call:
    """A call; bare Python values among the arguments become literals."""
    parts = tuple(
        a if not isinstance(a, Value | None) else literal(a)  # type: ignore[arg-type]
        for a in arguments
    )
    return Call(function, parts, type)


class PlanBuilder:
    """Hands out fields with unique ids, and the nodes over them."""

    def __init__(self) -> None:
        self._fields = 0
        self._sources = 0

    def field(self, name: str, type: DataType, origin: object) -> Field:
        self._fields += 1
        return Field(self._fields, name, type, True, origin)  # type: ignore[arg-type]

    def scan(self, of: Dataset, row_filter: Callable[[Scan], Expression] | None = None) -> Scan:
        self._sources += 1
        source = SourceId(self._sources)
        fields = tuple(self.field(c.name, c.type, SourceColumn(source, of.name, c.name)) for c in of.columns)
        units = tuple(f for f in fields if f.name in of.privacy_units)
        scan = Scan(source, of.name, of.name.partition(".")[2], fields, units)
        if row_filter is None:
            return scan
        return Scan(source, of.name, scan.alias, fields, units, row_filter(scan))

    def computed(self, expression: Expression, name: str = "computed") -> Field:
        return self.field(name, expression.type, expression)

    def measure(
        self,
        function: str,
        argument: Expression | None = None,
        type: DataType = BIGINT,
        condition: Expression | None = None,
        second: Expression | None = None,
    ) -> Field:
        return self.field(function, type, AggregateCall(function, argument, condition=condition, second=second))

    def window(self, call: WindowCall, type: DataType = BIGINT) -> Field:
        return self.field(call.function, type, call)

    def released(self, table: str, columns: Mapping[str, str]) -> ReleasedScan:
        """A released table; its columns are c<id> in the order given."""
        made = tuple(
            self.field(name, _released_type(text), AggregateCall("count_rows")) for name, text in columns.items()
        )
        return ReleasedScan(table, made)


def _released_type(text: str) -> DataType:
    return DataType(Kind.HUGEINT) if text == "HUGEINT" else typed(text)


def col(relation: Relation, name: str) -> Column:
    """The first column of that name."""
    return Column(next(f for f in relation.fields if f.name == name))


def where(relation: Relation, predicate: Expression) -> Filter:
    return Filter(relation, predicate, relation.released)


def inner_join(left: Relation, right: Relation, *keys: tuple[str, str]) -> Join:
    pairs = tuple((col(left, mine), col(right, theirs)) for mine, theirs in keys)
    return Join(left, right, JoinKind.INNER, pairs, left.released and right.released)


def joined(kind: JoinKind, left: Relation, right: Relation, *keys: tuple[str, str]) -> Join:
    """A join of any kind; `keys` name a column of each side."""
    return replace(inner_join(left, right, *keys), kind=kind)


def per_unit(source: Relation, keys: tuple[Field, ...], measures: tuple[Field, ...] = ()) -> Aggregate:
    """A table of one row for each person and whatever else is among the keys."""
    return Aggregate(source, keys, measures, released=False)


def windowed(source: Relation, *calls: Field) -> Window:
    return Window(source, calls, source.released)


def project(relation: Relation, *fields: Field) -> Project:
    return Project(relation, fields, relation.released)


def release(
    source: Relation,
    keys: tuple[Field, ...] = (),
    measures: tuple[Field, ...] = (),
    *,
    units: tuple[Field, ...],
    conditions: tuple[Expression, ...] = (),
    distinct: tuple[Field, ...] = (),
    minimum_units: int = 1,
    optional: tuple[Field, ...] = (),
    unasked: tuple[Field, ...] = (),
    removals: tuple[Removal, ...] = (),
    finer: tuple[tuple[Field, ...], ...] = (),
    beside: tuple[tuple[Field, ...], ...] = (),
    small_groups: SmallGroups = SmallGroups.DROP,
) -> PrivateStep:
    return PrivateStep(
        "s0",
        Aggregate(source, keys, measures, released=True),
        units,
        conditions,
        (),
        distinct,
        minimum_units,
        optional=frozenset(optional),
        unasked=frozenset(unasked),
        removals=removals,
        finer=finer,
        beside=beside,
        small_groups=small_groups,
    )


def final(relation: Relation) -> FinalStep:
    return FinalStep(relation, tuple(f"{field.name}_{i}" for i, field in enumerate(relation.fields)))
