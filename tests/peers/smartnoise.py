"""smartnoise-sql → its cases. Devices.yaml names the person of each table; its queries over PUMS come without a schema file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.types import BIGINT, BOOLEAN, DOUBLE, TIMESTAMP, VARCHAR, DataType
from tests.peers.cases import Case, Label, Peer, rows
from tests.peers.policies import PeerColumn, PeerTable, policy_of

TYPES = {"string": VARCHAR, "int": BIGINT, "float": DOUBLE, "boolean": BOOLEAN, "datetime": TIMESTAMP}
PUMS = PeerTable(
    DatasetName("pums.PUMS"),
    ("pid",),
    (
        PeerColumn("pid", BIGINT, join=True),
        *(PeerColumn(name, BIGINT) for name in ("age", "educ", "married")),
        PeerColumn("income", DOUBLE),
    ),
)
"""The columns that the queries over PUMS name, `pid` its person."""


def smartnoise(folder: Path) -> Peer:
    """Stages: `parse` has no metadata, the others judge; what stands in a file `…_fail.sql` must fail at its stage."""
    tables = (*_tables(folder / "Devices.yaml"), PUMS)
    cases = tuple(
        Case(row["stage"], row["sql"], _label(row["stage"], row["expect"])) for row in rows(folder / "cases.jsonl")
    )
    return Peer("smartnoise-sql", "postgres", policy_of(tables), cases)


def _label(stage: str, expect: str) -> Label:
    if expect == "error":
        return Label.REFUSES
    return Label.READS if stage == "parse" else Label.ACCEPTS


def _tables(path: Path) -> tuple[PeerTable, ...]:
    schemas = YAML(typ="safe", pure=True).load(path.read_text())["Devices"]
    return tuple(
        _table(f"{schema.lower()}.{name}", columns)
        for schema, tables in schemas.items()
        for name, columns in tables.items()
    )


def _table(name: str, columns: dict[str, Any]) -> PeerTable:
    described = {column: about for column, about in columns.items() if isinstance(about, dict)}
    people = tuple(column for column, about in described.items() if about.get("private_id"))
    return PeerTable(
        DatasetName(name),
        people,
        tuple(PeerColumn(c, _type(about), join=c in people) for c, about in described.items()),
    )


def _type(about: dict[str, Any]) -> DataType:
    return TYPES[about["type"]]
