"""A folder → the real server on a free port, driven by the very commands that a reader would type."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
POLICIES = PROJECT / "policies" / "retail-media"


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs `cleanroom` on one home, its environment's CLEANROOM_HOME; the database is the home's own where no URL is given."""

    home: Path
    database_url: str | None = None

    def run(self, *arguments: str) -> str:
        """What the command printed; CalledProcessError where its exit code is not 0."""
        done = subprocess.run(
            _command(arguments), env=self.environment(), text=True, stdout=subprocess.PIPE, check=True
        )
        return done.stdout

    def environment(self) -> dict[str, str]:
        """This process's, less what could point to somebody else's server or database."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEANROOM_")}
        database = {} if self.database_url is None else {"CLEANROOM_DATABASE_URL": self.database_url}
        return {**kept, **database, "CLEANROOM_HOME": str(self.home)}

    @contextmanager
    def serving(self, log: Path) -> Iterator[str]:
        """`cleanroom serve` runs for the length of the block; its URL. What it logs is in `log`."""
        with log.open("wb") as errors:
            server = subprocess.Popen(
                _command(("serve", "--port", "0")),
                env=self.environment(),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            try:
                yield _url(server, log)
            finally:
                server.terminate()
                server.wait()
                if server.stdout:
                    server.stdout.close()


def _command(arguments: tuple[str, ...]) -> tuple[str, ...]:
    return (sys.executable, "-m", "cleanroom", *arguments)


def _url(server: subprocess.Popen[str], log: Path) -> str:
    """The address in the line that the server prints once it is ready."""
    assert server.stdout is not None
    began = time.monotonic()
    for line in server.stdout:
        if match := re.search(r"https?://\S+:\d+", line):
            return match[0]
    raise SystemExit(f"The server ended after {time.monotonic() - began:.0f} seconds:\n{log.read_text()[-2000:]}")
