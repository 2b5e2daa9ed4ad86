"""An old master key → a new one, under which every data key is wrapped anew."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select, update

from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.sealed import WrappedKey
from cleanroom.store import results, secrets
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys, in_force, new_key, put_in_force
from cleanroom.store.query_rows import record_of
from cleanroom.store.schema import queries, result, secret
from cleanroom.vault.keyring import Keyring
from cleanroom.vault.sealing import Damaged


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of it: the new key's id, how many data keys it wraps, and how many were lost with their old one."""

    key_id: str
    results: int
    secrets: int
    lost: int


def rotate(database: Database, log: Log, keys: MasterKeys, at: datetime.datetime, *, lost: bool = False) -> Rotation:
    """A new key wraps every data key, and is the only one in the file. Logged: key.rotated.

    Killed at any moment, it leaves every data key under a key that is in the file, and running it again finishes: the
    new key is on the disk before a row names it, and the old one goes when no row does. `lost` lets go of what no key
    of the file opens: those results are expired and those secrets removed, each with its event. Without it,
    OperationError "keys.missing".
    """
    with database.begin() as transaction:
        ring = _ring(keys, lost=lost)
        key = new_key(at)
        keys.write(ring.with_key(key))
        put_in_force(transaction, key)
        gone = _let_go(transaction, log, keys, at) if lost else 0
        counts = _rewrap_results(transaction, keys), _rewrap_secrets(transaction, keys)
        data: dict[str, Json] = {"key": key.id, "results": counts[0], "secrets": counts[1], "lost": gone}
        log.append(transaction, Event(EventKind.KEY_ROTATED, at, data=data))
    drop_unused(database, keys)
    return Rotation(key.id, *counts, gone)


def drop_unused(database: Database, keys: MasterKeys) -> None:
    """The file holds the key in force, and those that rows name still."""
    with database.begin() as transaction:
        named = {row.key_id for table in (result, secret) for row in transaction.execute(select(table.c.key_id))}
        ring = keys.read()
        kept = ring.only({*named, in_force(transaction) or ""})
        if kept != ring:
            keys.write(kept)


def _ring(keys: MasterKeys, *, lost: bool) -> Keyring:
    try:
        return keys.read()
    except OperationError as error:
        if lost and error.code == "keys.missing":
            return Keyring()
        raise


def _rewrap_results(transaction: Connection, keys: MasterKeys) -> int:
    rows = transaction.execute(select(result.c.query, result.c.key_id, result.c.wrapped_key)).all()
    for row in rows:
        _rewrap(transaction, keys, result, row, results.context(row.query), result.c.query == row.query)
    return len(rows)


def _rewrap_secrets(transaction: Connection, keys: MasterKeys) -> int:
    rows = transaction.execute(select(secret.c.partner, secret.c.name, secret.c.key_id, secret.c.wrapped_key)).all()
    for row in rows:
        mine = (secret.c.partner == row.partner) & (secret.c.name == row.name)
        _rewrap(transaction, keys, secret, row, secrets.context(row.partner, row.name), mine)
    return len(rows)


def _rewrap(
    transaction: Connection, keys: MasterKeys, table: Table, row: Any, context: tuple[str, ...], mine: Any
) -> None:
    data_key = keys.unwrap(WrappedKey(row.key_id, row.wrapped_key), context)
    key = keys.wrap(transaction, data_key, context)
    transaction.execute(update(table).where(mine).values(key_id=key.key_id, wrapped_key=key.sealed))


def _let_go(transaction: Connection, log: Log, keys: MasterKeys, at: datetime.datetime) -> int:
    """Of what the file's keys do not open nothing is left but the events that say so; how many there were."""
    rows = transaction.execute(select(result.c.query, result.c.key_id, result.c.wrapped_key)).all()
    gone = [row.query for row in rows if not _opens(keys, row, results.context(row.query))]
    for query in gone:
        results.shred_in(transaction, query)
        record = record_of(transaction.execute(select(queries).where(queries.c.id == query)).one())
        log.append(transaction, results.shredded(record, EventKind.RESULT_SHREDDED, at))
    kept = transaction.execute(select(secret.c.partner, secret.c.name, secret.c.key_id, secret.c.wrapped_key)).all()
    unread = [row for row in kept if not _opens(keys, row, secrets.context(row.partner, row.name))]
    for row in unread:
        secrets.forget(transaction, row.partner, row.name)
        log.append(transaction, secrets.event_of(EventKind.SECRET_REMOVED, row.partner, row.name, author=None, at=at))
    return len(gone) + len(unread)


def _opens(keys: MasterKeys, row: Any, context: tuple[str, ...]) -> bool:
    try:
        keys.unwrap(WrappedKey(row.key_id, row.wrapped_key), context)
    except OperationError as error:
        if error.code in ("keys.missing", Damaged.code):
            return False
        raise
    return True
