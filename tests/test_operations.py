"""The page on operations, walked from top to bottom as a new operator would: its commands are read off the page and run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sample_partners import generate
from tests import postgresql as real

PROJECT = Path(__file__).resolve().parent.parent
PAGE = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDED = ("bash", "curl", "openssl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where an operator begins: the policies, and the data that they name."""
    if not (PROJECT / "sample_partners" / "publisher" / "creatives.parquet").exists():
        generate.main()
    shutil.copytree(PROJECT / "policies", tmp_path / "policies")
    (tmp_path / "sample_partners").symlink_to(PROJECT / "sample_partners")
    return tmp_path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(postgresql: real.Server, **more: str) -> dict[str, str]:
    """As on a fresh machine with the package installed: no setting of ours."""
    places = (str(Path(sys.executable).parent), str(postgresql.programs), os.environ["PATH"])
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    urls = {name: postgresql.url(postgresql.create()) for name in ("DATABASE_URL", "RESTORED_URL")}
    return {**kept, "PATH": ":".join(places), "PYTHONPATH": str(PROJECT), "PORT": str(free_port()), **urls, **more}


def test_the_page_s_commands_run_from_top_to_bottom(folder: Path, postgresql: real.Server) -> None:
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    lacking += [name for name in ("pg_dump", "pg_restore") if not (postgresql.programs / name).exists()]
    if lacking:
        pytest.skip(f"not on this machine: {', '.join(lacking)}")
    blocks = [text for info, text in BLOCK.findall(PAGE) if info == "sh run"]
    assert len(blocks) >= 7
    script = folder / "walk.sh"
    script.write_text("set -euo pipefail\n" + "\n".join(blocks))
    with (folder / "said").open("w+") as said:
        walk = subprocess.Popen(
            ["bash", str(script)],
            cwd=folder,
            env=environment(postgresql),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = walk.wait(240)
        finally:
            _end(walk)
        said.seek(0)
        text = said.read()
    assert code == 0, text
    assert text.count("ready for publisher") == 4 * 3
    assert 'cleanroom_queries{state="succeeded"} 1' in text


def _end(walk: subprocess.Popen[bytes]) -> None:
    """Nothing that the walk started runs any more."""
    try:
        os.killpg(walk.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    walk.wait(60)


def test_every_shell_command_of_the_page_is_run() -> None:
    kinds = {info for info, _ in BLOCK.findall(PAGE)}
    assert kinds <= {"sh run", "ini", "nginx", "json"}


def test_every_metric_of_the_page_is_there_and_every_other_is_on_it() -> None:
    source = (PROJECT / "cleanroom" / "api" / "metrics.py").read_text(encoding="utf-8")
    made = {f"{name}_total" if name in COUNTERS else name for name in re.findall(r'"(cleanroom_[a-z_]+)"', source)}
    assert made == set(re.findall(r"`(cleanroom_[a-z_]+)", PAGE))


COUNTERS = {"cleanroom_http_requests", "cleanroom_submissions_refused", "cleanroom_quota_hits"}
