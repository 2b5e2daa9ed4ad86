"""The keyring's file, the key in force, and rotation: nothing that was sealed is ever without its key."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from cleanroom.domain.errors import LogError, OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.query import QueryState
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys, in_force, new_key
from cleanroom.store.opened_secrets import stored_secret
from cleanroom.store.queries import Queries
from cleanroom.store.results import Results, write_result
from cleanroom.store.rotation import rotate
from cleanroom.store.schema import log_head, master_key, result, secret
from cleanroom.store.secrets import Secrets
from cleanroom.vault.keyring import Keyring
from tests.store.world import NOON, RETAILER, QueryId, happened, later, query

Q1 = QueryId("q1")


@pytest.fixture
def secrets(database: Database, log: Log, master_keys: MasterKeys) -> Secrets:
    return Secrets(database, log, master_keys)


@pytest.fixture
def filled(database: Database, queries: Queries, results: Results, secrets: Secrets) -> None:
    """A result and a secret, sealed."""
    _keep(database, queries, results)
    with database.begin() as transaction:
        secrets.write(transaction, RETAILER, "lake", "hunter2", author=None, at=NOON)


def _keep(database: Database, queries: Queries, results: Results, name: str = "q1") -> None:
    queries.submit(query(name, QueryState.SUCCEEDED), happened())
    with database.begin() as transaction:
        write_result(transaction, results.seal(QueryId(name), b"arrow", later(99)))


def _body(results: Results) -> bytes:
    found = results.open(Q1)
    assert found is not None
    return b"".join(found.chunks())


def _code(action: object) -> str:
    with pytest.raises(OperationError) as failed:
        action()  # type: ignore[operator]
    return failed.value.code


def test_the_first_key_is_in_a_file_of_its_owner_alone(master_keys: MasterKeys, tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (key,) = master_keys.read().keys
    assert key.created_at == NOON
    assert str(key.key) not in repr(key)


def test_beginning_twice_keeps_the_key(database: Database, master_keys: MasterKeys) -> None:
    before = master_keys.read()
    with database.begin() as transaction:
        master_keys.begin(transaction, later(1))
    assert master_keys.read() == before


def test_a_beginning_that_was_interrupted_after_the_file_is_finished_with_its_key(
    database: Database, master_keys: MasterKeys
) -> None:
    before = master_keys.read()
    with database.begin() as transaction:
        transaction.execute(delete(master_key))
    with database.begin() as transaction:
        master_keys.begin(transaction, later(1))
        assert in_force(transaction) == before.keys[0].id


def test_a_lost_key_is_never_replaced_by_beginning_again(
    database: Database, master_keys: MasterKeys, tmp_path: Path
) -> None:
    (tmp_path / "master.key").unlink()

    def begin() -> None:
        with database.begin() as transaction:
            MasterKeys(tmp_path / "master.key").begin(transaction, later(1))

    assert _code(begin) == "keys.missing"
    assert not (tmp_path / "master.key").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_keyring_that_others_may_touch_is_refused(master_keys: MasterKeys, tmp_path: Path, mode: int) -> None:
    (tmp_path / "master.key").chmod(mode)
    assert _code(master_keys.read) == "keys.unsafe"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"form": "cleanroom/keyring/v1", "keys": []}',
        '{"form": "cleanroom/keyring/v2", "keys": [{}]}',
        '{"form": "cleanroom/keyring/v1", "keys": [{"id": "00", "created_at": "2026-03-01T12:00:00Z", "key": "AA=="}]}',
        '{"form": "cleanroom/keyring/v1", "keys": 7}',
        "[" * 100_000,
    ],
)
def test_a_file_of_another_form_is_refused_without_a_word_of_it(
    master_keys: MasterKeys, tmp_path: Path, text: str
) -> None:
    (tmp_path / "master.key").write_text(text)
    assert _code(master_keys.read) == "keys.malformed"


def test_rotation_changes_every_wrapping_and_nothing_else(
    database: Database, log: Log, master_keys: MasterKeys, results: Results, filled: None
) -> None:
    before = master_keys.read()
    done = rotate(database, log, master_keys, later(5))
    assert (done.results, done.secrets, done.lost) == (1, 1, 0)
    assert [key.id for key in master_keys.read().keys] == [done.key_id]
    assert before.find(done.key_id) is None
    with database.read() as connection:
        named = {
            *connection.execute(select(result.c.key_id)).scalars(),
            *connection.execute(select(secret.c.key_id)).scalars(),
        }
    assert named == {done.key_id}
    assert _body(results) == b"arrow"
    assert stored_secret(database, master_keys, RETAILER, "lake") == "hunter2"
    last = log.events(after=log.size() - 2)[0].event
    assert (last.kind, last.data) == (
        EventKind.KEY_ROTATED,
        {"key": done.key_id, "results": 1, "secrets": 1, "lost": 0},
    )


def test_a_process_that_runs_follows_a_rotation(
    database: Database, log: Log, queries: Queries, master_keys: MasterKeys, tmp_path: Path, filled: None
) -> None:
    other = MasterKeys(tmp_path / "master.key")
    theirs = Results(database, log, other)
    assert _body(theirs) == b"arrow"
    sealed = theirs.seal(QueryId("q2"), b"more", later(99))  # before, and stored after
    rotate(database, log, master_keys, later(5))
    queries.submit(query("q2", QueryState.SUCCEEDED), happened())
    with database.begin() as transaction:
        write_result(transaction, sealed)
    assert _body(theirs) == b"arrow"
    found = theirs.open(QueryId("q2"))
    assert found is not None
    assert b"".join(found.chunks()) == b"more"


def test_a_host_that_has_not_the_new_key_seals_nothing(
    database: Database, log: Log, queries: Queries, master_keys: MasterKeys, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.key"
    copy.write_bytes((tmp_path / "master.key").read_bytes())
    copy.chmod(0o600)
    elsewhere = Results(database, log, MasterKeys(copy))
    queries.submit(query("q1", QueryState.SUCCEEDED), happened())
    rotate(database, log, master_keys, later(5))

    def write() -> None:
        with database.begin() as transaction:
            write_result(transaction, elsewhere.seal(Q1, b"arrow", later(99)))

    assert _code(write) == "keys.missing"
    assert elsewhere.open(Q1) is None


def test_a_rotation_whose_event_cannot_be_written_leaves_everything_readable(
    database: Database, log: Log, master_keys: MasterKeys, results: Results, filled: None
) -> None:
    before = master_keys.read().keys[0]
    with database.begin() as transaction:
        transaction.execute(update(log_head).values(frontier=b""))
    with pytest.raises(LogError):
        rotate(database, log, master_keys, later(5))
    with database.read() as transaction:
        assert in_force(transaction) == before.id
    assert before in master_keys.read().keys
    assert _body(results) == b"arrow"


KILLED = """
import datetime, os, signal, sys
from pathlib import Path
from cleanroom.store import master_keys, rotation
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from tests.store.world import KEY, NOON

url, path, stop = sys.argv[1:]
steps = 0


def step(action):
    def wrapped(*args, **kwargs):
        global steps
        steps += 1
        if steps == int(stop):
            os.kill(os.getpid(), signal.SIGKILL)
        return action(*args, **kwargs)
    return wrapped


master_keys.replace = step(master_keys.replace)
rotation.put_in_force = step(rotation.put_in_force)
rotation._rewrap = step(rotation._rewrap)
rotation.drop_unused = step(rotation.drop_unused)
database = Database(url)
rotation.rotate(database, Log(database, KEY), master_keys.MasterKeys(Path(path)), NOON)
"""


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
def test_a_rotation_that_is_killed_anywhere_loses_nothing_and_is_finished_by_the_next(
    url: str, database: Database, log: Log, master_keys: MasterKeys, results: Results, tmp_path: Path, filled: None
) -> None:
    path = tmp_path / "master.key"
    killed = 0
    for stop in range(1, 20):
        command = [sys.executable, "-c", KILLED, url, str(path), str(stop)]
        status = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())}).returncode
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        assert _body(results) == b"arrow"
        assert stored_secret(database, master_keys, RETAILER, "lake") == "hunter2"
        if status == 0:
            break
    assert killed == 6  # before: the file, the row, two data keys, the dropping, the file again
    assert len(master_keys.read().keys) == 1
    assert sorted(p.name for p in tmp_path.glob("master.key*")) == ["master.key"]
    assert log.verify().holds


def test_what_no_key_opens_stops_a_rotation(
    database: Database, log: Log, master_keys: MasterKeys, tmp_path: Path, filled: None
) -> None:
    with database.begin() as transaction:
        key = new_key(NOON)
        master_keys.write(Keyring((key,)))
        transaction.execute(update(master_key).values(key_id=key.id))
    assert _code(lambda: rotate(database, log, MasterKeys(tmp_path / "master.key"), later(5))) == "keys.missing"


@pytest.mark.parametrize("file", ["gone", "another"])
def test_a_lost_key_is_given_up_with_all_that_it_sealed_and_the_log_says_so(
    database: Database,
    log: Log,
    queries: Queries,
    results: Results,
    secrets: Secrets,
    tmp_path: Path,
    filled: None,
    file: str,
) -> None:
    path = tmp_path / "master.key"
    path.unlink()
    keys = MasterKeys(path)
    if file == "another":
        keys.write(Keyring((new_key(NOON),)))
    assert _code(lambda: rotate(database, log, keys, later(5))) == "keys.missing"
    done = rotate(database, log, keys, later(5), lost=True)
    assert (done.results, done.secrets, done.lost) == (0, 0, 2)
    assert Results(database, log, keys).open(Q1) is None
    assert secrets.list() == ()
    found = queries.get(Q1)
    assert found is not None
    assert found.state is QueryState.EXPIRED
    kinds = [logged.event.kind for logged in log.events(after=log.size() - 4)]
    assert kinds == [EventKind.RESULT_SHREDDED, EventKind.SECRET_REMOVED, EventKind.KEY_ROTATED]
    assert [key.id for key in keys.read().keys] == [done.key_id]
