"""Encrypted Parquet files: read under their key and no other, which stands in no statement that makes a view."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from cleanroom.domain.errors import SourceError
from cleanroom.domain.ports import FileSource
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import open_reader
from cleanroom.engines.duckdb_sources import create_view
from tests.engines.test_duckdb import LIMITS, ORDERS, count_by_shop, rows

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def base64_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def table() -> pa.Table:
    numbers = list(range(120))
    amounts = pa.array([n / 100 for n in numbers]).cast(pa.decimal128(12, 2))
    return pa.table({"user_id": [n % 40 for n in numbers], "shop": ["ab"[n % 2] for n in numbers], "amount": amounts})


def by_duckdb(path: Path) -> None:
    orders = table()  # noqa: F841 - the statement reads it
    connection = duckdb.connect()
    connection.execute("SET force_mbedtls_unsafe = true")  # DuckDB writes nothing encrypted without an extension
    connection.execute(f"PRAGMA add_parquet_key('k', '{base64_of(KEY)}')")
    connection.execute(f"COPY (FROM orders) TO '{path}' (FORMAT parquet, ENCRYPTION_CONFIG {{footer_key: 'k'}})")


def by_arrow(path: Path) -> None:
    pq.write_table(table(), path, encryption_properties=encryption.create_encryption_properties(KEY))


def in_the_clear(path: Path) -> None:
    pq.write_table(table(), path)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(LIMITS, scratch=tmp_path)
    yield engine
    engine.close()


def _source(write: Callable[[Path], None], path: Path, key: bytes | None) -> FileSource:
    write(path)
    return FileSource(ORDERS, "parquet", (str(path),), "snapshot", None if key is None else base64_of(key))


@pytest.mark.parametrize("write", [by_duckdb, by_arrow])
def test_an_encrypted_file_is_read_under_its_key(
    engine: DuckDBEngine, tmp_path: Path, write: Callable[[Path], None]
) -> None:
    source = _source(write, tmp_path / "orders.parquet", KEY)
    raw = engine.run_private(count_by_shop(), {ORDERS.name: source})
    assert [row[:2] for row in rows(raw.rows)] == [("a", 60), ("b", 60)]
    assert base64_of(KEY) not in repr(source)


@pytest.mark.parametrize("write", [by_duckdb, by_arrow])
@pytest.mark.parametrize(
    ("condition", "count"),
    [("user_id = 5", 3), ("user_id IN (SELECT viewer FROM t1)", 3), ("shop = 'a' AND user_id < 9", 15)],
)
def test_a_filter_over_an_encrypted_file_finds_what_it_is_to(
    tmp_path: Path, write: Callable[[Path], None], condition: str, count: int
) -> None:
    source = _source(write, tmp_path / "orders.parquet", KEY)
    reader = open_reader(LIMITS, tmp_path / "spill", source.paths, encrypted=True)
    create_view(reader, "t0", source)
    reader.execute("CREATE TEMP TABLE t1 AS SELECT 5::BIGINT AS viewer")
    found = reader.execute(f"SELECT count(*) FROM t0 WHERE {condition}").fetchall()
    reader.close()
    assert found == [(count,)]


@pytest.mark.parametrize(
    ("write", "key"), [(by_arrow, OTHER), (by_duckdb, OTHER), (by_arrow, None), (in_the_clear, KEY)]
)
def test_a_file_under_another_key_or_none_is_unreadable_and_no_word_of_the_key_is_said(
    engine: DuckDBEngine, tmp_path: Path, write: Callable[[Path], None], key: bytes | None
) -> None:
    source = _source(write, tmp_path / "orders.parquet", key)
    with pytest.raises(SourceError) as failed:
        engine.run_private(count_by_shop(), {ORDERS.name: source})
    assert failed.value.code == "source.unreadable"
    assert "key" not in failed.value.message


def test_no_view_holds_the_key(tmp_path: Path) -> None:
    source = _source(by_arrow, tmp_path / "orders.parquet", KEY)
    reader = open_reader(LIMITS, tmp_path / "spill", source.paths)
    create_view(reader, "t0", source)
    told = reader.execute("SELECT sql FROM duckdb_views() UNION ALL SELECT value FROM duckdb_settings()").fetchall()
    reader.close()
    assert "t0" in str(told)
    assert base64_of(KEY) not in str(told)
