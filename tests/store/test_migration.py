from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import cleanroom.store
from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding, Notice
from cleanroom.domain.identifiers import QueryId
from cleanroom.store import migration
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from cleanroom.store.schema import metadata
from tests.store.world import DOCUMENTS, KEY, NOON, RETAIL_MEDIA, happened, query


def _fill(database: Database, book: PolicyBook, queries: Queries) -> None:
    with database.begin() as connection:
        for value in DOCUMENTS:
            book.write(connection, value, author=None, at=NOON)
    queries.submit(query("q1"), happened())


def test_the_migrated_schema_is_the_one_that_the_code_speaks(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_upgrading_twice_changes_nothing(database: Database, log: Log) -> None:
    database.upgrade()
    assert log.size() == 1
    assert database.is_current()


def test_going_back_a_version_keeps_log_and_policies(
    database: Database, log: Log, book: PolicyBook, queries: Queries
) -> None:
    _fill(database, book, queries)
    before, size = book.policy(RETAIL_MEDIA), log.size()
    with database.begin() as connection:
        migration.downgrade(connection, "0001")
    assert not database.is_current()
    assert (book.policy(RETAIL_MEDIA), log.size()) == (before, size)
    database.upgrade()
    assert log.verify().holds
    assert queries.page().records == ()
    queries.submit(query("q1"), happened())
    assert log.verify().size == size + 1


def test_a_query_of_an_earlier_version_reads_back_without_notices(
    database: Database, log: Log, book: PolicyBook, queries: Queries
) -> None:
    queries.submit(query("q1", notices=(Notice("threshold.standing", "Groups are left out."),)), happened())
    with database.begin() as connection:
        migration.downgrade(connection, "0002")
        old = '[{"code": "a.b", "message": "No.", "dataset": null, "column": null, "at": [2, 7], "hint": null}]'
        connection.exec_driver_sql(f"UPDATE query SET findings = '{old}'")
    database.upgrade()
    assert queries.get(QueryId("q1")) == query("q1", findings=(Finding("a.b", "No.", at=Place(2, 7)),))


def test_going_all_the_way_back_leaves_no_table(
    database: Database, log: Log, book: PolicyBook, queries: Queries
) -> None:
    _fill(database, book, queries)
    with database.begin() as connection:
        migration.downgrade(connection, "base")
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    database.upgrade()
    Log(database, KEY).create(NOON)
    assert log.verify().holds


def test_a_migration_that_is_undone_leaves_the_schema_as_it_was(database: Database, log: Log) -> None:
    with suppress(KeyError), database.begin() as connection:
        migration.downgrade(connection, "base")
        raise KeyError
    assert database.is_current()
    assert log.verify().holds


def test_a_schema_of_a_later_version_is_not_current(database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert not database.is_current()


@pytest.mark.parametrize(
    ("word", "file"), [("PRAGMA", "sqlite.py"), ("IMMEDIATE", "sqlite.py"), ("pg_", "postgresql.py")]
)
def test_one_file_each_speaks_the_sql_of_one_database(word: str, file: str) -> None:
    folder = Path(cleanroom.store.__file__).parent
    assert [path.name for path in folder.rglob("*.py") if word in path.read_text()] == [file]
