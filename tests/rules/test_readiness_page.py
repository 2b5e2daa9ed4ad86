"""The page on readiness has a heading for every code, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r'"([a-z]+\.[a-z_]+)"')
HEADING = re.compile(r"^### ([a-z_.]+)$", re.MULTILINE)


def codes_in(file: str) -> set[str]:
    """The codes that a file of the rules names; those made of a part are written out by who they are about."""
    text = (ROOT / "cleanroom" / "rules" / file).read_text()
    made = {f"{who}.{what}" for what in re.findall(r'f"\{kind\}\.([a-z_]+)"', text) for who in ("runner", "receiver")}
    return set(CODE.findall(text)) | made


def test_every_code_has_its_heading() -> None:
    headings = HEADING.findall((ROOT / "docs" / "readiness.md").read_text())
    assert len(headings) == len(set(headings))
    assert set(headings) == codes_in("contradictions.py") | codes_in("readiness.py") | {"owner.not_ready"}
