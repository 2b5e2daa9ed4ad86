from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.documents import from_document, to_document
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from tests.store.world import KEY, NOON


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """A new database of this version's schema."""
    opened = Database(url)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def log(database: Database) -> Log:
    """A log with its first event."""
    made = Log(database, KEY)
    made.create(NOON)
    return made


@pytest.fixture
def queries(database: Database, log: Log) -> Queries:
    return Queries(database, log)


@pytest.fixture
def book(database: Database, log: Log) -> PolicyBook:
    return PolicyBook(database, log, to_document, from_document)
