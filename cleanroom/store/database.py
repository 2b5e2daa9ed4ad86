"""A database URL → transactions. SQLite by default, PostgreSQL where the operator has one; the same SQL for both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection


class Database:
    """One database. Make it in the process that uses it: connections do not survive a fork."""

    def __init__(self, url: str) -> None: ...

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One writing transaction: committed where the block ends, rolled back where it raises. Writers wait for one another.

        Raises OperationError "store.failed" where the database refuses.
        """
        raise NotImplementedError
        yield

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One reading transaction: everything in the block is seen as of one moment."""
        raise NotImplementedError
        yield

    def upgrade(self) -> None:
        """The schema is this version's; data is kept."""
        raise NotImplementedError

    def is_current(self) -> bool:
        """Whether the schema is this version's."""
        raise NotImplementedError

    def require_current(self) -> None:
        """Raises OperationError "store.schema" where `upgrade` has not been run."""
        raise NotImplementedError

    def close(self) -> None: ...
