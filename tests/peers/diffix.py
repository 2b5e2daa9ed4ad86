"""pg_diffix → its cases. Its set-up statements create the tables and mark whose data each holds (its AID columns)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlglot import exp

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.types import BIGINT, DOUBLE, VARCHAR, DataType, parse_type
from tests.peers.cases import Case, Label, Peer, rows
from tests.peers.names import qualified, tree_of
from tests.peers.policies import PeerColumn, PeerTable, policy_of

DIALECT = "postgres"
PARTNER = "public"
OWN_WORDS = ("diffix.", "pg_", "information_schema.")
_FILTERABLE = re.compile(r"CALL diffix\.mark_(not_)?filterable\('(\w+)', '(\w+)'\)")
_PERSONAL = re.compile(r"CALL diffix\.mark_personal\('(?:public\.)?(\w+)',\s*(.+)\)\s*\Z", re.DOTALL)


@dataclass(slots=True)
class Schema:
    """What the set-up statements read so far have made."""

    columns: dict[str, dict[str, DataType | None]] = field(default_factory=dict)
    people: dict[str, tuple[str, ...]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    not_filterable: set[tuple[str, str]] = field(default_factory=set)


def diffix(folder: Path) -> Peer:
    """Groups are its files with the session's access level; outside an anonymised one its answer says nothing of privacy."""
    found = list(rows(folder / "cases.jsonl"))
    schema = Schema()
    for row in found:
        _set_up(row["sql"], schema)
    tables = tuple(_table(name, schema) for name in schema.columns)
    partners = dict.fromkeys(schema.columns, PARTNER)
    cases = tuple(
        Case(_group(row), qualified(row["sql"], DIALECT, partners), _label(row), row["error"] or "")
        for row in found
        if row["expect"] != "setup"
    )
    lacking = frozenset(c for columns in schema.columns.values() for c, kind in columns.items() if kind is None)
    return Peer("pg_diffix", DIALECT, policy_of(tables), cases, OWN_WORDS, lacking, groups_by_itself=True)


def _group(row: dict[str, Any]) -> str:
    return f"{row['file']}, {row['access_level'] or 'owner'}"


def _label(row: dict[str, Any]) -> Label:
    if not (row["access_level"] or "").startswith("anonymized"):
        return Label.NONE
    return Label.REFUSES if row["expect"] == "error" else Label.ACCEPTS


def _set_up(sql: str, schema: Schema) -> None:
    """Reads CREATE TABLE and mark_personal; other statements make no table."""
    if marked := _PERSONAL.match(sql):
        schema.people.setdefault(marked[1], tuple(re.findall(r"'(\w+)'", marked[2])))
    if marked := _FILTERABLE.match(sql):
        (schema.not_filterable.add if marked[1] else schema.not_filterable.discard)((marked[2], marked[3]))
    if not sql.startswith("CREATE TABLE"):
        return
    if copied := re.match(r"CREATE TABLE (\w+) AS TABLE (\w+)", sql):
        schema.columns[copied[1]] = schema.columns[copied[2]]
        return
    tree = tree_of(sql, DIALECT)
    assert isinstance(tree, exp.Create), sql
    table = next(tree.find_all(exp.Table)).name
    schema.columns[table] = dict(_selected(tree, schema) if tree.expression else _declared(tree))
    for column in tree.find_all(exp.ColumnDef):
        if column.find(exp.PrimaryKeyColumnConstraint):
            schema.keys[table] = column.name


def _declared(tree: exp.Create) -> Iterator[tuple[str, DataType | None]]:
    for column in tree.find_all(exp.ColumnDef):
        yield column.name, _type(column.kind)


def _selected(tree: exp.Create, schema: Schema) -> Iterator[tuple[str, DataType | None]]:
    """Of CREATE TABLE … AS SELECT: the cast that says it, else the type of the column inside, else text from a function."""
    select = tree.expression.find(exp.Select)
    source = schema.columns.get(select.args["from_"].this.name, {})
    for made in select.expressions:
        cast, column = made.find(exp.Cast), made.find(exp.Column)
        outer = made.unalias()
        if isinstance(outer, exp.Cast) and cast is not None:
            yield made.alias_or_name, _type(cast.to)
        elif column is not None and not isinstance(outer, exp.Func):
            yield made.alias_or_name, source.get(column.name, BIGINT)
        else:
            yield made.alias_or_name, VARCHAR


def _type(declared: exp.DataType | None) -> DataType | None:
    """None where nothing here has that type (TIME, INTERVAL); a moment with a zone is kept as the moment."""
    name = declared.sql(DIALECT) if declared is not None else ""
    if name == "REAL":
        return DOUBLE
    return parse_type("TIMESTAMP" if name.startswith("TIMESTAMPTZ") else name)


def _table(name: str, schema: Schema) -> PeerTable:
    """A public table is about its own rows: its primary key stands for the person."""
    columns = {c: kind for c, kind in schema.columns[name].items() if kind is not None}
    key = schema.keys.get(name)
    people = schema.people.get(name) or ((key,) if key else tuple(columns)[:1])
    return PeerTable(
        DatasetName(f"{PARTNER}.{name}"),
        people,
        tuple(
            PeerColumn(c, kind, join=c in people or _refers(c, columns), filter=(name, c) not in schema.not_filterable)
            for c, kind in columns.items()
        ),
        ((key,),) if key else (),
    )


def _refers(column: str, columns: dict[str, DataType]) -> bool:
    """Whether the column is the key of another table (`pid` of a purchase)."""
    return column.endswith("id") and columns[column].is_number
