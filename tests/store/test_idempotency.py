"""Under one key there is one query, whoever else asks at the same moment."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cleanroom.domain.errors import InvalidInput, LogError
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.query import IdempotencyKey, QueryState
from cleanroom.store.database import Database
from cleanroom.store.idempotency import IdempotencyKeys
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from tests.store.world import ANALYST, FINDINGS, RETAIL_MEDIA, RUTH, happened, later, query

KEY_1 = IdempotencyKey("k1", "sha256:a")
PROJECT = Path(__file__).parents[2]
SUBMIT = """
import sys
from cleanroom.domain.query import IdempotencyKey
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from tests.store.world import KEY, happened, query
database = Database(sys.argv[1])
queries = Queries(database, Log(database, KEY))
print("ready", flush=True)
sys.stdin.readline()
print(queries.submit(query(sys.argv[2]), happened(), IdempotencyKey("k1", "sha256:a")).id)
"""


def test_a_request_that_comes_again_is_the_query_of_the_first(queries: Queries, log: Log) -> None:
    assert queries.submit(query("q1"), happened(), KEY_1) == query("q1")
    assert queries.submit(query("q2"), happened(), KEY_1) == query("q1")
    assert queries.earlier(ANALYST, RETAIL_MEDIA, KEY_1, later(5)) == query("q1")
    assert (log.size(), len(queries.page().records)) == (2, 1)


def test_a_refusal_that_comes_again_is_the_refusal_of_the_first(queries: Queries) -> None:
    refused = query("q1", QueryState.REJECTED, findings=FINDINGS)
    queries.submit(refused, happened(), KEY_1)
    assert queries.submit(query("q2"), happened(), KEY_1) == refused


def test_another_request_under_the_key_is_refused_and_leaves_nothing(queries: Queries, log: Log) -> None:
    queries.submit(query("q1"), happened(), KEY_1)
    other = IdempotencyKey("k1", "sha256:b")
    for ask in (
        lambda: queries.submit(query("q2"), happened(), other),
        lambda: queries.earlier(ANALYST, RETAIL_MEDIA, other, later(0)),
    ):
        with pytest.raises(InvalidInput) as refused:
            ask()
        assert refused.value.code == "idempotency.mismatch"
    assert log.size() == 2


def test_a_key_is_its_principals_in_its_collaboration(queries: Queries) -> None:
    elsewhere = CollaborationName("other")
    queries.submit(query("q1"), happened(), KEY_1)
    for n, about in enumerate(({"principal": RUTH}, {"collaboration": elsewhere})):
        record = query(f"other{n}", **about)
        assert queries.submit(record, happened(), IdempotencyKey("k1", "sha256:b")) == record
    assert queries.earlier(RUTH, elsewhere, KEY_1, later(0)) is None


def test_a_key_is_forgotten_after_a_day_and_not_before(queries: Queries, database: Database) -> None:
    keys = IdempotencyKeys(database)
    queries.submit(query("q1"), happened(), KEY_1)
    assert keys.sweep(later(86_399)) == 0
    assert queries.submit(query("q2", submitted_at=later(86_399)), happened(), KEY_1).id == "q1"
    assert queries.submit(query("q3", submitted_at=later(86_400)), happened(), KEY_1).id == "q3"
    assert queries.submit(query("q4", submitted_at=later(86_400)), happened(), KEY_1).id == "q3"
    assert keys.sweep(later(2 * 86_400)) == 1
    assert queries.earlier(ANALYST, RETAIL_MEDIA, KEY_1, later(86_400)) is None


def test_a_submission_that_fails_leaves_its_key_free(queries: Queries) -> None:
    with pytest.raises(LogError):
        queries.submit(query("q1"), happened(data={"n": 2**60}), KEY_1)
    assert queries.submit(query("q2"), happened(), KEY_1).id == "q2"


def test_threads_that_ask_at_once_get_one_query(database: Database, log: Log, queries: Queries) -> None:
    ready, found = threading.Barrier(8), list[str]()

    def ask(n: int) -> None:
        ready.wait()
        found.append(queries.submit(query(f"q{n}"), happened(), KEY_1).id)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert log.size() == 2


def test_processes_that_ask_at_once_get_one_query(url: str, log: Log, queries: Queries) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", SUBMIT, url, f"q{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
        )
        for n in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, _ = process.communicate(timeout=30)
        assert process.returncode == 0
        told.append(out.strip())
    assert len(set(told)) == 1
    assert [logged.event.kind for logged in log.events(after=0)] == [EventKind.QUERY_CHECKED]  # the winner's
    assert [record.id for record in queries.page().records] == told[:1]
