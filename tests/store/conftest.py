from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.documents import from_document, to_document
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from cleanroom.store.results import Results
from tests.conftest import DATABASES, NewDatabase
from tests.store.world import KEY, NOON


@pytest.fixture(params=DATABASES)
def database_kind(request: pytest.FixtureRequest) -> str:
    """Whatever asks for a database is asked of both."""
    return str(request.param)


@pytest.fixture
def url(database_kind: str, new_database: NewDatabase) -> str:
    """A new database of this version's schema."""
    return new_database(database_kind)


@pytest.fixture
def blank_url(database_kind: str, new_database: NewDatabase) -> str:
    """A new database of no schema."""
    return new_database(database_kind, blank=True)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new database of this version's schema, open."""
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def log(database: Database) -> Log:
    """A log with its first event."""
    made = Log(database, KEY)
    made.create(NOON)
    return made


@pytest.fixture
def master_keys(database: Database, tmp_path: Path) -> MasterKeys:
    """A keyring with its first key."""
    keys = MasterKeys(tmp_path / "master.key")
    with database.begin() as transaction:
        keys.begin(transaction, NOON)
    return keys


@pytest.fixture
def results(database: Database, log: Log, master_keys: MasterKeys) -> Results:
    return Results(database, log, master_keys)


@pytest.fixture
def queries(database: Database, log: Log) -> Queries:
    return Queries(database, log)


@pytest.fixture
def book(database: Database, log: Log) -> PolicyBook:
    return PolicyBook(database, log, to_document, from_document)
