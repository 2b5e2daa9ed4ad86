"""A connection → the proof, by trying, that it reaches nothing it should not. Settings are not believed."""
# ruff: noqa: S608 - the statements are meant to be refused

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pyarrow as pa
import structlog

from cleanroom.domain.errors import EngineError
from cleanroom.engines.duckdb_connection import EngineLimits, lock, open_closed, open_reader, text_literal


def probes(folder: Path) -> Mapping[str, str]:
    """Name → a statement that a hardened connection refuses. `folder` holds bait.csv, bait.parquet and bait.duckdb."""
    bait = {kind: text_literal(str(folder / f"bait.{kind}")) for kind in ("csv", "parquet", "duckdb")}
    new = {kind: text_literal(str(folder / f"new.{kind}")) for kind in ("csv", "duckdb", "export")}
    return {
        "reads a CSV file": f"SELECT * FROM read_csv({bait['csv']})",
        "reads a Parquet file": f"SELECT * FROM read_parquet({bait['parquet']})",
        "reads a file as text": f"SELECT count(*) FROM read_text({bait['csv']})",
        "reads a file as bytes": f"SELECT count(*) FROM read_blob({bait['csv']})",
        "reads a file by its name": f"SELECT * FROM {bait['csv']}",
        "lists files": f"SELECT * FROM glob({text_literal(str(folder / '*'))})",
        "writes a file": f"COPY (SELECT 1 AS a) TO {new['csv']} (USE_TMP_FILE false)",
        "opens a database file": f"ATTACH {bait['duckdb']} AS bait",
        "makes a database file": f"ATTACH {new['duckdb']} AS made",
        "exports itself": f"EXPORT DATABASE {new['export']}",
        "keeps a secret": "CREATE PERSISTENT SECRET kept (TYPE http, BEARER_TOKEN 'x')",
        "raises its memory limit": "SET memory_limit = '64GB'",
        "raises its threads": "SET threads = 64",
        "moves its temporary files": f"SET temp_directory = {text_literal(str(folder))}",
        "allows a path": f"SET allowed_paths = [{bait['csv']}]",
        "resets a setting": "RESET memory_limit",
        "profiles into a file": "PRAGMA enable_profiling = 'json'",
        "turns replacement scans on": "SET python_enable_replacements = true",
        "sees a local variable": "SELECT * FROM bait_in_python",
    }


def prepare_bait(folder: Path) -> None:
    """Files that a probe could read, so that a refusal is not merely a missing file."""
    (folder / "bait.csv").write_text("a\n1\n", encoding="utf-8")
    (folder / "bait.duckdb_extension").write_bytes(b"no extension at all" * 50)
    maker = duckdb.connect(str(folder / "bait.duckdb"))
    maker.execute(f"COPY (SELECT 1 AS a) TO {text_literal(str(folder / 'bait.parquet'))}")
    maker.close()


def succeeds(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether the connection runs the statement; `bait_in_python` is a table within sight of a replacement scan."""
    bait_in_python = pa.table({"a": [1]})
    try:
        connection.execute(statement).fetchall()
    except duckdb.Error:
        return False
    return bool(bait_in_python.num_rows)


def loads_extensions(connection: duckdb.DuckDBPyConnection, folder: Path) -> bool:
    """Whether the connection so much as looks at a file that it is told to load as an extension."""
    try:
        connection.execute(f"LOAD {text_literal(str(folder / 'bait.duckdb_extension'))}")
    except duckdb.PermissionException:
        return False
    except duckdb.Error:
        return True
    return True


def prove_hardened(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Afterwards each probe was tried and refused. EngineError engine.unsafe: one of them succeeded."""
    done = [name for name, statement in probes(folder).items() if succeeds(connection, statement)]
    if loads_extensions(connection, folder):
        done.append("loads an extension")
    if done:
        structlog.get_logger().error("engine.unsafe", probes=done)
        raise EngineError("The engine can do what it must not.", "engine.unsafe")


def prove(limits: EngineLimits, *, scratch: Path) -> None:
    """Afterwards both kinds of connection that the engine opens were tried in a folder of their own under `scratch`.

    Called once when a worker starts. EngineError engine.unsafe: a connection reaches what it must not.
    """
    folder = Path(tempfile.mkdtemp(prefix="prove-", dir=scratch))
    try:
        prepare_bait(folder)
        own = folder / "own.csv"
        own.write_text("a\n1\n", encoding="utf-8")
        reader = open_reader(limits, folder / "spill", [str(own)])
        closed = open_closed(limits)
        lock(closed)
        for connection in (reader, closed):
            prove_hardened(connection, folder)
        if not _reads_own_file_only(reader, closed, own):
            raise EngineError("The engine can do what it must not, or cannot do what it must.", "engine.unsafe")
        reader.close()
        closed.close()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reads_own_file_only(reader: duckdb.DuckDBPyConnection, closed: duckdb.DuckDBPyConnection, own: Path) -> bool:
    read = f"SELECT * FROM read_csv({text_literal(str(own))}, auto_detect = false, header = true, columns = {{'a': 'INT'}})"
    return succeeds(reader, read) and not succeeds(closed, read)
