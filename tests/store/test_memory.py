"""The in-memory twins do what the store does, as far as the flow can tell."""

from __future__ import annotations

import pytest

from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.ports import PolicyBook, QueryLog
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.memory import MemoryPolicyBook, MemoryQueryLog
from cleanroom.store.policies import PolicyBook as StoredPolicyBook
from cleanroom.store.queries import Queries
from tests.store.world import DOCUMENTS, NOON, RETAIL_MEDIA, happened, query


@pytest.fixture(params=["stored", "memory"])
def any_book(request: pytest.FixtureRequest, database: Database, book: StoredPolicyBook) -> PolicyBook:
    with database.begin() as transaction:
        for value in DOCUMENTS:
            book.write(transaction, value, author=None, at=NOON)
    policy = book.policy(RETAIL_MEDIA)
    assert policy is not None
    return book if request.param == "stored" else MemoryPolicyBook([policy])


def test_a_book_knows_its_collaborations_alone(any_book: PolicyBook) -> None:
    found = any_book.policy(RETAIL_MEDIA)
    assert found is not None
    assert any_book.policy(RETAIL_MEDIA, found.versions) == found
    assert any_book.policy(CollaborationName("other")) is None


@pytest.fixture(params=["stored", "memory"])
def any_log(request: pytest.FixtureRequest, queries: Queries) -> QueryLog:
    return queries if request.param == "stored" else MemoryQueryLog()


def test_a_log_numbers_events_one_by_one_in_canonical_form(any_log: QueryLog) -> None:
    first = any_log.record(happened())
    any_log.submit(query("q1"), happened())
    third = any_log.record(happened())
    assert third.number == first.number + 2
    assert f'"number":{third.number}'.encode() in third.canonical


def test_memory_keeps_what_it_was_told(log: Log) -> None:
    memory = MemoryQueryLog()
    memory.submit(query("q1"), happened())
    assert memory.records == {"q1": query("q1")}
    assert [logged.event for logged in memory.events] == [happened()]
