"""PostgreSQL → the promises that the store asks of a database. The one place that speaks PostgreSQL's own SQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from cleanroom.domain.errors import OperationError
from cleanroom.store.sqlite import WAITS, WRITES

DRIVERS = ("postgresql", "postgres", "postgresql+psycopg")
"""What a URL of such a database may begin with."""
READER_OPTIONS: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
"""The execution options under which a transaction sees one moment."""

_HASTY_MS = 50
_WRITERS = 0x636C65616E726F6F  # an advisory lock's number: "cleanroo"
_POOL: dict[str, Any] = {
    "pool_pre_ping": True,  # a connection that a restart of the server has cut is replaced before it is used
    "pool_recycle": 1800,
    "pool_size": 8,
    "max_overflow": 256,  # as many as there are threads: whoever waits for the writers' lock holds one
}
_SESSION = {
    "lock_timeout": 20_000,  # milliseconds, as the rest; writers wait no longer than SQLite's
    "statement_timeout": 60_000,
    "idle_in_transaction_session_timeout": 60_000,  # who lost its network gives the writers' lock back
}
_NETWORK = {
    "connect_timeout": 5,  # seconds, as the rest but the last
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,  # milliseconds
    "application_name": "cleanroom",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html: SQLSTATE or its class → the store's code
_CODES = {
    "08": "store.unavailable",  # connection exception
    "53100": "store.full",  # disk full
    "53": "store.unavailable",  # insufficient resources
    "57014": "store.busy",  # query canceled: the statement timeout
    "57": "store.unavailable",  # operator intervention: shutdown, crash, start-up
    "58": "store.unavailable",  # system error
    "25P03": "store.busy",  # idle in transaction session timeout
    "40": "store.busy",  # serialization failure, deadlock
    "55P03": "store.busy",  # lock not available: the lock timeout
}


def engine(url: URL) -> Engine:
    """Connections that survive the server's restart. What `url` says of the network holds; limits of a session are ours.

    Writers follow one another, as in SQLite: each ends with an event, for which it would have to wait anyway.
    OperationError "store.driver_missing" where the extra is not installed.
    """
    options = " ".join(f"-c {name}={value}" for name, value in _SESSION.items())
    network = {name: value for name, value in _NETWORK.items() if name not in url.query}
    arguments = {**network, "options": f"{url.query.get('options', '')} {options}".strip()}
    try:
        made = create_engine(url.set(drivername=DRIVERS[-1]), connect_args=arguments, hide_parameters=True, **_POOL)
    except ImportError:
        message = "PostgreSQL needs its driver: pip install 'cleanroom[postgresql]'."
        raise OperationError(message, "store.driver_missing") from None
    event.listen(made, "begin", _begin)
    return made


def code_of(failure: BaseException | None) -> str:
    """The store's code for a failure of the driver. One without an SQLSTATE is a connection that failed or broke."""
    state = getattr(failure, "sqlstate", None)
    if state is None:
        return "store.unavailable" if type(failure).__name__ == "OperationalError" else "store.failed"
    return _CODES.get(state) or _CODES.get(state[:2]) or "store.failed"


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(WAITS, True):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_HASTY_MS}")
    elif options.get(WRITES, False):
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
