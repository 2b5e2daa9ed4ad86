"""The engine's connections, tried: a hardened one refuses every probe, an open one fails each."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.engines.duckdb import EngineLimits, prove
from cleanroom.engines.duckdb_connection import lock, open_closed, open_reader, text_literal
from cleanroom.engines.duckdb_hardening import loads_extensions, prepare_bait, probes, prove_hardened, succeeds

LIMITS = EngineLimits(memory_bytes=256 * 1024**2, threads=1)
NAMES = sorted(probes(Path("/")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prepare_bait(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_an_open_connection_runs_the_probe(folder: Path, name: str) -> None:
    connection = duckdb.connect(config={"secret_directory": str(folder / "secrets")})
    assert succeeds(connection, probes(folder)[name])
    connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_hardened_connection_refuses_the_probe(folder: Path, name: str) -> None:
    reader, closed = open_reader(LIMITS, folder / "spill", []), open_closed(LIMITS)
    lock(closed)
    for connection in (reader, closed):
        assert not succeeds(connection, probes(folder)[name])
        connection.close()


def test_extensions_are_loaded_by_an_open_connection_alone(folder: Path) -> None:
    reader, closed = open_reader(LIMITS, folder / "spill", []), open_closed(LIMITS)
    assert [loads_extensions(c, folder) for c in (duckdb.connect(), reader, closed)] == [True, False, False]


def test_an_open_connection_is_not_taken_for_a_hardened_one(folder: Path) -> None:
    with pytest.raises(EngineError) as failure:
        prove_hardened(duckdb.connect(), folder)
    assert failure.value.code == "engine.unsafe"


def test_a_connection_that_is_not_locked_is_not_taken_for_a_hardened_one(folder: Path) -> None:
    with pytest.raises(EngineError):
        prove_hardened(open_closed(LIMITS), folder)


def test_the_proof_holds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    prove(LIMITS, scratch=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_reads_its_own_files_and_writes_none(folder: Path) -> None:
    own = folder / "bait.csv"
    reader = open_reader(LIMITS, folder / "spill", [str(own)])
    assert succeeds(reader, f"SELECT * FROM read_csv({text_literal(str(own))})")
    assert not succeeds(reader, f"SELECT * FROM read_parquet({text_literal(str(folder / 'bait.parquet'))})")
    assert not succeeds(reader, f"COPY (SELECT 2 AS a) TO {text_literal(str(own))}")
    assert own.read_text() == "a\n1\n"


def test_a_link_beside_its_own_file_reaches_nothing(folder: Path) -> None:
    own, link = folder / "bait.csv", folder / "link.csv"
    link.symlink_to(folder / "bait.parquet")
    reader = open_reader(LIMITS, folder / "spill", [str(own)])
    for path in (link, folder / "sub" / ".." / "bait.parquet", Path(str(own) + "x")):
        assert not succeeds(reader, f"SELECT * FROM read_blob({text_literal(str(path))})")


def test_time_is_utc_and_text_is_compared_by_its_bytes(folder: Path) -> None:
    reader = open_reader(LIMITS, folder / "spill", [])
    assert reader.execute("SELECT CAST(TIMESTAMPTZ '2026-07-01 12:00:00+02' AS VARCHAR)").fetchall() == [
        ("2026-07-01 10:00:00+00",)
    ]
    assert reader.execute("SELECT 'a' < 'B', 'a' = 'A', 'é' = 'e'").fetchall() == [(False, False, False)]
