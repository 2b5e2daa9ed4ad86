"""DuckDB's exceptions → codes of the house. Their text may quote values and paths: it is dropped, the class name logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa
import structlog

from cleanroom.domain.errors import CleanroomError, EngineError, SourceError

_DATA = (
    duckdb.IOException,
    duckdb.InvalidInputException,
    duckdb.ConversionException,
    duckdb.SerializationException,
    OSError,
    UnicodeError,
)
"""What only the files can cause: rendered SQL raises none of these on any value."""


@contextmanager
def failures_as_codes(*, reads_files: bool) -> Iterator[None]:
    """Whatever DuckDB raises inside leaves as EngineError or, where files are read, SourceError. Bugs stay bugs."""
    try:
        yield
    except CleanroomError:
        raise
    except Exception as error:
        if not isinstance(error, duckdb.Error | pa.ArrowException | RuntimeError | OSError | UnicodeError):
            raise
        structlog.get_logger().warning("engine.error", error=type(error).__name__)
        raise _failure(error, reads_files=reads_files) from None


def _failure(error: Exception, *, reads_files: bool) -> CleanroomError:
    match error:
        case duckdb.OutOfMemoryException():
            return EngineError("The query needs more memory than it may use.", "engine.memory")
        case duckdb.InterruptException():
            return EngineError("The query was interrupted.", "engine.interrupted")
        # The bare class is what the Parquet reader raises on a page that makes no sense.
        case _ if reads_files and (isinstance(error, _DATA) or type(error) is duckdb.Error):
            return SourceError("A file of a dataset cannot be read as it is declared.", "source.unreadable")
        case _:
            return EngineError("The engine failed.", "engine.failed")
