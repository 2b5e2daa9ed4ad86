"""A folder and a database URL → a clean room wired together. Reads no environment: doors pass values."""

from __future__ import annotations

import datetime
import logging
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from cleanroom.audit.keys import SigningKey
from cleanroom.broker import Broker
from cleanroom.documents import from_document, to_document
from cleanroom.domain.errors import Conflict, OperationError
from cleanroom.domain.ports import Clock
from cleanroom.identity import Identities
from cleanroom.storage.sealing import seal
from cleanroom.store.collaborations import Collaborations
from cleanroom.store.database import Database
from cleanroom.store.executors import Executors
from cleanroom.store.history import DocumentHistory
from cleanroom.store.idempotency import IdempotencyKeys
from cleanroom.store.issuers import Issuers
from cleanroom.store.keys import create_key, load_key
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.partners import Partners
from cleanroom.store.people import People
from cleanroom.store.policies import AdmittedRoots, PolicyBook
from cleanroom.store.queries import Queries
from cleanroom.store.queue import Queue
from cleanroom.store.quotas import Quotas
from cleanroom.store.results import Results
from cleanroom.store.secrets import Secrets
from cleanroom.store.tokens import Tokens

_KEY = "log.key"
_MASTER_KEYS = "master.key"
_DATABASE = "cleanroom.db"


class SystemClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class Drawers:
    """The parts of the store, each with its own few verbs."""

    policies: PolicyBook
    history: DocumentHistory
    collaborations: Collaborations
    roots: AdmittedRoots
    queries: Queries
    queue: Queue
    results: Results
    partners: Partners
    people: People
    issuers: Issuers
    executors: Executors
    idempotency: IdempotencyKeys
    quotas: Quotas
    secrets: Secrets
    master_keys: MasterKeys
    tokens: Tokens
    log: Log


@dataclass(frozen=True, slots=True)
class Home:
    """One clean room, open. Made in each process that uses it: database connections do not survive a fork."""

    path: Path
    database: Database
    drawers: Drawers
    keys: SigningKey
    broker: Broker
    identities: Identities
    clock: Clock

    def close(self) -> None:
        """The database connections are given back."""
        self.database.close()


def init_home(path: Path, database_url: str | None = None) -> Home:
    """A new clean room is at `path` (0700), its database at the URL (default: SQLite inside), its log begun and signed.

    Conflict "home.exists" where there is one already; what an interrupted run began is finished.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    if database_url is None:
        (path / _DATABASE).touch(mode=0o600)  # SQLite gives the files beside it the same mode
    database = Database(_url(path, database_url))
    try:
        database.upgrade()
        key = load_key(path / _KEY) if (path / _KEY).exists() else create_key(path / _KEY, _origin())
        home = _wire(path, database, key)
        _begin_keys(home)
        home.drawers.log.create(home.clock.now())  # last: where it is, nothing is missing
    except Conflict:
        database.close()
        raise Conflict("There is a clean room here already.", "home.exists") from None
    except BaseException:
        database.close()
        raise
    return home


def open_home(path: Path, database_url: str | None = None) -> Home:
    """The clean room that `init_home` made. OperationError "home.missing" where there is none, "store.schema" where its
    database is of another version, "keys.missing" where the master key in force is not in its file."""
    home = _opened(path, database_url, Database.require_current)
    try:
        with home.database.read() as transaction:
            home.drawers.master_keys.require(transaction)
    except BaseException:
        home.close()
        raise
    return home


def upgrade_home(path: Path, database_url: str | None = None) -> Home:
    """The clean room that an earlier version made is one of this version, its data kept. Running it twice changes nothing."""
    home = _opened(path, database_url, Database.upgrade)
    try:
        _begin_keys(home)
    except BaseException:
        home.close()
        raise
    return home


def open_home_without_keys(path: Path, database_url: str | None = None) -> Home:
    """As `open_home`, for whoever puts things right where the master key is lost."""
    return _opened(path, database_url, Database.require_current)


def close_to_others() -> None:
    """Holds from here to the process's end: no other process of its user reads its memory or environment, and no core is left.

    For the door, which sees nothing else of storage.
    """
    seal()


def configure_logs() -> None:
    """From here on the process logs JSON lines to standard error: what was bound around a request, time, level, event."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _opened(path: Path, database_url: str | None, prepare: Callable[[Database], None]) -> Home:
    if not (path / _KEY).is_file():
        raise OperationError("There is no clean room here: run `cleanroom init` first.", "home.missing")
    database = Database(_url(path, database_url))
    try:
        prepare(database)
        return _wire(path, database, load_key(path / _KEY))
    except BaseException:
        database.close()
        raise


def _begin_keys(home: Home) -> None:
    with home.database.begin() as transaction:
        home.drawers.master_keys.begin(transaction, home.clock.now())


def _wire(path: Path, database: Database, key: SigningKey) -> Home:
    clock = SystemClock()
    log = Log(database, key)
    policies = PolicyBook(database, log, to_document, from_document)
    queries = Queries(database, log)
    partners = Partners(database, log)
    master_keys = MasterKeys(path / _MASTER_KEYS)
    drawers = Drawers(
        policies=policies,
        history=DocumentHistory(database, from_document),
        collaborations=Collaborations(database, log, policies),
        roots=AdmittedRoots(database, log),
        queries=queries,
        queue=Queue(database, log, clock),
        partners=partners,
        people=People(database, log, partners),
        issuers=Issuers(database, log, partners),
        tokens=Tokens(database, log, clock),
        executors=Executors(database),
        idempotency=IdempotencyKeys(database),
        quotas=Quotas(database, log),
        results=Results(database, log, master_keys),
        secrets=Secrets(database, log, master_keys),
        master_keys=master_keys,
        log=log,
    )
    identities = Identities(drawers.issuers.get, clock)
    return Home(path, database, drawers, key, Broker(policies, queries, clock), identities, clock)


def _url(path: Path, database_url: str | None) -> str:
    return database_url or f"sqlite:///{(path / _DATABASE).resolve()}"


def _origin() -> str:
    """The log's name, its own in all the world: what a checkpoint is a checkpoint of."""
    return f"cleanroom/{uuid.uuid4().hex}"
