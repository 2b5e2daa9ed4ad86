"""A table → the bytes that a worker answers with."""

from __future__ import annotations

import pyarrow as pa


def arrow_bytes(table: pa.Table, batch_rows: int | None = None) -> bytes:
    """The table as an Arrow IPC stream, of batches of that many rows at most."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    body: bytes = sink.getvalue().to_pybytes()
    return body
