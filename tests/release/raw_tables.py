"""Small raw tables for the tests of release: one group per row, hidden counts as given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from cleanroom.domain.expression import AggregateCall, Column, Field, Literal, SourceColumn, Value
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import Aggregate, Scan
from cleanroom.domain.steps import ConditionalCell, PrivateStep, RawTable
from cleanroom.domain.types import BIGINT, BOOLEAN, VARCHAR

K = 50
SHOPS = DatasetName("retailer.shops")
PERSON = Field(1, "person", BIGINT, False, SourceColumn(SourceId(0), SHOPS, "person"))
VIEWER = Field(2, "viewer", BIGINT, False, SourceColumn(SourceId(1), SHOPS, "viewer"))
REGION = Field(3, "region", VARCHAR, True, SourceColumn(SourceId(0), SHOPS, "region"))
SPEND = Field(4, "spend", BIGINT, True, SourceColumn(SourceId(0), SHOPS, "spend"))

KEY = Field(10, "region", VARCHAR, True, Column(REGION))
ROWS = Field(11, "rows", BIGINT, False, AggregateCall("count_rows"))
TOTAL = Field(12, "total", BIGINT, True, AggregateCall("sum", Column(SPEND)))
OTHER = Field(13, "other", BIGINT, True, AggregateCall("sum", Column(SPEND)))
PLACE = Field(15, "place", VARCHAR, True, Column(SPEND))
KINDS = Field(14, "kinds", BIGINT, False, AggregateCall("count_distinct", Column(SPEND)))
ANY = Literal(True, BOOLEAN)

SCAN = Scan(SourceId(0), SHOPS, "s", (PERSON, VIEWER, REGION, SPEND), (PERSON,))


def step(
    *measures: Field,
    keys: tuple[Field, ...] = (KEY,),
    units: tuple[Field, ...] = (PERSON,),
    conditional: Mapping[Field, int] | None = None,
    distinct: tuple[Field, ...] = (),
    minimum_units: int = K,
) -> PrivateStep:
    cells = tuple(ConditionalCell(measure, condition) for measure, condition in (conditional or {}).items())
    conditions = (ANY,) * (1 + max((cell.condition for cell in cells), default=-1))
    aggregate = Aggregate(SCAN, keys, measures, released=True)
    return PrivateStep("t0", aggregate, units, conditions, cells, distinct, minimum_units)


def raw(private: PrivateStep, hidden: Sequence[str], *rows: Sequence[Value]) -> RawTable:
    """Rows of the step's keys and measures followed by the `hidden` counts, in that order."""
    names = [f"c{field.id}" for field in private.aggregate.fields] + list(hidden)
    types = [pa.string() if field.type == VARCHAR else pa.int64() for field in private.aggregate.fields]
    types += [pa.int64()] * len(hidden)
    columns = [pa.array([row[at] for row in rows], kind) for at, kind in enumerate(types)]
    return RawTable(private, pa.table(columns, names=names))
