"""Limits → a fresh DuckDB connection that reaches the named files or nothing, and whose settings nobody can change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """What one query may take. `memory_bytes` bounds operators; string functions need the process's own limit as well.

    `spill_bytes` bounds temporary files on disk, `max_result_rows` the rows of any table that a step makes.
    """

    memory_bytes: int = 2 * 1024**3
    threads: int = 2
    spill_bytes: int = 8 * 1024**3
    max_result_rows: int = 1_000_000


def open_reader(
    limits: EngineLimits, spill: Path, files: Sequence[str], *, encrypted: bool = False
) -> duckdb.DuckDBPyConnection:
    """A connection that can read exactly `files`, spills to the folder `spill`, and is locked. `encrypted`: some of them are."""
    connection = _connect(limits, limits.threads, str(spill))
    # As connect config this one is echoed back but not enforced.
    connection.execute(f"SET max_temp_directory_size = '{limits.spill_bytes // 1024}KiB'")
    connection.execute(f"SET allowed_paths = [{', '.join(map(text_literal, files))}]")
    if encrypted:  # with a filter in the scan, DuckDB 2.0 fails on encrypted files that Arrow wrote
        connection.execute("SET disabled_optimizers = 'filter_pushdown,join_filter_pushdown'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def open_closed(limits: EngineLimits) -> duckdb.DuckDBPyConnection:
    """A connection that reaches no file at all. Not locked yet: `lock` it once its tables are in.

    One thread: rows come out in an order that depends on the tables alone.
    """
    connection = _connect(limits, 1, "")
    connection.execute("SET enable_external_access = false")
    return connection


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("SET lock_configuration = true")


def text_literal(text: str) -> str:
    """The string in single quotes, for statements that take no parameters."""
    if "\0" in text:
        raise ValueError("a string that no engine can hold")
    return "'" + text.replace("'", "''") + "'"


def _connect(limits: EngineLimits, threads: int, spill: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoload_known_extensions": "false",
            "autoinstall_known_extensions": "false",
            "allow_community_extensions": "false",
            "python_enable_replacements": "false",
            "threads": str(threads),
            "memory_limit": f"{limits.memory_bytes // 1024}KiB",
            "temp_directory": spill,
        },
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET default_collation = 'binary'")
    return connection
