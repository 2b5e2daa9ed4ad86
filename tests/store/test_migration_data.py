"""Every table of this version filled → down to each earlier version and up again: what that version has a place for is kept."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    insert,
    inspect,
)

from cleanroom.audit.canonical import canonical
from cleanroom.store import migration
from cleanroom.store.database import Database
from cleanroom.store.schema import UtcDateTime, metadata
from tests.store.world import NOON, happened

ROWS = 2
Rows = dict[str, list[dict[str, Any]]]

# What means something to a migration, and is not just any value of its type.
MEANT: dict[tuple[str, str], Callable[[int], Any]] = {
    ("log_entry", "canonical"): lambda n: canonical(happened(), n),
    ("principal", "id"): lambda n: f"name{n}/somebody",
    ("token", "scopes"): lambda _: [["analyst", None]],
    ("principal_grant", "role"): lambda _: "analyst",
    ("principal_grant", "collaboration"): lambda _: "",
}
# table → why a way down may empty it
LOST = {"result": "an earlier version cannot open what is sealed"}


def _value(column: Column[Any], number: int) -> Any:
    match column.type:
        case Boolean():
            return bool(number)
        case JSON():
            return [f"{column.name}{number}"]
        case LargeBinary():
            return bytes([number, 255])
        case String() | Text():
            return f"{column.name}{number}"[: column.type.length]
        case Integer():  # and BigInteger
            return number
        case UtcDateTime():
            return NOON
        case _:
            raise AssertionError(f"no value is known for {column}")


def _row(table: Table, number: int, made: Rows) -> dict[str, Any]:
    row = {}
    for column in table.columns:
        parents = [key.column for key in column.foreign_keys if key.column.table is not table]
        meant = MEANT.get((table.name, column.name))
        if parents:
            row[column.name] = made[parents[0].table.name][number][parents[0].name]
        else:
            row[column.name] = meant(number) if meant else _value(column, number)
    return row


def _fill(connection: Connection) -> None:
    """Every table of the schema holds rows that point at one another."""
    made: Rows = {}
    for table in metadata.sorted_tables:
        made[table.name] = [_row(table, number, made) for number in range(ROWS)]
        connection.execute(insert(table), made[table.name])


def _columns(connection: Connection) -> dict[str, set[str]]:
    inspector = inspect(connection)
    return {name: {c["name"] for c in inspector.get_columns(name)} for name in inspector.get_table_names()}


def _held(connection: Connection, columns: dict[str, set[str]]) -> dict[str, list[tuple[str, ...]]]:
    """The rows of those tables, in those columns, sorted."""
    found = {}
    for name, wanted in columns.items():
        listed = ", ".join(f'"{column}"' for column in sorted(wanted))
        rows = connection.exec_driver_sql(f'SELECT {listed} FROM "{name}"').all()
        found[name] = sorted(tuple(map(repr, row)) for row in rows)
    return found


def _revisions(connection: Connection) -> list[str]:
    """All but this version's own, the latest first, and none at the end."""
    scripts = ScriptDirectory.from_config(migration._config(connection))
    return [script.down_revision or "base" for script in scripts.walk_revisions()]


def test_data_outlives_every_way_down_and_up_again(database: Database) -> None:
    with database.begin() as connection:
        _fill(connection)
        here, revisions = _columns(connection), _revisions(connection)
        assert set(here) == {*metadata.tables, "alembic_version"}
    assert revisions[-1] == "base"
    for revision in revisions[:-1]:
        with database.begin() as connection:
            migration.downgrade(connection, revision)
            there = _columns(connection)
            common = {name: there[name] & here[name] for name in there.keys() & here.keys() - {"alembic_version"}}
            before = _held(connection, common)
            emptied = {name for name, rows in before.items() if len(rows) != ROWS}
            assert emptied <= LOST.keys(), revision
        with database.begin() as connection:
            migration.upgrade(connection)
            assert _held(connection, common) == before, revision
        assert database.is_current()


@pytest.mark.parametrize("way", ["down", "up"])
def test_a_way_that_breaks_off_changes_nothing(database: Database, way: str) -> None:
    with database.begin() as connection:
        _fill(connection)
        if way == "up":
            migration.downgrade(connection, "0001")
        tables = _columns(connection)
        before = _held(connection, tables)
    with suppress(KeyError), database.begin() as connection:
        migration.downgrade(connection, "base") if way == "down" else migration.upgrade(connection)
        raise KeyError
    with database.read() as connection:
        assert _columns(connection) == tables
        assert _held(connection, tables) == before
