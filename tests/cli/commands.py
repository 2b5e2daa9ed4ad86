"""The command line as a test runs it: words in, exit code and what was printed where out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cleanroom.cli.app import run

PROJECT = Path(__file__).resolve().parent.parent.parent
POLICIES = PROJECT / "policies" / "retail-media"


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a command. `everything` is both of its outputs."""

    code: int
    out: str
    err: str

    @property
    def everything(self) -> str:
        return self.out + self.err


@dataclass(frozen=True, slots=True)
class Terminal:
    """`cleanroom` with words after it, on one home."""

    home: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str | Path) -> Ran:
        self.capture.readouterr()
        code = run(["--home", str(self.home), *map(str, words)])
        printed = self.capture.readouterr()
        return Ran(code, printed.out, printed.err)
