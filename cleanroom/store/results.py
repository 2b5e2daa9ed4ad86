"""Result bytes (an Arrow IPC stream) ↔ sealed rows, written in the transaction that makes their query succeed."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter

from sqlalchemy import Connection, delete, insert, or_, select, update

from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import Principal, QueryRecord, QueryState
from cleanroom.domain.sealed import SealedResult, WrappedKey
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.query_rows import record_of
from cleanroom.store.schema import queries, result, result_chunk
from cleanroom.vault.keyring import KEY_BYTES
from cleanroom.vault.sealing import Damaged, open_chunk, seal_chunks


class DamagedResult(OperationError):
    """A result is not the one that was sealed: a part was changed, moved, cut off or comes from another."""

    code = "result.damaged"

    def __init__(self) -> None:
        super().__init__("A stored result does not open: it is not the one that was sealed.")


@dataclass(frozen=True, slots=True)
class OpenResult:
    """A result whose first chunk was found whole. `digest` is "sha256:<hex>" of the clear bytes."""

    query: QueryId
    size_bytes: int
    digest: str
    _count: int
    _first: bytes = field(repr=False)
    _data_key: bytes = field(repr=False)
    _database: Database = field(repr=False)

    def chunks(self) -> Iterator[bytes]:
        """The clear bytes, in order; each chunk is read and opened as it is asked for. DamagedResult, also in the middle."""
        yield self._first
        for place in range(1, self._count):
            with self._database.read() as connection:
                sealed = _sealed(connection, self.query, place)
            yield _opened(sealed, self._data_key, self.query, place, self._count)


class Results:
    """What receivers fetch, for as long as it is kept."""

    def __init__(self, database: Database, log: Log, keys: MasterKeys) -> None:
        self._database = database
        self._log = log
        self._keys = keys

    def seal(self, query: QueryId, body: bytes, expires_at: datetime.datetime) -> SealedResult:
        """The result as `write_result` stores it, under a data key of its own."""
        data_key = secrets.token_bytes(KEY_BYTES)
        return SealedResult(
            query=query,
            chunks=tuple(seal_chunks(data_key, body, context(query))),
            size_bytes=len(body),
            digest=result_digest(body),
            expires_at=expires_at,
            wrap=partial(self._wrap, query, data_key),
        )

    def open(self, query: QueryId) -> OpenResult | None:
        """The query's result, or None where it has none (any more).

        DamagedResult, and OperationError "keys.missing" where its master key is gone.
        """
        with self._database.read() as connection:  # of one moment: what is shredded in between is not damaged
            row = connection.execute(select(result).where(result.c.query == query)).first()
            sealed = None if row is None else _sealed(connection, query, 0)
        if row is None:
            return None
        try:
            data_key = self._keys.unwrap(WrappedKey(row.key_id, row.wrapped_key), context(query))
        except Damaged:
            raise DamagedResult from None
        if row.chunk_count < 1:  # every result has a last chunk
            raise DamagedResult
        first = _opened(sealed, data_key, query, 0, row.chunk_count)
        return OpenResult(query, row.size_bytes, row.digest, row.chunk_count, first, data_key, self._database)

    def fetched(self, query: QueryId, event: Event) -> bool:
        """The event is in the log; False, and it is not, where the result is gone by now."""
        kept = (queries.c.id == query, queries.c.state == QueryState.SUCCEEDED.value)
        with self._database.begin() as connection:
            if connection.execute(select(queries.c.id).where(*kept)).first() is None:
                return False
            self._log.append(connection, event)
            return True

    def due(self, now: datetime.datetime) -> tuple[QueryRecord, ...]:
        """Succeeded queries whose result has been kept for its time, or is of an earlier version and not there."""
        kept = queries.c.state == QueryState.SUCCEEDED.value
        over = or_(kept & queries.c.expires_at.is_(None), kept & (queries.c.expires_at <= now))  # each by the index
        with self._database.read() as connection:
            rows = connection.execute(select(queries).where(over)).all()
        # Ordered here: PostgreSQL takes the many that were due once for many that are, and would read all in order.
        return tuple(record_of(row) for row in sorted(rows, key=attrgetter("position")))

    def shred(self, query: QueryId, event: Event) -> bool:
        """The result is gone, its key first of all, the query is expired and the event in the log.

        False, and nothing done, where the query has no result to lose.
        """
        with self._database.begin() as connection:
            done = shred_in(connection, query)
            if done:
                self._log.append(connection, event)
        return done

    def scrub(self) -> None:
        """What was shredded is in none of the database's own files, where they can be helped."""
        self._database.scrub()

    def _wrap(self, query: QueryId, data_key: bytes, transaction: Connection) -> WrappedKey:
        return self._keys.wrap(transaction, data_key, context(query))


def context(query: QueryId) -> tuple[str, ...]:
    """What binds a data key and its chunks to one query's result."""
    return "result", query


def write_result(connection: Connection, sealed: SealedResult) -> None:
    """The result is stored, and its query says how long, as soon as the transaction commits."""
    key = sealed.wrap(connection)
    row = {
        "query": sealed.query,
        "key_id": key.key_id,
        "wrapped_key": key.sealed,
        "chunk_count": len(sealed.chunks),
        "size_bytes": sealed.size_bytes,
        "digest": sealed.digest,
    }
    connection.execute(insert(result), row)
    for place, chunk in enumerate(sealed.chunks):
        connection.execute(insert(result_chunk), {"query": sealed.query, "place": place, "body": chunk})
    kept = update(queries).where(queries.c.id == sealed.query)
    connection.execute(kept.values(expires_at=sealed.expires_at))


def shred_in(connection: Connection, query: QueryId) -> bool:
    """As `Results.shred`, in the caller's transaction and without its event."""
    mine = (queries.c.id == query, queries.c.state == QueryState.SUCCEEDED.value)
    if connection.execute(update(queries).where(*mine).values(state=QueryState.EXPIRED.value)).rowcount == 0:
        return False
    connection.execute(delete(result_chunk).where(result_chunk.c.query == query))
    connection.execute(delete(result).where(result.c.query == query))
    return True


def shredded(record: QueryRecord, kind: EventKind, at: datetime.datetime, author: Principal | None = None) -> Event:
    """The event that the query's result is gone; `author` None: the server, or the operator."""
    return Event(
        kind=kind,
        at=at,
        partner=None if author is None else author.partner,
        principal=None if author is None else author.id,
        collaboration=record.collaboration,
        query=record.id,
        datasets=record.datasets,
        data={"partner": record.principal.partner, "receivers": list(record.receivers)},
    )


def result_digest(body: bytes) -> str:
    """ "sha256:<hex>", as an event names a result."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _sealed(connection: Connection, query: QueryId, place: int) -> bytes | None:
    mine = (result_chunk.c.query == query, result_chunk.c.place == place)
    return connection.execute(select(result_chunk.c.body).where(*mine)).scalar_one_or_none()


def _opened(sealed: bytes | None, data_key: bytes, query: QueryId, place: int, count: int) -> bytes:
    if sealed is None:
        raise DamagedResult
    try:
        return open_chunk(data_key, sealed, context(query), place, last=place == count - 1)
    except Damaged:
        raise DamagedResult from None
