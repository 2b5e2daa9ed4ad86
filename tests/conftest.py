"""What every test may ask for."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom.store.database import Database
from tests import postgresql as real
from tests.fixtures import Fixture, make_fixture

NewDatabase = Callable[..., str]
DATABASES = ("sqlite", "postgresql")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `databases` is asked of both; others have SQLite."""
    if "database_kind" in metafunc.fixturenames and metafunc.definition.get_closest_marker("databases"):
        metafunc.parametrize("database_kind", DATABASES, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Which database the test has: one of DATABASES."""
    return str(getattr(request, "param", DATABASES[0]))


@pytest.fixture(scope="session")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """The corpus' data and its strict policy, made once for the session."""
    return make_fixture(Path(tmp_path_factory.mktemp("corpus")))


@pytest.fixture(scope="session")
def small_fixture(tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    """The same with a sixteenth of the rows, for what is computed the slow way."""
    return make_fixture(Path(tmp_path_factory.mktemp("small_corpus")), fraction=16)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[real.Server]:
    """The PostgreSQL of this test process. A test that stops it starts its own: `tests.postgresql.serving`."""
    try:
        with real.serving() as server:
            yield server
    except real.Unavailable as reason:
        pytest.skip(f"no PostgreSQL: {reason}")


@pytest.fixture(scope="session")
def postgresql_template(postgresql: real.Server) -> str:
    """The name of a database of this version's schema, for others to be copied from."""
    name = postgresql.create()
    _migrate(postgresql.url(name))
    return name


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file of this version's schema, to be copied."""
    path = Path(tmp_path_factory.mktemp("template")) / "store.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """("sqlite" | "postgresql") → the URL of a new database of this version's schema, gone after the test;
    `blank=True`: of no schema; `template`: a copy of that database of the PostgreSQL."""
    made: list[Callable[[], None]] = []

    def make(kind: str, *, blank: bool = False, template: str | None = None) -> str:
        if kind == "sqlite":
            path = tmp_path / f"store-{len(made)}.db"
            if not blank:
                shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
            made.append(lambda: path.unlink(missing_ok=True))
            return f"sqlite:///{path}"
        server: real.Server = request.getfixturevalue("postgresql")
        copied = template or ("template1" if blank else request.getfixturevalue("postgresql_template"))
        name = server.create(copied)
        made.append(lambda: server.drop(name))
        return server.url(name)

    yield make
    for undo in made:
        undo()


@pytest.fixture
def home_url(database_kind: str, new_database: NewDatabase) -> str | None:
    """Where a new home keeps its state, as CLEANROOM_DATABASE_URL says it; None: in its folder."""
    return None if database_kind == "sqlite" else new_database(database_kind)


def _migrate(url: str) -> None:
    database = Database(url)
    database.upgrade()
    database.close()
