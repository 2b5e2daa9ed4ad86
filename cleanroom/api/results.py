"""A released result's record batches → JSON, CSV or Parquet, as they come. Exact: what JSON numbers cannot hold is a string."""

from __future__ import annotations

import datetime
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import structlog
from flask import Response, json

from cleanroom.domain.errors import OperationError

_log = structlog.get_logger("cleanroom.api")

JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"

SAFE_INTEGER = 2**53
"""Integers of smaller magnitude survive every JSON reader (RFC 8259, section 6)."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_HUGEINT = pa.decimal128(38, 0)  # Arrow has no wider integer, so that engines hand over whole numbers as this
_TYPE_NAMES: Mapping[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.null(): "NULL",
}


def open_result(chunks: Iterator[bytes]) -> pa.RecordBatchReader:
    """The record batches of a stored Arrow IPC stream, each read when it is asked for. OperationError "result.damaged"."""
    try:
        return pa.ipc.open_stream(io.BufferedReader(_Chunks(chunks)))
    except (pa.ArrowException, OSError):
        raise OperationError("A stored result is not an Arrow stream.", "result.damaged") from None


def json_stream(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    """`{"columns": [{"name", "type"}], "rows": [[…]]}`; see docs/http.md for how each type is written."""
    columns = [{"name": field.name, "type": type_name(field.type)} for field in batches.schema]
    yield f'{{"columns": {json.dumps(columns)}, "rows": ['.encode()
    comma = ""
    for batch in batches:
        rows = ", ".join(json.dumps([json_value(v) for v in row]) for row in _rows(batch))
        if rows:
            yield f"{comma}{rows}".encode()
            comma = ", "
    yield b"]}"


def csv_stream(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    """RFC 4180 with a header line, UTF-8. Texts are quoted and nothing else is: NULL is an empty field, an empty text "".

    Texts and names that a spreadsheet would run as a formula (=, +, -, @, tab, line break first) begin with an
    apostrophe: they may come from another partner's data. Other values are written as in JSON.
    """
    yield _csv_lines([batches.schema.names])
    for batch in batches:
        yield _csv_lines(_rows(batch))


def parquet_stream(batches: pa.RecordBatchReader) -> Iterator[bytes]:
    """One Parquet file, a row group a batch."""
    sink = _Sink()
    with pq.ParquetWriter(sink, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.drained()
    yield sink.drained()


WRITERS: Mapping[str, Callable[[pa.RecordBatchReader], Iterator[bytes]] | None] = {
    JSON: json_stream,
    CSV: csv_stream,
    ARROW: None,  # as it is stored
    PARQUET: parquet_stream,
}


MEDIA_TYPES = list(WRITERS)
"""What a result may be asked as; the first where nothing else is asked."""


def written(chunks: Iterator[bytes], media_type: str) -> Iterator[bytes]:
    """The stored stream in that form. What cannot be read fails here, where it fails at once, not with the first byte."""
    writer = WRITERS[media_type]
    return chunks if writer is None else writer(open_result(chunks))


def streamed(body: Iterator[bytes], media_type: str) -> Response:
    """An answer that is written as it is sent. A failure on the way breaks it off, so that no reader takes it for whole."""
    content_type = f"{media_type}; charset=utf-8" if media_type == CSV else media_type
    response = Response(_told(body), content_type=content_type)
    response.headers["Vary"] = "Accept, Authorization"
    return response


def _told(body: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from body
    except OperationError as error:
        _log.error("result.broken_off", code=error.code)
        raise


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a file that is read once, from its beginning."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Sink(io.RawIOBase):
    """A file that is written once, whose bytes are taken out as it grows."""

    def __init__(self) -> None:
        self._written = bytearray()
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._written += data
        self._position += len(data)
        return len(data)

    def drained(self) -> bytes:
        """What was written since."""
        taken = bytes(self._written)
        self._written.clear()
        return taken


def type_name(arrow: pa.DataType) -> str:
    """The SQL name of an Arrow type, as the catalog writes it."""
    if arrow == _HUGEINT:
        return "HUGEINT"
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision},{arrow.scale})"
    if pa.types.is_timestamp(arrow):
        return "TIMESTAMP"
    return _TYPE_NAMES.get(arrow, "VARCHAR")


def json_value(value: Any) -> Any:
    """The value for JSON: NULL, booleans and small integers as they are, moments in ISO 8601, decimals as text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < SAFE_INTEGER else str(value)
        case float():
            return value if math.isfinite(value) else _not_finite(value)
        case Decimal():
            return format(value, "f")
        case datetime.date():
            return value.isoformat()
        case _:
            return str(value)


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _csv_lines(rows: Iterable[Iterable[Any]]) -> bytes:
    return "".join(f"{','.join(map(_csv_field, row))}\r\n" for row in rows).encode()


def _values(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return [None if v is None else int(v) for v in values] if column.type == _HUGEINT else values


def _csv_field(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            guard = "'" if value.startswith(_FORMULA) else ""
            return '"' + guard + value.replace('"', '""') + '"'
        case bool():
            return "true" if value else "false"
        case _:
            return str(json_value(value))
