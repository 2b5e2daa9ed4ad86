"""The demo tells its story to the end, on a real server, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from cleanroom.cli.verdicts import verdict_on
from cleanroom.documents import read_folder
from cleanroom.domain.identifiers import CollaborationName, PartnerName
from sample_partners import generate
from sample_partners.questions import ANSWERED, REFUSED

PROJECT = Path(__file__).resolve().parent.parent.parent


def test_the_story_is_told_to_its_end(tmp_path: Path) -> None:
    if not (PROJECT / "sample_partners" / "publisher" / "creatives.parquet").exists():
        generate.main()
    done = subprocess.run(
        [sys.executable, "-m", "sample_partners.demo"],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(tmp_path), "CLEANROOM_DATABASE_URL": "sqlite:////nowhere/at/all.db"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert [question.title for question in ANSWERED if question.title not in done.stdout] == []
    assert "The log is whole: " in done.stdout
    assert "query.rejected" in done.stdout
    answers = done.stdout.split(REFUSED.title)[0]
    assert not [line for line in answers.splitlines() if line.startswith(("Founders Evening", "islands"))]
    assert list(tmp_path.glob("cleanroom-demo-*")) == []


def test_the_refusal_has_many_reasons_of_different_kinds() -> None:
    folder = read_folder(PROJECT / "policies" / "retail-media")
    verdict = verdict_on(folder, CollaborationName("retail-media"), PartnerName("publisher"), REFUSED.sql)
    assert len({finding.code for finding in verdict.findings}) >= 4
