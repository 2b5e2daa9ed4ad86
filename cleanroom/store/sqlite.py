"""SQLite → the promises that the store asks of a database. The one place that speaks SQLite's own SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

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
