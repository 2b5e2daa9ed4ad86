"""A database URL → transactions. SQLite by default, PostgreSQL where the operator has one; the same SQL for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from sqlalchemy import Connection, Engine, exc, make_url

from cleanroom.domain.errors import OperationError
from cleanroom.store import migration, postgresql, sqlite


class Database:
    """One database. Make it in the process that uses it: connections do not survive a fork."""

    def __init__(self, url: str) -> None:
        """OperationError "store.url" where `url` names no database that is supported, "store.driver_missing" where it is
        PostgreSQL's and the extra is not installed."""
        engine = _engine(url)
        self._engine = engine
        self._writer = engine.execution_options(**{sqlite.WRITES: True})
        self._hasty = self._writer.execution_options(**{sqlite.WAITS: False})
        self._reader = engine
        if engine.dialect.name == "postgresql":
            self._reader = engine.execution_options(**postgresql.READER_OPTIONS)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One writing transaction: committed where the block ends, rolled back where it raises. Writers wait for one another.

        OperationError with a code of `code_of` where the database refuses, "store.undone" where the block ends as if
        nothing had happened though a failed event undid the transaction.
        """
        with _failures(self._engine), self._writer.connect() as connection, connection.begin() as transaction:
            yield connection
            if not transaction.is_active:
                raise OperationError("A change was undone because its event could not be written.", "store.undone")

    @contextmanager
    def begin_at_once(self) -> Iterator[Connection]:
        """As `begin`, of what may as well be left undone and appends no event: it waits for nobody.

        OperationError "store.busy" where another writes, or the database refuses.
        """
        try:
            with self._hasty.connect() as connection, connection.begin():
                yield connection
        except exc.SQLAlchemyError:
            raise OperationError("The database is busy.", "store.busy") from None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction: everything in the block is seen as of one moment."""
        with _failures(self._engine), self._reader.connect() as connection:
            yield connection

    def upgrade(self) -> None:
        """The schema is this version's; data is kept."""
        with self.begin() as connection:
            migration.upgrade(connection)

    def is_current(self) -> bool:
        """Whether the schema is this version's."""
        with self.read() as connection:
            return migration.is_current(connection)

    def require_current(self) -> None:
        """Raises OperationError "store.schema" where `upgrade` has not been run."""
        if not self.is_current():
            raise OperationError(
                "The database's schema is not that of this version: run `cleanroom upgrade`.", "store.schema"
            )

    def scrub(self) -> None:
        """What was deleted lies in no file beside the database's own, where nobody reads at this moment."""
        if self._engine.dialect.name == "sqlite":
            sqlite.scrub(self._engine)

    def close(self) -> None:
        """No connection is open any more."""
        self._engine.dispose()


def _engine(url: str) -> Engine:
    """Errors of the URL stay without their cause, whose text may hold the password."""
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise OperationError("The database URL is not one that is supported.", "store.url") from None
    if parsed.drivername in sqlite.DRIVERS:
        return sqlite.engine(parsed)
    if parsed.drivername in postgresql.DRIVERS:
        return postgresql.engine(parsed)
    raise OperationError("The database must be SQLite or PostgreSQL.", "store.url")


_TOLD = {
    "store.unavailable": "The database does not answer: it is down, unreachable, or does not let this user in.",
    "store.busy": "Somebody else has held the database's lock for too long. Try again.",
    "store.full": "The database's disk is full.",
}


@contextmanager
def _failures(engine: Engine) -> Iterator[None]:
    try:
        yield
    except exc.SQLAlchemyError as error:
        code = code_of(error, engine.dialect.name)
        cause = type(getattr(error, "orig", error)).__name__
        structlog.get_logger().error("store.failed", code=code, error=type(error).__name__, cause=cause)
        raise OperationError(_TOLD.get(code, "The database refused."), code) from error


def code_of(error: exc.SQLAlchemyError, dialect: str) -> str:
    """Why the database refused: "store.unavailable" (try again), "store.busy", "store.full" or, for all else, "store.failed"."""
    match error:
        case exc.TimeoutError():  # of the pool
            return "store.busy"
        case exc.DBAPIError(orig=failure):
            return sqlite.code_of(failure) if dialect == "sqlite" else postgresql.code_of(failure)
        case _:
            return "store.failed"
