"""`audit verify` and `audit export`: a whole log is proven, a broken one is named."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from tests.cli.commands import Terminal


def test_a_whole_log_is_proven(made: Terminal) -> None:
    ran = made("audit", "verify", "--output", "json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["holds"]
    assert told["size"] >= 13


def test_an_exported_log_is_proven_with_its_key_alone(made: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "log"
    key = made("audit", "export", file).out.strip()
    elsewhere = Terminal(tmp_path / "no-home-here", made.capture)
    assert elsewhere("audit", "verify", file, "--key", key).code == 0


def test_an_exported_log_that_was_changed_names_the_entry(made: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "log"
    made("audit", "export", file)
    file.write_bytes(file.read_bytes().replace(b'"retail-media"', b'"retail-madia"', 1))
    ran = made("audit", "verify", file)
    assert ran.code == 4
    assert "broken at entry " in ran.err


def test_an_export_that_was_cut_is_not_whole(made: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "log"
    made("audit", "export", file)
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert made("audit", "verify", file).code == 4


def test_a_home_whose_database_was_changed_is_not_whole(made: Terminal) -> None:
    with sqlite3.connect(made.home / "cleanroom.db") as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        table = next(name for name in tables if "event" in name or "log" in name)
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        column = next(name for name in columns if "canonical" in name)
        triggers = [n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for trigger in triggers:
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(f"UPDATE {table} SET {column} = replace({column}, 'operator', 'nobody')")
    database.close()
    ran = made("audit", "verify")
    assert ran.code == 4
    assert "error: " in ran.err
    assert "Traceback" not in ran.everything


def test_a_file_that_is_no_log_and_a_key_that_is_none_are_told(made: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"\x00\xff not a log\n")
    assert made("audit", "verify", file).code == 4
    made("audit", "export", file)
    ran = made("audit", "verify", file, "--key", "nonsense")
    assert ran.code == 4
    assert ran.err.startswith("error: ")


def test_an_export_into_nowhere_fails_in_words(made: Terminal, tmp_path: Path) -> None:
    ran = made("audit", "export", tmp_path / "no" / "such" / "folder")
    assert ran.code == 4
    assert "Traceback" not in ran.everything


def test_a_log_that_was_put_back_is_whole_alone_and_not_beside_a_kept_checkpoint(
    made: Terminal, tmp_path: Path
) -> None:
    older, kept = tmp_path / "older", tmp_path / "kept"
    made("audit", "export", older)
    assert made("token", "create", "--partner", "publisher", "--role", "auditor").code == 0
    kept.write_text(made("audit", "checkpoint").out)
    assert made("audit", "verify", "--checkpoint", kept).code == 0
    assert made("audit", "verify", older).code == 0
    ran = made("audit", "verify", older, "--checkpoint", kept)
    assert ran.code == 4
    assert "The log is broken" in ran.err


def test_a_checkpoint_that_is_none_is_told(made: Terminal, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("not a note")
    ran = made("audit", "verify", "--checkpoint", nonsense)
    assert ran.code != 0
    assert "Traceback" not in ran.err
