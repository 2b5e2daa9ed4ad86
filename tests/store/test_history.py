"""Every version of a document stays readable, to whom it belonged."""

from __future__ import annotations

import dataclasses

import pytest

from cleanroom.documents import from_document
from cleanroom.domain.document import key_of
from cleanroom.store.database import Database
from cleanroom.store.history import DocumentHistory
from cleanroom.store.policies import PolicyBook
from tests.store.world import CUSTOMERS, NOON, PUBLISHER, RETAILER, RUTH, lake, later, rule

KEY = key_of(rule(CUSTOMERS))


@pytest.fixture
def history(database: Database, book: PolicyBook) -> DocumentHistory:
    """The rule of customers asks for 50 people, then 80."""
    with database.begin() as transaction:
        book.write(transaction, rule(CUSTOMERS), author=None, at=NOON)
        book.write(transaction, rule(CUSTOMERS, 80), author=RUTH, at=later(1))
    return DocumentHistory(database, from_document)


def test_versions_are_listed_the_newest_first_with_who_and_when(history: DocumentHistory) -> None:
    second, first = history.of(KEY)
    assert (second.version, second.author, second.written_at, second.current) == (2, RUTH.id, later(1), True)
    assert (first.version, first.author, first.written_at, first.current) == (1, None, NOON, False)
    assert first.digest != second.digest


def test_a_version_reads_as_it_was_and_none_named_is_the_current_one(history: DocumentHistory) -> None:
    first, now = history.at(KEY, 1), history.at(KEY)
    assert first is not None
    assert now is not None
    assert (first.value, now.value, now.version) == (rule(CUSTOMERS), rule(CUSTOMERS, 80), 2)
    assert history.at(KEY, 3) is None


def test_of_a_removed_document_the_versions_stay_and_none_is_current(
    history: DocumentHistory, database: Database, book: PolicyBook
) -> None:
    with database.begin() as transaction:
        book.remove(transaction, KEY, author=RUTH, at=later(2))
        assert book.current_number(transaction, KEY) is None
    assert [entry.current for entry in history.of(KEY)] == [False, False]
    assert history.at(KEY) is None
    assert history.at(KEY, 2) is not None


def test_a_name_that_another_partner_took_shows_each_its_own_versions(
    history: DocumentHistory, database: Database, book: PolicyBook
) -> None:
    mine = lake(RETAILER, "/data/retailer")
    theirs = dataclasses.replace(lake(PUBLISHER, "/data/publisher"), name=mine.name)
    key = key_of(mine)
    with database.begin() as transaction:
        book.write(transaction, mine, author=None, at=NOON)
        book.remove(transaction, key, author=None, at=NOON)
        book.write(transaction, theirs, author=None, at=NOON)
    assert [entry.version for entry in history.of(key)] == [2, 1]
    assert [entry.version for entry in history.of(key, PUBLISHER)] == [2]
    assert [entry.version for entry in history.of(key, RETAILER)] == [1]
    assert history.at(key, 1, PUBLISHER) is None
    assert history.at(key, None, RETAILER) is None


def test_the_number_in_a_transaction_is_that_of_the_transaction(
    history: DocumentHistory, database: Database, book: PolicyBook
) -> None:
    with database.begin() as transaction:
        assert book.current_number(transaction, KEY) == 2
        book.write(transaction, rule(CUSTOMERS, 90), author=RUTH, at=later(3))
        assert book.current_number(transaction, KEY) == 3
        assert history.of(KEY)[0].version == 2
