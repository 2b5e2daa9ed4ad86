"""SQLite → the promises that the store asks of a database. The one place that speaks SQLite's own SQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

DRIVERS = ("sqlite", "sqlite+pysqlite")
"""What a URL of such a database may begin with."""
WRITES = "cleanroom_writes"
"""The execution option of connections whose transactions write."""

WAITS = "cleanroom_waits"
"""The execution option of connections whose writing transactions wait for other writers; by default they do."""

_PATIENT, _HASTY = "PRAGMA busy_timeout = 20000", "PRAGMA busy_timeout = 0"

_PRAGMAS = (
    _PATIENT,  # milliseconds; before the others, which may have to wait already
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # what is committed is on the disk: an approval precedes the first byte read
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten
)
_CODES = {
    sqlite3.SQLITE_FULL: "store.full",
    sqlite3.SQLITE_BUSY: "store.busy",
    sqlite3.SQLITE_LOCKED: "store.busy",
    sqlite3.SQLITE_CANTOPEN: "store.unavailable",
    sqlite3.SQLITE_IOERR: "store.unavailable",
    sqlite3.SQLITE_READONLY: "store.unavailable",
}


def engine(url: URL) -> Engine:
    """Every connection is durable and checks references; writers take the one write lock as they begin.

    A transaction that reads first and then writes would fail where another wrote in between; BEGIN IMMEDIATE waits.
    """
    made = create_engine(url, hide_parameters=True)
    event.listen(made, "connect", _connect)
    event.listen(made, "begin", _begin)
    return made


def code_of(failure: BaseException | None) -> str:
    """The store's code for a failure of the driver (https://www.sqlite.org/rescode.html)."""
    extended = getattr(failure, "sqlite_errorcode", 0)
    return _CODES.get(extended & 0xFF, "store.failed")


def scrub(made: Engine) -> None:
    """The write-ahead log is empty: what it held of pages that were overwritten since is gone. Where others are at work
    on the database it stays for another time."""
    with closing(made.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(_HASTY)
        try:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.fetchall()
        except sqlite3.OperationalError:
            pass
        finally:
            cursor.execute(_PATIENT)


def _connect(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in _PRAGMAS:
        dbapi_connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin = "BEGIN IMMEDIATE" if options.get(WRITES, False) else "BEGIN"
    if options.get(WAITS, True):
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql(_HASTY)
    try:
        connection.exec_driver_sql(begin)
    finally:
        connection.exec_driver_sql(_PATIENT)
