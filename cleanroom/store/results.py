"""Result bytes (an Arrow IPC stream) ↔ rows. Written in the transaction that makes their query succeed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from cleanroom.domain.identifiers import QueryId
from cleanroom.store.database import Database
from cleanroom.store.schema import result


@dataclass(frozen=True, slots=True)
class StoredResult:
    """`digest` is "sha256:<hex>" of `body`."""

    body: bytes
    size_bytes: int
    digest: str


class Results:
    """What receivers fetch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, query: QueryId) -> StoredResult | None:
        """The query's result, or None where it has none."""
        with self._database.read() as connection:
            row = connection.execute(select(result).where(result.c.query == query)).first()
        return None if row is None else StoredResult(row.body, row.size_bytes, row.digest)


def write_result(connection: Connection, query: QueryId, body: bytes) -> None:
    """The result is stored as soon as the transaction commits."""
    row = {"query": query, "body": body, "size_bytes": len(body), "digest": result_digest(body)}
    connection.execute(insert(result), row)


def result_digest(body: bytes) -> str:
    """ "sha256:<hex>", as an event names a result."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
