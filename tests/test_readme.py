"""README.md tells the truth: its console blocks are run as they stand, and print what it says they print."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sample_partners import generate

PROJECT = Path(__file__).resolve().parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = "-- end of command --"


def commands(text: str) -> list[tuple[str, str]]:
    """Every command of the console blocks with what is printed under it."""
    found: list[tuple[str, str]] = []
    for block in _BLOCK.findall(text):
        for line in block.splitlines():
            command, printed = found[-1] if found else ("", "")
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif line.startswith("> ") and not printed:
                found[-1] = (f"{command}\n{line[2:]}", "")
            else:
                found[-1] = (command, f"{printed}{line}\n")
    return found


def outputs(typed: list[str], folder: Path, environment: dict[str, str]) -> list[str]:
    """What each command prints when they are typed into one shell."""
    script = "\n".join(f"{command}\necho '{_MARK}'" for command in typed)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=180,
        check=False,
    )
    return done.stdout.split(f"{_MARK}\n")[:-1]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder as the project's is, with `make serve` running: where to type, and the environment to type in."""
    if not (PROJECT / "sample_partners" / "publisher" / "creatives.parquet").exists():
        generate.main()
    folder = tmp_path_factory.mktemp("project")
    for name in ("policies", "sample_partners"):
        (folder / name).symlink_to(PROJECT / name)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEANROOM_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**kept, "PATH": path, "PYTHONPATH": str(PROJECT), "CLEANROOM_URL": f"http://127.0.0.1:{port}"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "sample_partners.serve", port],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        assert server.stdout is not None
        said = next((line for line in server.stdout if "answers at" in line), "")
        assert said, (folder / "server.log").read_text()
        yield folder, environment
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
        server.stdout.close()


def test_every_console_block_prints_what_the_readme_says(shell: tuple[Path, dict[str, str]]) -> None:
    folder, environment = shell
    told = commands(README)
    printed = outputs([command for command, _ in told], folder, environment)
    assert [(command, text) for (command, _), text in zip(told, printed, strict=True)] == told


def test_a_csv_of_ones_own_takes_five_commands() -> None:
    section = README.split("## Bring your own CSV in five commands")[1].split("\n## ")[0]
    assert len(commands(section)) == 5


def places_in(page: Path) -> set[str]:
    """The names by which links lead to the page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_folder_and_page_it_names_is_there() -> None:
    table = README.split("## Where to change what")[1]
    named = re.findall(r"`((?:cleanroom|policies|sample_partners|tests|docs)/[^`]*)`", table)
    linked = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    assert len(named) >= 15
    pages = [link.partition("#") for link in linked]
    assert [name for name in (*named, *(page for page, _, _ in pages)) if not (PROJECT / name).exists()] == []
    assert [place for page, _, place in pages if place and place not in places_in(PROJECT / page)] == []


def test_every_package_has_a_line() -> None:
    packages = {path.parent.name for path in (PROJECT / "cleanroom").glob("*/__init__.py")}
    assert {name for name in packages if f"`cleanroom/{name}/`" not in README} == set()
