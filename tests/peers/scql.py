"""SCQL → its cases. Each column has, for the asking party, a level of its column control list (CCL): what it may be used for."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.types import BIGINT, DOUBLE, TIMESTAMP, VARCHAR
from tests.peers.cases import Case, Label, Peer, rows
from tests.peers.policies import PeerColumn, PeerTable, policy_of

TYPES = {"int": BIGINT, "float": DOUBLE, "string": VARCHAR, "datetime": TIMESTAMP, "timestamp": TIMESTAMP}
LABELS = {"ok": Label.ACCEPTS, "error": Label.REFUSES}


def scql(folder: Path) -> Peer:
    """Groups are its test suites. It names no people: a row is about the first column by which parties may meet."""
    columns = list(rows(folder / "columns.jsonl"))
    tables = tuple(_table(name, list(group)) for name, group in groupby(columns, _table_name))
    cases = tuple(Case(row["src"], row["sql"], LABELS[row["expect"]]) for row in rows(folder / "cases.jsonl"))
    return Peer("scql", "mysql", policy_of(tables, same_names=True), cases)


def _table_name(column: dict[str, Any]) -> str:
    return f"{column['db']}.{column['table']}"


def _table(name: str, columns: list[dict[str, Any]]) -> PeerTable:
    found = tuple(_column(c) for c in columns)
    unit = next((c.name for c in found if c.join), found[0].name)
    return PeerTable(DatasetName(name), (unit,), found)


def _column(column: dict[str, Any]) -> PeerColumn:
    """By the level for the party that asks, the first of the list; `plain` may be shown, and so used in any way."""
    level = column["ccl"][0]
    return PeerColumn(
        column["column"],
        TYPES[column["dtype"]],
        join=level == "join",
        group=level in ("plain", "groupby"),
        filter=level in ("plain", "compare"),
        aggregate=level in ("plain", "aggregate", "join", "groupby", "encrypt"),
    )
