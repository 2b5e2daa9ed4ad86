from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from cleanroom.domain.errors import OperationError
from cleanroom.store.database import Database
from cleanroom.store.schema import admitted_root
from tests.store.world import NOON

ROW = {"partner": "retailer", "root": "/data", "admitted_at": NOON}


def _rows(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(admitted_root)).scalar_one()


@pytest.mark.parametrize("url", ["", "nonsense", "oracle://x", "mysql+nothing://x", "mssql+pyodbc://x"])
def test_a_url_of_no_supported_database_is_refused(url: str) -> None:
    with pytest.raises(OperationError) as refusal:
        Database(url)
    assert refusal.value.code == "store.url"


def test_a_database_that_cannot_be_opened_says_nothing_of_where_it_is(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent' / 'store.db'}")
    with pytest.raises(OperationError) as refusal, database.begin():
        pass
    assert refusal.value.code == "store.failed"
    assert str(tmp_path) not in refusal.value.message


def test_a_new_database_is_of_no_version(url: str) -> None:
    database = Database(url)
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
def test_what_is_committed_is_durable_and_checked(database: Database, pragma: str, value: object) -> None:
    with database.read() as connection:
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


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
