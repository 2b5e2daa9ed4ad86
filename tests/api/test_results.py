from __future__ import annotations

import datetime
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.api.results import CSV, JSON, PARQUET, type_name, written
from cleanroom.domain.errors import OperationError
from tests.arrow import arrow_bytes

TABLE = pa.table(
    {
        "region": pa.array(["north", None, ""]),
        "buyers": pa.array([61, 2**53, None], pa.int64()),
        "spend": pa.array([Decimal("10.50"), Decimal("-0.01"), None], pa.decimal128(12, 2)),
        "month": pa.array([datetime.date(2024, 2, 29), None, None]),
        "at": pa.array([datetime.datetime(2024, 2, 29, 12, 30), None, None], pa.timestamp("us")),
        "ratio": pa.array([0.5, float("nan"), None]),
        "new": pa.array([True, False, None]),
    }
)


def as_(form: str, table: pa.Table, batch_rows: int | None = None, chunk_bytes: int = 100) -> bytes:
    """The table as it is written from a stored stream that comes in small chunks."""
    stored = arrow_bytes(table, batch_rows)
    chunks = (stored[start : start + chunk_bytes] for start in range(0, len(stored), chunk_bytes))
    return b"".join(written(chunks, form))


def json_bytes(table: pa.Table) -> bytes:
    return as_(JSON, table)


def csv_bytes(table: pa.Table) -> bytes:
    return as_(CSV, table)


def cell(value: Any, arrow: pa.DataType) -> Any:
    return json.loads(json_bytes(pa.table({"x": pa.array([value], arrow)})))["rows"][0][0]


@pytest.mark.parametrize(
    ("value", "arrow", "written"),
    [
        (2**53 - 1, pa.int64(), 2**53 - 1),
        (2**53, pa.int64(), str(2**53)),
        (-(2**53), pa.int64(), str(-(2**53))),
        (Decimal(10) ** 37, pa.decimal128(38, 0), "1" + "0" * 37),
        (Decimal(61), pa.decimal128(38, 0), 61),
        (Decimal(61), pa.decimal128(37, 0), "61"),
        (Decimal("1.50"), pa.decimal128(5, 2), "1.50"),
        (Decimal("0.0000000001"), pa.decimal128(12, 10), "0.0000000001"),
        (float("nan"), pa.float64(), "NaN"),
        (float("-inf"), pa.float64(), "-Infinity"),
        (0.1, pa.float64(), 0.1),
        (datetime.date(2024, 2, 29), pa.date32(), "2024-02-29"),
        (datetime.datetime(2024, 2, 29, 1, 2, 3, 400), pa.timestamp("us"), "2024-02-29T01:02:03.000400"),
        (True, pa.bool_(), True),
        ("=1+1", pa.string(), "=1+1"),
        (None, pa.int64(), None),
    ],
)
def test_json_keeps_every_digit(value: Any, arrow: pa.DataType, written: Any) -> None:
    found = cell(value, arrow)
    assert found == written
    assert type(found) is type(written)


def test_json_names_the_columns_and_their_types() -> None:
    columns = json.loads(json_bytes(TABLE))["columns"]
    assert [c["name"] for c in columns] == TABLE.column_names
    assert [c["type"] for c in columns] == [
        "VARCHAR",
        "BIGINT",
        "DECIMAL(12,2)",
        "DATE",
        "TIMESTAMP",
        "DOUBLE",
        "BOOLEAN",
    ]


def test_an_empty_result_has_columns_and_no_rows() -> None:
    found = json.loads(json_bytes(TABLE.slice(0, 0)))
    assert len(found["columns"]) == 7
    assert found["rows"] == []
    assert csv_bytes(TABLE.slice(0, 0)).count(b"\n") == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_csv_texts_that_a_spreadsheet_would_run_are_defused(text: str) -> None:
    assert csv_bytes(pa.table({"x": [text]})) == b'"x"\r\n"\'' + text.encode() + b'"\r\n'
    assert csv_bytes(pa.table({text: [1]})) == b"\"'" + text.encode() + b'"\r\n1\r\n'


def test_csv_tells_null_from_the_empty_text_and_leaves_numbers_alone() -> None:
    table = pa.table({"t": ["", None, 'a"b'], "n": pa.array([-5, None, 3])})
    assert csv_bytes(table) == b'"t","n"\r\n"",-5\r\n,\r\n"a""b",3\r\n'


def test_csv_writes_other_values_as_json_does() -> None:
    row = csv_bytes(TABLE).splitlines()[1]
    assert row == b'"north",61,10.50,2024-02-29,2024-02-29T12:30:00,0.5,true'
    tiny = pa.table({"x": pa.array([Decimal("0.0000000001"), Decimal(0)], pa.decimal128(38, 10))})
    assert csv_bytes(tiny) == b'"x"\r\n0.0000000001\r\n0.0000000000\r\n'


@pytest.mark.parametrize("batch_rows", [None, 1, 2])
def test_parquet_comes_back_equal(batch_rows: int | None) -> None:
    plain = TABLE.drop_columns(["ratio"])
    assert pq.read_table(io.BytesIO(as_(PARQUET, plain, batch_rows))).equals(plain)
    assert pq.read_table(io.BytesIO(as_(PARQUET, plain.slice(0, 0), batch_rows))).equals(plain.slice(0, 0))


@pytest.mark.parametrize("form", [JSON, CSV])
@pytest.mark.parametrize("batch_rows", [1, 2])
def test_batches_leave_no_trace(form: str, batch_rows: int) -> None:
    assert as_(form, TABLE, batch_rows) == as_(form, TABLE)


@pytest.mark.parametrize("form", [JSON, CSV, PARQUET])
def test_what_is_no_arrow_stream_fails_before_anything_is_sent(form: str) -> None:
    for stored in (b"", b"{}", b"\xff\xff\xff\xff\x10\x00\x00\x00" + bytes(50)):
        with pytest.raises(OperationError) as failed:
            written(iter([stored]), form)
        assert failed.value.code == "result.damaged"


@pytest.mark.parametrize("form", [JSON, CSV, PARQUET])
def test_a_failure_on_the_way_comes_through(form: str) -> None:
    stored = arrow_bytes(pa.table({"x": list(range(10_000))}), 1000)

    def broken() -> Iterator[bytes]:
        yield stored[:40_000]
        raise OperationError("Damaged.", "result.damaged")

    body = written(broken(), form)
    next(body)
    with pytest.raises(OperationError) as failed:
        list(body)
    assert failed.value.code == "result.damaged"


def test_one_batch_is_written_before_the_next_is_read() -> None:
    stored = arrow_bytes(pa.table({"x": list(range(10_000))}), 1000)
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for start in range(0, len(stored), 8192):
            taken += 1
            yield stored[start : start + 8192]

    body = written(counted(), CSV)
    next(body)
    next(body)
    assert taken < 4
    assert b"".join(body).endswith(b"9999\r\n")
    assert taken == -(-len(stored) // 8192)


@pytest.mark.parametrize(
    ("arrow", "name"),
    [
        (pa.int8(), "TINYINT"),
        (pa.int16(), "SMALLINT"),
        (pa.int32(), "INTEGER"),
        (pa.float32(), "FLOAT"),
        (pa.large_string(), "VARCHAR"),
        (pa.timestamp("ns"), "TIMESTAMP"),
        (pa.decimal128(38, 0), "HUGEINT"),
        (pa.decimal128(37, 0), "DECIMAL(37,0)"),
    ],
)
def test_types_have_their_sql_names(arrow: pa.DataType, name: str) -> None:
    assert type_name(arrow) == name
