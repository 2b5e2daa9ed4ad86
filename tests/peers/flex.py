"""uber-flex → its cases. schema.yaml says which columns are public, tainted, how often a value may occur; it has no types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.types import BIGINT, DATE, DOUBLE, VARCHAR, DataType
from tests.peers.cases import Case, Label, Peer, rows
from tests.peers.names import qualified
from tests.peers.policies import PeerColumn, PeerTable, policy_of

LABELS = {"ok": Label.ACCEPTS, "error": Label.REFUSES, "unlabelled": Label.NONE}
TREES = "TreeTransformationTest"
DIALECT = "trino"


def flex(folder: Path) -> Peer:
    """Groups are its test classes. Those that only build a tree of the query say that they read it."""
    tables = _tables(folder / "schema.yaml")
    partners = {name.partition(".")[2].lower(): name.partition(".")[0] for name in (t.name for t in tables)}
    cases = tuple(
        Case(
            row["file"].removesuffix(".scala"),
            qualified(_unescaped(row["sql"]), DIALECT, partners),
            _label(row["file"], row["expect"]),
            row["assertion"] or "" if row["expect"] == "error" else "",
        )
        for row in rows(folder / "cases.jsonl")
    )
    return Peer("uber-flex", DIALECT, policy_of(tables), cases)


def _label(file: str, expect: str) -> Label:
    return Label.READS if file.startswith(TREES) and expect == "ok" else LABELS[expect]


def _unescaped(sql: str) -> str:
    """Without the backslashes of the Scala string that it was taken from."""
    return sql.replace('\\"', '"').replace("\\n", "\n")


def _tables(path: Path) -> tuple[PeerTable, ...]:
    databases = YAML(typ="safe", pure=True).load(path.read_text())["databases"]
    return tuple(
        _table(database["namespace"] or database["database"], table)
        for database in databases
        for table in database["tables"]
    )


def _table(namespace: str, table: dict[str, Any]) -> PeerTable:
    name = table["table"] if "." in table["table"] else f"{namespace}.{table['table']}"
    columns = [c for c in table["columns"] if "fields" not in c]
    names = [c["name"] for c in columns]
    metric = [c["name"] for c in columns if "maxFreq" in c]
    unit = "customer_id" if "customer_id" in names else (metric or names)[0]
    public = bool(table.get("isPublic"))
    return PeerTable(
        DatasetName(name),
        (unit,),
        tuple(_column(c, unit=c["name"] == unit, public=public) for c in columns),
        tuple((c["name"],) for c in columns if c.get("maxFreq") == 1),
    )


def _column(column: dict[str, Any], *, unit: bool, public: bool) -> PeerColumn:
    """What has a metric may be joined; what may be released is grouped by instead, for here it is never both."""
    released = bool(column.get("canRelease")) or (public and not unit)
    tainted = bool(column.get("isTainted"))
    return PeerColumn(
        column["name"],
        _type(column["name"]),
        join="maxFreq" in column and not released,
        group=released,
        filter=not tainted,
        aggregate=not tainted,
    )


def _type(name: str) -> DataType:
    """Told from the name, as a reader of the schema would."""
    if name.endswith("_id") or name == "quantity":
        return BIGINT
    if name.endswith("_date"):
        return DATE
    return DOUBLE if name in ("price", "order_cost") else VARCHAR
