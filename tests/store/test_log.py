from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from cleanroom.audit.checkpoint import read
from cleanroom.audit.file import verify_file
from cleanroom.audit.keys import signing_key
from cleanroom.audit.proofs import consistency_holds, inclusion_holds
from cleanroom.audit.verification import Fault
from cleanroom.domain.errors import Conflict, LogError, OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import QueryId
from cleanroom.store.database import Database
from cleanroom.store.log import Log, Sight
from cleanroom.store.schema import admitted_root, log_entry
from tests.store.world import AGENCY, CUSTOMERS, KEY, NOON, PUBLISHER, RETAIL_MEDIA, RETAILER, happened

# SQLite's SQL → PostgreSQL's, for the hands in the database
PORTS = (
    (
        """CAST(replace(CAST(canonical AS TEXT), '"n":3', '"n":4') AS BLOB)""",
        """convert_to(replace(convert_from(canonical, 'UTF8'), '"n":3', '"n":4'), 'UTF8')""",
    ),
    ("zeroblob(32)", "decode(repeat('00', 32), 'hex')"),
    ("CAST(frontier || frontier AS BLOB)", "frontier || frontier"),
    ("CAST(a.hash || b.hash AS BLOB)", "a.hash || b.hash"),
    ("x''", "''::bytea"),
    ("x'00'", "'\\x00'::bytea"),
)
REPLACED = PORTS[0][0]
ROOT = Path(__file__).parents[2]


def _fill(log: Log, size: int) -> None:
    for n in range(log.size(), size):
        log.record(happened(EventKind.LOG_READ, data={"n": n}))


def _meddle(database: Database, sabotage: str) -> None:
    with database.begin() as connection:
        if connection.dialect.name == "postgresql":
            for sqlite, postgresql in PORTS:
                sabotage = sabotage.replace(sqlite, postgresql)
        connection.exec_driver_sql(sabotage)


def _appender(url: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.store.appender", url, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_log_begins_with_its_own_creation_and_key(log: Log) -> None:
    (first,) = log.events()
    assert (first.number, first.event.kind) == (0, EventKind.LOG_CREATED)
    assert first.event.data == {"public_key": str(KEY.public)}


def test_a_log_is_created_once(log: Log) -> None:
    with pytest.raises(Conflict):
        log.create(NOON)
    assert log.size() == 1


def test_without_a_log_nothing_is_written(database: Database) -> None:
    with pytest.raises(LogError) as refusal:
        Log(database, KEY).record(happened())
    assert refusal.value.code == "log.missing"


def test_another_key_does_not_continue_the_log(database: Database, log: Log) -> None:
    with pytest.raises(LogError) as refusal:
        Log(database, signing_key(KEY.name, bytes(32))).record(happened())
    assert refusal.value.code == "log.key_changed"
    assert log.verify().holds


def test_several_events_commit_with_one_transaction(database: Database, log: Log) -> None:
    with database.begin() as connection:
        numbers = [log.append(connection, happened()).number for _ in range(3)]
        assert log.size() == 1
    assert numbers == [1, 2, 3]
    assert log.verify().size == 4


def test_a_change_that_is_undone_takes_its_event_with_it(database: Database, log: Log) -> None:
    with suppress(KeyError), database.begin() as connection:
        log.append(connection, happened())
        raise KeyError
    assert log.verify().size == 1


SABOTAGE = (
    ("DROP TABLE log_node", "log.unwritable"),
    ("UPDATE log_head SET frontier = x''", "log.broken"),
    ("DELETE FROM log_head", "log.missing"),
    ("UPDATE log_head SET size = 0, frontier = x''", "log.broken"),
    ("UPDATE log_head SET size = 2", "log.broken"),
    ("UPDATE log_head SET frontier = zeroblob(32)", "log.broken"),
    ("UPDATE log_head SET frontier = CAST(frontier || frontier AS BLOB)", "log.broken"),
    ("UPDATE log_head SET checkpoint = x''", "log.checkpoint"),
    ("UPDATE log_head SET public_key = 'other'", "log.key_changed"),
    ("INSERT INTO log_entry (number, canonical, signature) VALUES (1, x'', x'')", "log.unwritable"),
)
ADMITTED = {"partner": "retailer", "root": "/data", "admitted_at": NOON}


def _admitted(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(admitted_root)).scalar_one()


@pytest.mark.parametrize(("sabotage", "code"), SABOTAGE)
def test_an_event_that_cannot_be_written_undoes_the_change(
    database: Database, log: Log, sabotage: str, code: str
) -> None:
    def change() -> None:
        with database.begin() as connection:
            connection.execute(admitted_root.insert(), ADMITTED)
            log.append(connection, happened())

    _meddle(database, sabotage)
    with pytest.raises(LogError) as refusal:
        change()
    assert refusal.value.code == code
    assert _admitted(database) == 0


def test_nothing_is_built_on_another_cut_of_the_same_tree(database: Database, log: Log) -> None:
    _fill(log, 2)
    _meddle(
        database,
        "UPDATE log_head SET frontier = (SELECT CAST(a.hash || b.hash AS BLOB) FROM log_node a, log_node b"
        ' WHERE a.level = 0 AND a."index" = 0 AND b.level = 0 AND b."index" = 1)',
    )  # the two leaves: their root is the signed one, but they are not the frontier of a tree of two
    with pytest.raises(LogError) as refusal:
        log.record(happened())
    assert refusal.value.code == "log.broken"


def test_whoever_passes_over_a_failed_event_is_told_at_the_end(database: Database, log: Log) -> None:
    def change() -> None:
        with database.begin() as connection:
            connection.execute(admitted_root.insert(), ADMITTED)
            with suppress(LogError):
                log.append(connection, happened(data={"n": 2**60}))

    with pytest.raises(OperationError) as refusal:
        change()
    assert refusal.value.code == "store.undone"
    assert _admitted(database) == 0


def test_a_transaction_whose_event_failed_takes_no_further_change(database: Database, log: Log) -> None:
    def change() -> None:
        with database.begin() as connection:
            with suppress(LogError):
                log.append(connection, happened(data={"n": 2**60}))
            connection.execute(admitted_root.insert(), ADMITTED)

    with pytest.raises(OperationError) as refusal:
        change()
    assert refusal.value.code == "store.failed"
    assert _admitted(database) == 0


def test_every_event_is_proven_included_and_every_size_consistent(log: Log) -> None:
    notes = [log.checkpoint()]
    for size in range(2, 21):
        _fill(log, size)
        notes.append(log.checkpoint())
    latest = read(log.checkpoint(), KEY.public)
    for number in range(20):
        proof = log.inclusion(number)
        assert proof is not None
        assert read(proof.checkpoint, KEY.public) == latest
        assert inclusion_holds(proof.leaf, number, 20, proof.hashes, latest.root)
        earlier = read(notes[number], KEY.public)
        path = log.consistency(earlier.size)
        assert path is not None
        assert consistency_holds(earlier.size, 20, path, earlier.root, latest.root)
    assert log.verify(notes).holds


@pytest.mark.parametrize("number", [-1, 1, 2**62])
def test_there_is_no_proof_of_an_event_that_is_not_there(log: Log, number: int) -> None:
    assert log.inclusion(number) is None
    assert log.event(number) is None
    assert log.consistency(number + 1 if number > 0 else 0) is None


def test_events_are_read_page_by_page(log: Log) -> None:
    _fill(log, 7)
    seen, after = [], -1
    while page := log.events(after=after, limit=3):
        seen += [event.number for event in page]
        after = page[-1].number
    assert seen == list(range(7))


@pytest.mark.parametrize(
    ("sight", "numbers"),
    [
        pytest.param(None, [0, 1, 2, 3, 4, 5], id="the operator sees all"),
        pytest.param(Sight(RETAILER), [1, 2, 5], id="an owner: what touched its data, what it did, what names it"),
        pytest.param(Sight(PUBLISHER), [1, 4], id="a runner: what it did"),
        pytest.param(Sight(None, (RETAIL_MEDIA,)), [1, 3], id="an auditor: its collaborations"),
        pytest.param(Sight(PUBLISHER, (RETAIL_MEDIA,)), [1, 3, 4], id="both"),
        pytest.param(Sight(AGENCY), [], id="a stranger: nothing"),
        pytest.param(Sight(), [], id="nobody: nothing"),
    ],
)
def test_everybody_sees_the_events_that_concern_them(log: Log, sight: Sight | None, numbers: list[int]) -> None:
    log.record(happened(partner=PUBLISHER, collaboration=RETAIL_MEDIA, datasets=(CUSTOMERS,)))
    log.record(happened(partner=RETAILER))
    log.record(happened(collaboration=RETAIL_MEDIA))
    log.record(happened(partner=PUBLISHER, collaboration="other"))
    log.record(happened(EventKind.TOKEN_CREATED, data={"partner": "retailer"}))
    assert [event.number for event in log.events(sight)] == numbers
    assert [n for n in range(6) if log.event(n, sight)] == numbers


def test_the_events_of_a_query_concern_its_runner_and_its_owners_but_no_other_member(log: Log) -> None:
    asked = happened(partner=PUBLISHER, collaboration=RETAIL_MEDIA, datasets=(CUSTOMERS,))
    log.record(replace(asked, query=QueryId("q1")))
    for partner in (PUBLISHER, RETAILER):
        assert log.event(1, Sight(partner, (RETAIL_MEDIA,)))
    assert log.event(1, Sight(AGENCY, (RETAIL_MEDIA,))) is None


@pytest.mark.parametrize(
    ("sabotage", "fault", "entry"),
    [
        (f"UPDATE log_entry SET canonical = {REPLACED} WHERE number = 3", Fault.ALTERED, 3),
        ("UPDATE log_entry SET canonical = x'00' WHERE number = 2", Fault.MALFORMED, 2),
        ("DELETE FROM log_entry WHERE number = 4", Fault.MISNUMBERED, 4),
        ("DELETE FROM log_entry WHERE number > 5", Fault.TRUNCATED, 6),
        ("UPDATE log_entry SET number = number + 100 WHERE number = 4", Fault.MISNUMBERED, 4),
        ("UPDATE log_entry SET signature = x'00' WHERE number = 1", Fault.ALTERED, 1),
        ("UPDATE log_head SET checkpoint = x'00'", Fault.CHECKPOINT, None),
    ],
)
def test_a_hand_in_the_database_is_found(
    database: Database, log: Log, sabotage: str, fault: Fault, entry: int | None
) -> None:
    _fill(log, 8)
    _meddle(database, sabotage)
    found = log.verify()
    assert (found.fault, found.entry) == (fault, entry)


def test_every_bit_of_a_stored_entry_counts(database: Database, log: Log) -> None:
    _fill(log, 3)
    with database.read() as connection:
        row = connection.execute(select(log_entry).where(log_entry.c.number == 1)).one()
    for column in ("canonical", "signature"):
        whole = getattr(row, column)
        for bit in range(0, len(whole) * 8, 5):  # coprime to 8: every byte, every place in a byte
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            with database.begin() as connection:
                change = update(log_entry).where(log_entry.c.number == 1)
                connection.execute(change.values({column: bytes(flipped)}))
            found = log.verify()
            assert (found.holds, found.entry) == (False, 1)
        with database.begin() as connection:
            connection.execute(update(log_entry).where(log_entry.c.number == 1).values({column: whole}))
    assert log.verify().holds


def test_an_exported_log_verifies_offline(tmp_path: Path, log: Log) -> None:
    _fill(log, 6)
    file = tmp_path / "audit.log"
    file.write_bytes(b"".join(log.export()))
    with file.open("rb") as lines:
        assert verify_file(lines, KEY.public).size == 6


def test_threads_that_append_at_once_keep_one_tree(log: Log) -> None:
    numbers: list[int] = []

    def append_some() -> None:
        numbers.extend(log.record(happened(EventKind.LOG_READ, data={"n": n})).number for n in range(25))

    threads = [threading.Thread(target=append_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 101))
    assert log.verify().size == 101


def test_processes_that_append_at_once_keep_one_tree(url: str, log: Log) -> None:
    processes = [_appender(url, 40) for _ in range(2)]
    numbers = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(numbers) == list(range(1, 81))
    assert log.verify().size == 81


def _kill_while_appending(url: str, log: Log, seconds: float) -> None:
    before = log.size()
    process = _appender(url, 10**9)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    told = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.stdout.close()
    process.wait()
    found = log.verify()
    assert found.holds
    assert found.size > before
    assert found.size > max(told, default=0)  # what it said was written, is


def test_a_log_whose_writer_is_killed_is_whole_and_goes_on(url: str, log: Log) -> None:
    for seconds in (0.6, 0.37):
        _kill_while_appending(url, log, seconds)
    log.record(happened())
    assert log.verify().holds


@pytest.mark.long
def test_a_log_whose_writers_are_killed_again_and_again_is_whole(url: str, log: Log) -> None:
    for round_number in range(40):
        bystander = _appender(url, 20)
        _kill_while_appending(url, log, 0.2 + round_number * 0.02)
        bystander.communicate(timeout=60)
        assert bystander.returncode == 0
    assert log.verify().holds
