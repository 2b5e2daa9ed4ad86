from __future__ import annotations

import datetime
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import JSON, Column, LargeBinary, String, column, insert, inspect, select, table, text

import cleanroom.store
from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding, Notice
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import Grant, IdempotencyKey, QueryState, Role, everywhere
from cleanroom.domain.quota import Quota
from cleanroom.store import migration
from cleanroom.store.database import Database
from cleanroom.store.executors import Executors
from cleanroom.store.log import Log, Sight
from cleanroom.store.partners import Partners
from cleanroom.store.people import People
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from cleanroom.store.quotas import Quotas
from cleanroom.store.results import Results, write_result
from cleanroom.store.schema import UtcDateTime, metadata
from cleanroom.store.tokens import Tokens
from tests.store.world import DOCUMENTS, KEY, NOON, RETAIL_MEDIA, RETAILER, Clock, happened, later, query

OLD_TOKEN = table(
    "token",
    column("id", String),
    column("principal", String),
    column("partner", String),
    column("roles", JSON),
    column("hash", LargeBinary),
    column("created_at", UtcDateTime),
    column("revoked_at", UtcDateTime),
)


def _fill(database: Database, book: PolicyBook, queries: Queries) -> None:
    with database.begin() as connection:
        for value in DOCUMENTS:
            book.write(connection, value, author=None, at=NOON)
    queries.submit(query("q1"), happened())


def _differing_default(
    _context: object, found: Column[Any], meant: Column[Any], said: str | None, _meant: object, rendered: str | None
) -> bool | None:
    """PostgreSQL compares no JSON: its defaults are compared as they are written."""
    if not isinstance(meant.type, JSON):
        return None
    return (said or "").removesuffix("::json").strip("'") != (rendered or "").strip("'")


def test_the_migrated_schema_is_the_one_that_the_code_speaks(database: Database) -> None:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": _differing_default}
        context = MigrationContext.configure(connection, opts=options)
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
    assert log.size() == size
    database.upgrade()
    assert (book.policy(RETAIL_MEDIA), log.size()) == (before, size)
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


def test_holders_of_tokens_become_principals_and_back(database: Database, log: Log) -> None:
    with database.begin() as connection:
        migration.downgrade(connection, "0003")
        for token, roles, revoked in (("a1", ["admin", "analyst"], None), ("a2", ["auditor"], NOON), ("a3", [], None)):
            connection.execute(insert(OLD_TOKEN), _old_token(token, roles, revoked))
    database.upgrade()
    people, tokens = People(database, log, Partners(database, log)), Tokens(database, log, Clock())
    (ruth,) = people.list()
    assert (ruth.id, ruth.grants, ruth.created_at) == ("retailer/ruth", everywhere(Role.ADMIN, Role.ANALYST), NOON)
    assert [t.scopes for t in tokens.list()] == [everywhere(Role.ADMIN, Role.ANALYST), everywhere(Role.AUDITOR), set()]
    with database.begin() as connection:
        people.revoke(connection, ruth, everywhere(Role.ADMIN), at=NOON)
        ending = tokens.mint(connection, ruth, everywhere(Role.ANALYST), at=NOON, expires_at=later(9))
        narrow = frozenset({Grant(Role.ANALYST, RETAIL_MEDIA)})
        scoped = tokens.mint(connection, ruth, narrow, at=NOON, expires_at=None)
        migration.downgrade(connection, "0003")
        rows = connection.execute(select(OLD_TOKEN)).all()
    found = {row.id: (row.partner, row.roles, row.revoked_at is None) for row in rows}
    assert found == {
        "a1": ("retailer", ["analyst"], True),
        "a2": ("retailer", [], False),
        "a3": ("retailer", [], True),
        ending.split("_")[1]: ("retailer", ["analyst"], False),  # the earlier version knows of no end
        scoped.split("_")[1]: ("retailer", [], True),
    }
    database.upgrade()
    assert [t.scopes for t in tokens.list() if t.id == "a1"] == [everywhere(Role.ANALYST)]
    assert database.is_current()


def test_events_of_earlier_versions_are_seen_by_their_collaboration(database: Database, log: Log) -> None:
    log.record(happened(partner=RETAILER, collaboration=RETAIL_MEDIA, query=QueryId("q")))
    log.record(happened(partner=RETAILER))
    with database.begin() as connection:
        migration.downgrade(connection, "0004")
    database.upgrade()
    assert [e.number for e in log.events(Sight(RETAILER, within=(RETAIL_MEDIA,)))] == [1]
    assert [e.number for e in log.events(Sight(RETAILER, within=()))] == []
    assert [e.number for e in log.events(Sight(RETAILER))] == [1, 2]


def _old_token(name: str, roles: list[str], revoked: datetime.datetime | None) -> dict[str, object]:
    return {
        "id": name,
        "principal": "retailer/ruth",
        "partner": "retailer",
        "roles": roles,
        "hash": b"h",
        "created_at": NOON,
        "revoked_at": revoked,
    }


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


def test_going_back_before_keys_and_quotas_keeps_the_queries(database: Database, log: Log, queries: Queries) -> None:
    queries.submit(query("q1"), happened(), IdempotencyKey("k1", "sha256:a"))
    Quotas(database, log).set(RETAILER, Quota(), NOON)
    Executors(database).stamp("one", NOON)
    with database.begin() as connection:
        migration.downgrade(connection, "0005")
    database.upgrade()
    assert queries.submit(query("q2"), happened(), IdempotencyKey("k1", "sha256:b")).id == "q2"
    assert [record.id for record in queries.page().records] == ["q2", "q1"]
    assert Quotas(database, log).list() == {}
    assert Executors(database).list() == ()
    assert log.verify().holds


def test_results_that_lay_in_the_clear_are_removed_and_their_queries_expire(
    database: Database, queries: Queries, results: Results
) -> None:
    queries.submit(query("q1", QueryState.SUCCEEDED), happened())
    with database.begin() as connection:
        migration.downgrade(connection, "0007")
        body = {"query": "q1", "body": b"in the clear", "size_bytes": 12, "digest": "sha256:"}
        connection.execute(text("INSERT INTO result VALUES (:query, :body, :size_bytes, :digest)"), body)
    database.upgrade()
    assert results.open(QueryId("q1")) is None
    assert [record.id for record in results.due(NOON)] == ["q1"]


def test_going_back_before_sealed_results_keeps_queries_and_loses_what_was_sealed(
    database: Database, queries: Queries, results: Results, log: Log
) -> None:
    queries.submit(query("q1", QueryState.SUCCEEDED), happened())
    with database.begin() as connection:
        write_result(connection, results.seal(QueryId("q1"), b"arrow", NOON))
        migration.downgrade(connection, "0007")
        assert connection.execute(text("SELECT count(*) FROM result")).scalar_one() == 0
    database.upgrade()
    assert [record.id for record in queries.page().records] == ["q1"]
    assert log.verify().holds
