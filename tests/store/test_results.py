"""Sealed results: whatever is done to their rows is noticed, and what is shredded is gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.query import QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.results import DamagedResult, Results, result_digest, write_result
from cleanroom.store.schema import result, result_chunk
from cleanroom.vault.sealing import CHUNK_BYTES
from tests.store.world import QueryId, happened, later, query

Q1, Q2 = QueryId("q1"), QueryId("q2")
BODY = bytes(range(256)) * (5 * CHUNK_BYTES // 512)  # two chunks and a half


@pytest.fixture
def kept(database: Database, queries: Queries, results: Results) -> Results:
    """Two results of three chunks."""
    for name in (Q1, Q2):
        queries.submit(query(name, QueryState.SUCCEEDED), happened())
        with database.begin() as transaction:
            write_result(transaction, results.seal(name, BODY, later(99)))
    return results


def _read(results: Results, name: QueryId = Q1) -> bytes:
    found = results.open(name)
    assert found is not None
    return b"".join(found.chunks())


def test_a_result_comes_back_as_it_was(kept: Results) -> None:
    found = kept.open(Q1)
    assert found is not None
    assert [len(chunk) for chunk in found.chunks()] == [CHUNK_BYTES, CHUNK_BYTES, CHUNK_BYTES // 2]
    assert _read(kept) == BODY
    assert (found.size_bytes, found.digest) == (len(BODY), result_digest(BODY))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_every_size_comes_back(database: Database, queries: Queries, results: Results, size: int) -> None:
    queries.submit(query("q1", QueryState.SUCCEEDED), happened())
    with database.begin() as transaction:
        write_result(transaction, results.seal(Q1, b"x" * size, later(99)))
    assert _read(results) == b"x" * size


def test_the_same_bytes_are_sealed_differently_each_time(results: Results) -> None:
    one, other = (results.seal(Q1, b"arrow" * 100, later(99)) for _ in range(2))
    assert not set(one.chunks) & set(other.chunks)
    assert b"arrow" not in b"".join(one.chunks)
    assert "arrow" not in repr(one)


def _chunk(connection: Connection, name: QueryId, place: int) -> bytes:
    mine = (result_chunk.c.query == name, result_chunk.c.place == place)
    return bytes(connection.execute(select(result_chunk.c.body).where(*mine)).scalar_one())


def _put(connection: Connection, name: QueryId, place: int, body: bytes) -> None:
    mine = (result_chunk.c.query == name, result_chunk.c.place == place)
    connection.execute(update(result_chunk).where(*mine).values(body=body))


def flipped(connection: Connection) -> None:
    body = bytearray(_chunk(connection, Q1, 1))
    body[1000] ^= 1
    _put(connection, Q1, 1, bytes(body))


def reordered(connection: Connection) -> None:
    one, other = _chunk(connection, Q1, 0), _chunk(connection, Q1, 1)
    _put(connection, Q1, 0, other)
    _put(connection, Q1, 1, one)


def repeated(connection: Connection) -> None:
    _put(connection, Q1, 1, _chunk(connection, Q1, 0))


def of_another_result(connection: Connection) -> None:
    _put(connection, Q1, 1, _chunk(connection, Q2, 1))


def cut_off(connection: Connection) -> None:
    connection.execute(delete(result_chunk).where(result_chunk.c.query == Q1, result_chunk.c.place == 2))


def cut_off_and_counted(connection: Connection) -> None:
    cut_off(connection)
    connection.execute(update(result).where(result.c.query == Q1).values(chunk_count=2))


def lengthened(connection: Connection) -> None:
    row = {"query": Q1, "place": 3, "body": _chunk(connection, Q1, 2)}
    connection.execute(insert(result_chunk), row)
    connection.execute(update(result).where(result.c.query == Q1).values(chunk_count=4))


def counted_away(connection: Connection) -> None:
    connection.execute(update(result).where(result.c.query == Q1).values(chunk_count=0))


def counted_backwards(connection: Connection) -> None:
    connection.execute(update(result).where(result.c.query == Q1).values(chunk_count=-3))


def emptied(connection: Connection) -> None:
    _put(connection, Q1, 0, b"")


def another_key(connection: Connection) -> None:
    key = connection.execute(select(result.c.wrapped_key).where(result.c.query == Q2)).scalar_one()
    connection.execute(update(result).where(result.c.query == Q1).values(wrapped_key=key))


def no_key(connection: Connection) -> None:
    connection.execute(update(result).where(result.c.query == Q1).values(wrapped_key=b""))


def wholly_of_another(connection: Connection) -> None:
    another_key(connection)
    for place in range(3):
        _put(connection, Q1, place, _chunk(connection, Q2, place))


DAMAGES = [
    flipped, reordered, repeated, of_another_result, cut_off, cut_off_and_counted, lengthened, counted_away, counted_backwards,
    emptied, another_key, no_key, wholly_of_another,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_result_that_is_not_the_one_that_was_sealed_does_not_open(
    database: Database, kept: Results, damage: Callable[[Connection], None]
) -> None:
    with database.begin() as connection:
        damage(connection)
    with pytest.raises(DamagedResult):
        _read(kept)
    if damage is not wholly_of_another:
        assert _read(kept, Q2) == BODY


def test_what_is_damaged_in_its_first_chunk_does_not_even_begin(database: Database, kept: Results) -> None:
    with database.begin() as connection:
        reordered(connection)
    with pytest.raises(DamagedResult):
        kept.open(Q1)


def test_a_key_that_is_not_in_the_file_is_told_as_that(database: Database, kept: Results) -> None:
    with database.begin() as connection:
        connection.execute(update(result).values(key_id="0" * 16))
    with pytest.raises(OperationError) as failed:
        kept.open(Q1)
    assert failed.value.code == "keys.missing"


def test_a_result_is_due_from_its_moment_on(kept: Results) -> None:
    assert kept.due(later(98.9)) == ()
    assert [record.id for record in kept.due(later(99))] == [Q1, Q2]


def test_a_shredded_result_is_gone_with_its_key_and_the_log_says_so(
    database: Database, kept: Results, queries: Queries, log: Log
) -> None:
    assert kept.shred(Q1, happened(EventKind.RESULT_EXPIRED, query=Q1))
    assert kept.open(Q1) is None
    found = queries.get(Q1)
    assert found is not None
    assert (found.state, found.expires_at) == (QueryState.EXPIRED, later(99))
    with database.read() as connection:
        assert set(connection.execute(select(result.c.query)).scalars()) == {Q2}
        assert set(connection.execute(select(result_chunk.c.query)).scalars()) == {Q2}
    assert log.events(after=log.size() - 2)[0].event.kind is EventKind.RESULT_EXPIRED
    assert _read(kept, Q2) == BODY


def test_a_result_is_shredded_once(kept: Results, log: Log) -> None:
    assert kept.shred(Q1, happened(EventKind.RESULT_EXPIRED))
    size = log.size()
    assert not kept.shred(Q1, happened(EventKind.RESULT_SHREDDED))
    assert log.size() == size


@pytest.mark.parametrize("state", sorted(set(QueryState) - {QueryState.SUCCEEDED}))
def test_a_query_in_another_state_has_no_result_to_lose(
    results: Results, queries: Queries, log: Log, state: QueryState
) -> None:
    queries.submit(query("q1", state), happened())
    size = log.size()
    assert not results.shred(Q1, happened(EventKind.RESULT_SHREDDED))
    assert results.due(later(10**6)) == ()
    assert log.size() == size


def test_a_reader_finds_a_result_that_is_shredded_meanwhile_damaged(kept: Results) -> None:
    found = kept.open(Q1)
    assert found is not None
    chunks = found.chunks()
    next(chunks)
    assert kept.shred(Q1, happened(EventKind.RESULT_SHREDDED))
    with pytest.raises(DamagedResult):
        next(chunks)


def test_what_was_shredded_meanwhile_was_not_fetched(kept: Results, log: Log) -> None:
    assert kept.fetched(Q1, happened(EventKind.RESULT_FETCHED))
    assert kept.shred(Q1, happened(EventKind.RESULT_SHREDDED))
    size = log.size()
    assert not kept.fetched(Q1, happened(EventKind.RESULT_FETCHED))
    assert log.size() == size


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_nothing_of_a_shredded_result_is_left_in_the_files_of_sqlite(
    database: Database, kept: Results, url: str
) -> None:
    with database.read() as connection:
        sealed = [_chunk(connection, Q1, place)[2000:2100] for place in range(3)]
        sealed.append(connection.execute(select(result.c.wrapped_key).where(result.c.query == Q1)).scalar_one())
    folder = Path(url.removeprefix("sqlite:///")).parent
    assert all(_in_files(folder, part) for part in sealed)
    assert kept.shred(Q1, happened(EventKind.RESULT_EXPIRED))
    kept.scrub()
    assert not any(_in_files(folder, part) for part in sealed)


def _in_files(folder: Path, part: bytes) -> bool:
    return any(part in path.read_bytes() for path in folder.glob("store*"))
