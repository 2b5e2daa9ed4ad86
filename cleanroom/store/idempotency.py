"""(principal, collaboration, key) → the one query that was asked under it. Kept for a day."""

from __future__ import annotations

import datetime

from sqlalchemy import ColumnElement, Connection, delete, insert, select

from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import CollaborationName, PrincipalId, QueryId
from cleanroom.domain.query import IdempotencyKey
from cleanroom.store.database import Database
from cleanroom.store.schema import idempotency_key

KEPT = datetime.timedelta(hours=24)


class IdempotencyKeys:
    """What the sweep needs of them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def sweep(self, now: datetime.datetime) -> int:
        """No key is older than KEPT; how many were."""
        old = idempotency_key.c.created_at <= now - KEPT
        with self._database.read() as connection:
            if connection.execute(select(idempotency_key.c.key).where(old).limit(1)).first() is None:
                return 0
        with self._database.begin() as connection:
            return connection.execute(delete(idempotency_key).where(old)).rowcount


def query_under(
    connection: Connection,
    principal: PrincipalId,
    collaboration: CollaborationName,
    key: IdempotencyKey,
    at: datetime.datetime,
) -> QueryId | None:
    """The query that was asked under the key; None: none. InvalidInput "idempotency.mismatch" where it said otherwise."""
    mine = _mine(principal, collaboration, key)
    row = connection.execute(select(idempotency_key).where(*mine, idempotency_key.c.created_at > at - KEPT)).first()
    if row is None:
        return None
    if row.digest != key.digest:
        raise mismatch()
    return QueryId(row.query)


def keep(
    connection: Connection,
    principal: PrincipalId,
    collaboration: CollaborationName,
    key: IdempotencyKey,
    query: QueryId,
    at: datetime.datetime,
) -> None:
    """From now on the key means that query. The database refuses it where it means one already."""
    connection.execute(
        delete(idempotency_key).where(*_mine(principal, collaboration, key), idempotency_key.c.created_at <= at - KEPT)
    )
    row = {"principal": principal, "collaboration": collaboration, "key": key.text}
    connection.execute(insert(idempotency_key), {**row, "digest": key.digest, "query": query, "created_at": at})


def mismatch() -> InvalidInput:
    """What is said where one key is used for two requests."""
    message = "Another request was sent under this key: take a new key for a new request."
    return InvalidInput((Problem("idempotency.mismatch", message, field="Idempotency-Key"),), "idempotency.mismatch")


def _mine(
    principal: PrincipalId, collaboration: CollaborationName, key: IdempotencyKey
) -> tuple[ColumnElement[bool], ...]:
    table = idempotency_key.c
    return table.principal == principal, table.collaboration == collaboration, table.key == key.text
