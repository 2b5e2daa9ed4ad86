"""SQLite → the promises that the store asks of a database. The one place that speaks SQLite's own SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

WRITES = "cleanroom_writes"
"""The execution option of connections whose transactions write."""

_PRAGMAS = (
    "PRAGMA busy_timeout = 20000",  # milliseconds; before the others, which may have to wait already
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what is committed is on the disk: an approval precedes the first byte read
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
)


def configure(engine: Engine) -> None:
    """Every connection is durable and checks references; writers take the one write lock as they begin.

    A transaction that reads first and then writes would fail where another wrote in between; BEGIN IMMEDIATE waits.
    """
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)


def _connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
