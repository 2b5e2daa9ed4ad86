"""Tables of another project → the policy of owners who allow all that a document can allow of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cleanroom.domain.functions import LISTABLE_AGGREGATES, LISTABLE_FUNCTIONS
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName, PartnerName, fold, owner_of
from cleanroom.domain.policy import (
    Ability,
    AggregateArguments,
    AnalysisRule,
    Collaboration,
    ColumnRule,
    Dataset,
    DatasetColumn,
    Domain,
    JoinPartner,
    JoinRule,
    Member,
    Policy,
    Use,
)
from cleanroom.domain.types import DataType

RUNNER = PartnerName("analyst")
COLLABORATION = CollaborationName("peers")
MINIMUM_UNITS = 10
COUNTS = frozenset({"count", "count_distinct"})


@dataclass(frozen=True, slots=True)
class PeerColumn:
    """A column and what its project lets be done with it; a join column is never grouped by or filtered on."""

    name: str
    type: DataType
    join: bool = False
    group: bool = True
    filter: bool = True
    aggregate: bool = True


@dataclass(frozen=True, slots=True)
class PeerTable:
    """A table `<partner>.<dataset>`, whom its rows are about, and its unique sets of columns."""

    name: DatasetName
    units: tuple[str, ...]
    columns: tuple[PeerColumn, ...]
    unique: tuple[tuple[str, ...], ...] = ()


def policy_of(tables: tuple[PeerTable, ...], *, same_names: bool = False) -> Policy:
    """All of the tables in one collaboration, joined both ways on every pair of join columns of one type.

    With `same_names` the two must be called the same too.
    """
    partners = dict.fromkeys((*(owner_of(t.name) for t in tables), RUNNER))
    members = tuple(Member(p, frozenset(Ability) if p == RUNNER else frozenset({Ability.CONTRIBUTE})) for p in partners)
    return Policy(
        Collaboration(COLLABORATION, "", members),
        {table.name: _dataset(table) for table in tables},
        {table.name: _rule(table, tables, same_names=same_names) for table in tables},
    )


def _dataset(table: PeerTable) -> Dataset:
    columns = tuple(DatasetColumn(c.name, c.type, nullable=True) for c in table.columns)
    return Dataset(
        table.name, ConnectionName("peer"), "x.parquet", Domain.EVENT, "", "", table.units, table.unique, columns
    )


def _rule(table: PeerTable, tables: tuple[PeerTable, ...], *, same_names: bool) -> AnalysisRule:
    partners = tuple(p for other in tables for p in _partners(table, other, same_names=same_names))
    return AnalysisRule(
        table.name,
        COLLABORATION,
        MINIMUM_UNITS,
        {c.name: _column(c, unit=c.name in table.units) for c in table.columns},
        JoinRule(kinds=frozenset({"inner", "left", "semi", "anti"}), partners=partners) if partners else JoinRule(),
        count_rows=True,
        functions=frozenset(LISTABLE_FUNCTIONS),
        query_runners=frozenset({RUNNER}),
        result_receivers=frozenset({RUNNER}),
        aggregate_arguments=AggregateArguments.EXPRESSIONS,
        per_unit_analysis=True,
    )


def _column(column: PeerColumn, *, unit: bool) -> ColumnRule:
    key = column.join or unit
    numeric = column.type.is_number and column.aggregate and not key
    return ColumnRule(
        join=column.join,
        group=Use() if column.group and not key else None,
        filter=Use() if column.filter and not key else None,
        aggregate=LISTABLE_AGGREGATES if numeric else COUNTS if column.aggregate else frozenset(),
    )


def _partners(mine: PeerTable, other: PeerTable, *, same_names: bool) -> Iterator[JoinPartner]:
    if mine.name == other.name:
        return
    for column in mine.columns:
        for theirs in other.columns:
            named = not same_names or fold(column.name) == fold(theirs.name)
            if column.join and theirs.join and column.type == theirs.type and named:
                yield JoinPartner(other.name, ((column.name, theirs.name),))
