from __future__ import annotations

import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from cleanroom.domain.errors import OperationError
from cleanroom.store.database import Database
from cleanroom.store.schema import admitted_root
from tests.conftest import NewDatabase
from tests.store.world import NOON

ROW = {"partner": "retailer", "root": "/data", "admitted_at": NOON}


def _rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(admitted_root)).scalar_one()


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "nonsense",
        "oracle://x",
        "mysql+nothing://x",
        "mssql+pyodbc://x",
        "sqlite+aiosqlite:///x",
        "postgresql+psycopg2://u:hunter2@db/x",
        "postgresql://u:hunter2@db:hunter2/x",
    ],
)
def test_a_url_of_no_supported_database_is_refused(wrong: str) -> None:
    with pytest.raises(OperationError) as refusal:
        Database(wrong)
    assert refusal.value.code == "store.url"
    assert "hunter2" not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize("begins", ["postgresql://", "postgres://", "postgresql+psycopg://"])
def test_postgresql_goes_by_each_of_its_names(begins: str, new_database: NewDatabase) -> None:
    database = Database(begins + new_database("postgresql").partition("://")[2])
    assert database.is_current()
    database.close()


def test_postgresql_without_its_driver_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as where the extra is not installed
    with pytest.raises(OperationError) as refusal:
        Database("postgresql://u:hunter2@db/x")
    assert refusal.value.code == "store.driver_missing"
    assert "pip install 'cleanroom[postgresql]'" in refusal.value.message


def test_a_database_that_cannot_be_opened_says_nothing_of_where_it_is(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent' / 'store.db'}")
    with pytest.raises(OperationError) as refusal, database.begin():
        pass
    assert refusal.value.code == "store.unavailable"
    assert str(tmp_path) not in refusal.value.message


def test_a_server_that_does_not_answer_is_unavailable_and_nothing_of_the_url_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    database = Database("postgresql://somebody:hunter2@127.0.0.1:1/clean")
    with pytest.raises(OperationError) as refusal, database.read():
        pass
    assert refusal.value.code == "store.unavailable"
    assert "hunter2" not in "".join(traceback.format_exception(refusal.value))
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_new_database_is_of_no_version(blank_url: str) -> None:
    database = Database(blank_url)
    assert not database.is_current()
    with pytest.raises(OperationError) as refusal:
        database.require_current()
    assert refusal.value.code == "store.schema"
    database.upgrade()
    database.require_current()
    database.close()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("trusted_schema", 0), ("busy_timeout", 20000)],
)
def test_what_is_committed_is_durable_and_checked(new_database: NewDatabase, pragma: str, value: object) -> None:
    database = Database(new_database("sqlite"))
    with database.read() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    database.close()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_isolation", "repeatable read"),
        ("transaction_read_only", "on"),
        ("lock_timeout", "20s"),
        ("statement_timeout", "1min"),
        ("idle_in_transaction_session_timeout", "1min"),
    ],
)
def test_a_session_is_bounded_and_a_reader_only_reads(new_database: NewDatabase, setting: str, value: str) -> None:
    database = Database(new_database("postgresql") + "?options=-c%20lock_timeout=1h")
    with database.read() as connection:
        assert connection.execute(text(f"SHOW {setting}")).scalar_one() == value
    database.close()


def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with suppress(KeyError), database.begin() as connection:
        connection.execute(admitted_root.insert(), ROW)
        raise KeyError
    assert _rows(database) == 0


def test_a_refused_statement_undoes_the_transaction(database: Database) -> None:
    def write_twice() -> None:
        with database.begin() as connection:
            connection.execute(admitted_root.insert(), ROW)
            connection.execute(admitted_root.insert(), ROW)

    with pytest.raises(OperationError) as refusal:
        write_twice()
    assert refusal.value.code == "store.failed"
    assert _rows(database) == 0


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as connection:
        count = select(func.count()).select_from(admitted_root)
        assert connection.execute(count).scalar_one() == 0
        with database.begin() as writer:
            writer.execute(admitted_root.insert(), ROW)
        assert connection.execute(count).scalar_one() == 0
    assert _rows(database) == 1


def test_writers_that_read_first_wait_for_one_another(database: Database) -> None:
    def add_one() -> None:
        for _ in range(20):
            with database.begin() as connection:
                number = connection.execute(select(func.count()).select_from(admitted_root)).scalar_one()
                connection.execute(admitted_root.insert(), {**ROW, "root": f"/{number}"})

    threads = [threading.Thread(target=add_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _rows(database) == 80
