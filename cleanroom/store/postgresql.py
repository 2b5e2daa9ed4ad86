"""PostgreSQL → the promises that the store asks of a database. The one place that speaks PostgreSQL's own SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event

from cleanroom.store.sqlite import WAITS, WRITES

READER_OPTIONS: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""The execution options under which a transaction sees one moment."""

_HASTY_MS = 50
_WRITERS = 0x636C65616E726F6F  # an advisory lock's number: "cleanroo"


def configure(engine: Engine) -> None:
    """Writers follow one another, as in SQLite: each ends with an event, for which it would have to wait anyway."""
    event.listen(engine, "begin", _begin)


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(WAITS, True):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_HASTY_MS}")
    elif options.get(WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
