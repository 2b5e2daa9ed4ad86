"""`serve` is two processes that live and end together, and `query` asks them. Everything here is real."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.bootstrap import init_home
from cleanroom.cli.application import apply_folder
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role
from sample_partners import generate
from tests.cli.commands import POLICIES, PROJECT, Ran, Terminal

ANSWERED = "SELECT ad_format, COUNT(*) AS assets FROM publisher.creatives GROUP BY ad_format ORDER BY ad_format"
REFUSED = "SELECT notes FROM retailer.customers"


@dataclass(frozen=True, slots=True)
class Server:
    """A `cleanroom serve` that runs: its process, home, address, and a token of the publisher's analyst."""

    process: subprocess.Popen[str]
    home: Path
    url: str
    token: str

    def children(self) -> dict[str, int]:
        """The process ids of the two children, by the module that each runs."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and b"-m" in words:
                found[words[words.index(b"-m") + 1].decode()] = int(folder.name)
        return found


@contextmanager
def serving(home: Path, token: str, log: Path, *words: str, **environment: str) -> Iterator[Server]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEANROOM_")}
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "cleanroom", "serve", "--port", "0", *words],
            env={**kept, "PYTHONPATH": str(PROJECT), "CLEANROOM_HOME": str(home), **environment},
            cwd=log.parent,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        said = process.stdout.readline()
        match = re.search(r"http://\S+:\d+", said)
        assert match, log.read_text()
        try:
            yield Server(process, home, match[0], token)
        finally:
            process.terminate()
            process.wait(60)
            process.stdout.close()


def make_home(path: Path) -> str:
    """A home at the path with the sample policies; a token of the publisher's analyst."""
    if not (PROJECT / "sample_partners" / "publisher" / "creatives.parquet").exists():
        generate.main()
    home = init_home(path)
    try:
        apply_folder(home, POLICIES, prune=False)
        with home.database.begin() as transaction:
            made = home.drawers.tokens.create(
                transaction, PartnerName("publisher"), (Role.ANALYST,), at=home.clock.now()
            )
    finally:
        home.close()
    return made[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    token = make_home(folder / "home")
    with serving(folder / "home", token, folder / "log", CLEANROOM_SECRET_RETAILER_KEY="s3same") as running:
        yield running


@pytest.fixture
def asking(server: Server, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    """`cleanroom query` in the sample collaboration."""
    monkeypatch.setenv("CLEANROOM_URL", server.url)
    monkeypatch.setenv("CLEANROOM_TOKEN", server.token)
    return lambda *words: terminal("query", "--collaboration", "retail-media", *words)


def until(holds: Callable[[], bool], *, timeout_s: float = 30) -> bool:
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_table_is_printed_with_its_number_of_rows(asking: Callable[..., Ran]) -> None:
    ran = asking("--sql", ANSWERED)
    assert ran.code == 0
    assert ran.out.splitlines()[0].split() == ["ad_format", "assets"]
    assert ran.out.splitlines()[-2:] == ["(4 rows)", "Groups of fewer than 2 people are left out."]


def test_the_statement_may_come_from_a_file(asking: Callable[..., Ran], tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text(ANSWERED)
    assert asking("--file", tmp_path / "q.sql").out.endswith("(4 rows)\nGroups of fewer than 2 people are left out.\n")


def test_every_format_holds_the_same_rows(asking: Callable[..., Ran], tmp_path: Path) -> None:
    told = json.loads(asking("--sql", ANSWERED, "--format", "json").out)
    assert asking("--sql", ANSWERED, "--format", "csv").out.splitlines()[0] == '"ad_format","assets"'
    assert asking("--sql", ANSWERED, "--format", "parquet", "-o", tmp_path / "rows.parquet").code == 0
    assert asking("--sql", ANSWERED, "--format", "arrow", "-o", tmp_path / "rows.arrow").code == 0
    parquet = pq.read_table(tmp_path / "rows.parquet")
    with pa.ipc.open_stream(io.BytesIO((tmp_path / "rows.arrow").read_bytes())) as stream:
        arrow = stream.read_all()
    assert [list(row.values()) for row in arrow.to_pylist()] == told["rows"]
    assert parquet.to_pylist() == arrow.to_pylist()


def test_a_refusal_is_exit_code_3_with_its_reasons(asking: Callable[..., Ran]) -> None:
    ran = asking("--sql", REFUSED)
    assert (ran.code, ran.out) == (3, "")
    assert "column.blocked" in ran.err


def test_a_refusal_in_json_can_be_read_by_a_program(asking: Callable[..., Ran]) -> None:
    ran = asking("--sql", REFUSED, "--format", "json")
    assert ran.code == 3
    assert "column.blocked" in {finding["code"] for finding in json.loads(ran.out)["findings"]}


def test_a_wrong_token_is_not_permitted(asking: Callable[..., Ran]) -> None:
    ran = asking("--sql", ANSWERED, "--token", "crt_0_0")
    assert ran.code == 5
    assert ran.err.startswith("error: ")


def test_a_collaboration_that_is_not_there_is_told(asking: Callable[..., Ran]) -> None:
    ran = asking("--sql", ANSWERED, "--collaboration", "../admin")
    assert ran.code == 2
    assert "name.unknown" in ran.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--sql", "SELECT 1", "--file", "-"), 2),
        (("--sql", ANSWERED, "--format", "sculpture"), 2),
        (("--file", "/no/such/file"), 2),
        (("--sql", ANSWERED, "--url", "http://127.0.0.1:1"), 4),
        (("--sql", ANSWERED, "--url", "nonsense"), 4),
        (("--sql", ANSWERED, "-o", "/no/such/folder/file"), 4),
        (("--sql", "x" * 1_000_000), 2),
    ],
)
def test_wrong_words_end_in_words(asking: Callable[..., Ran], words: tuple[str, ...], code: int) -> None:
    ran = asking(*words)
    assert ran.code == code
    assert ran.err
    assert "Traceback" not in ran.everything


def test_no_token_is_wrong_usage(server: Server, terminal: Terminal) -> None:
    ran = terminal("query", "--collaboration", "retail-media", "--sql", ANSWERED, "--url", server.url)
    assert ran.code == 2
    assert "CLEANROOM_TOKEN" in ran.err


def test_the_executor_alone_holds_connection_secrets(server: Server) -> None:
    environments = {m: Path(f"/proc/{pid}/environ").read_bytes() for m, pid in server.children().items()}
    assert set(environments) == {"cleanroom.api", "cleanroom.executor"}
    assert b"CLEANROOM_SECRET_" not in environments["cleanroom.api"]
    assert b"CLEANROOM_SECRET_RETAILER_KEY=s3same" in environments["cleanroom.executor"]


def test_no_literal_of_a_query_is_in_the_log_of_the_server_and_its_executor(
    server: Server, asking: Callable[..., Ran]
) -> None:
    answered = ANSWERED.replace("GROUP BY", "WHERE ad_format <> 'planted-6f1c' GROUP BY")
    assert asking("--sql", answered).code == 0
    assert asking("--sql", f"{REFUSED} WHERE notes = 'planted-6f1c'").code == 3
    log = (server.home.parent / "log").read_text()
    assert '"endpoint": "queries.submit"' in log
    assert "planted-6f1c" not in log
    assert server.token not in log


@pytest.mark.parametrize("module", ["cleanroom.executor", "cleanroom.api"])
def test_a_child_that_is_killed_is_started_again(server: Server, asking: Callable[..., Ran], module: str) -> None:
    before = server.children()[module]
    os.kill(before, signal.SIGKILL)
    assert until(lambda: server.children().get(module, before) != before)
    assert until(lambda: answers(f"{server.url}/readyz"))
    assert asking("--sql", ANSWERED).code == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def test_a_port_that_is_taken_is_told(server: Server, made: Terminal) -> None:
    ran = made("serve", "--port", server.url.rpartition(":")[2])
    assert ran.code == 4
    assert "serve.address" in ran.err


def test_an_address_of_another_machine_is_told(made: Terminal) -> None:
    assert "serve.address" in made("serve", "--host", "192.0.2.1").err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_and_both_children(tmp_path: Path, number: signal.Signals) -> None:
    token = make_home(tmp_path / "home")
    with serving(tmp_path / "home", token, tmp_path / "log") as server:
        children = server.children()
        server.process.send_signal(number)
        assert server.process.wait(60) == 0
        assert len(children) == 2
        assert all(gone(pid) for pid in children.values())


def test_children_do_not_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    token = make_home(tmp_path / "home")
    with serving(tmp_path / "home", token, tmp_path / "log") as server:
        children = server.children()
        server.process.kill()
        assert len(children) == 2
        assert until(lambda: all(gone(pid) for pid in children.values()))
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", int(server.url.rpartition(":")[2])))
