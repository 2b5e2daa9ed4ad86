"""The Dockerfile keeps what it promises, as far as that shows without an engine that builds it: its form, the files that
it copies, and its entry point run without rights from a copy that cannot be written to."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from dockerfile_parse import DockerfileParser

PROJECT = Path(__file__).resolve().parent.parent
TEXT = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
NOBODY = 65534
_REACH = "import click, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
# https://docs.docker.com/reference/dockerfile/ names them
INSTRUCTIONS = {
    "ARG",
    "FROM",
    "ENV",
    "WORKDIR",
    "RUN",
    "COPY",
    "VOLUME",
    "USER",
    "EXPOSE",
    "HEALTHCHECK",
    "ENTRYPOINT",
    "CMD",
}


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    folder = tmp_path_factory.mktemp("docker")
    shutil.copy(PROJECT / "Dockerfile", folder)
    parsed = DockerfileParser(str(folder)).structure
    return [(i["instruction"], i["value"]) for i in parsed if i["instruction"] != "COMMENT"]


def test_every_line_is_an_instruction(instructions: list[tuple[str, str]]) -> None:
    assert {name for name, _ in instructions} <= INSTRUCTIONS


def test_lists_are_json(instructions: list[tuple[str, str]]) -> None:
    lists = [value[value.index("[") :] for name, value in instructions if name in ("CMD", "ENTRYPOINT", "HEALTHCHECK")]
    assert len(lists) == 3
    assert all(isinstance(json.loads(text), list) for text in lists)


def test_what_it_copies_is_there_and_not_kept_from_the_builder(instructions: list[tuple[str, str]]) -> None:
    allowed = {
        line[1:].rstrip("/") for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = [
        word for name, value in instructions if name == "COPY" and "--from" not in value for word in value.split()[:-1]
    ]
    assert copied
    assert set(copied) <= allowed
    assert all((PROJECT / path).exists() for path in copied)


def test_the_image_is_the_last_of_two_stages_and_is_not_root(instructions: list[tuple[str, str]]) -> None:
    stages = [value for name, value in instructions if name == "FROM"]
    last = instructions[max(i for i, (name, _) in enumerate(instructions) if name == "FROM") :]
    assert len(stages) == 2
    assert [value for name, value in last if name == "USER"] == ["10001:10001"]
    assert {"HEALTHCHECK", "VOLUME", "ENTRYPOINT"} <= {name for name, _ in last}
    assert re.search(r"COPY --from=build ", TEXT)


def test_its_packages_are_those_of_the_lock() -> None:
    lock, runtime = (pins(PROJECT / "requirements" / name) for name in ("lock.txt", "runtime.txt"))
    assert runtime.items() <= lock.items()
    assert not {"pytest", "mypy", "ruff"} & runtime.keys()


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(found)


@dataclass(frozen=True, slots=True)
class Unprivileged:
    """How to start a process that has no rights of root's: its words before the command, and whom it runs as."""

    before: tuple[str, ...]
    uid: int

    def start(self, command: list[str], copy: Path, volume: Path) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(copy),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONSAFEPATH": "1",
            "TMPDIR": str(volume),
            "CLEANROOM_HOME": str(volume / "home"),
        }
        return subprocess.Popen([*self.before, *command], cwd=volume, env=environment)


def unprivileged() -> Unprivileged | None:
    """Nobody, or, where nobody cannot reach this Python, a root that has lost every capability; None if neither can be."""
    lost = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
    nobody = (*lost, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    for person in (Unprivileged(nobody, NOBODY), Unprivileged(lost, 0)):
        try:
            tried = subprocess.run([*person.before, sys.executable, "-c", _REACH], capture_output=True, check=False)
        except OSError:
            return None
        if tried.returncode == 0:
            return person
    return None


@pytest.fixture
def person() -> Unprivileged:
    found = unprivileged() if os.getuid() == 0 else None
    if found is None:
        pytest.skip("needs root and setpriv(1), to give root's rights away")
    return found


@pytest.fixture
def container(tmp_path: Path, person: Unprivileged) -> Path:
    """`image/`, a copy of the package that nobody may write to, beside `volume/`, which is the person's own."""
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    image, volume = tmp_path / "image", tmp_path / "volume"
    shutil.copytree(PROJECT / "cleanroom", image / "cleanroom", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [image, *image.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    volume.mkdir(mode=0o700)
    os.chown(volume, person.uid, person.uid)
    tmp_path.chmod(0o755)
    return tmp_path


def test_the_entry_point_serves_without_rights_from_a_copy_that_cannot_be_written(
    container: Path, person: Unprivileged
) -> None:
    image, volume = container / "image", container / "volume"
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    entry = [sys.executable, "-m", "cleanroom"]
    assert person.start([*entry, "init"], image, volume).wait() == 0
    server = person.start([*entry, "serve", "--port", str(port)], image, volume)
    try:
        assert ready(f"http://127.0.0.1:{port}/readyz", server)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def ready(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether the address that the health check asks answers well before the server ends or a minute is over."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(url, timeout=2, trust_env=False).is_success:
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    return False
