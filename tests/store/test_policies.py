from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest

from cleanroom.documents import to_document
from cleanroom.domain.document import Document, DocumentKey, key_of
from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName
from cleanroom.domain.policy import Connection, Policy
from cleanroom.store.database import Database
from cleanroom.store.log import Log, Sight
from cleanroom.store.policies import PolicyBook
from cleanroom.store.schema import document
from tests.store.world import (
    AGENCY,
    COLLABORATION,
    CUSTOMERS,
    DOCUMENTS,
    IMPRESSIONS,
    NOON,
    PUBLISHER,
    RETAIL_MEDIA,
    RETAILER,
    RUTH,
    lake,
    later,
    rule,
    table,
)

OTHER = CollaborationName("other")


def _write(database: Database, book: PolicyBook, *values: Document) -> list[bool]:
    with database.begin() as transaction:
        return [book.write(transaction, value, author=None, at=NOON) for value in values]


def _remove(database: Database, book: PolicyBook, value: Document) -> bool:
    with database.begin() as transaction:
        return book.remove(transaction, key_of(value), author=RUTH, at=NOON)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (COLLABORATION, "collaboration:retail-media"),
        (lake(RETAILER), "connection:retailer-lake"),
        (table(CUSTOMERS), "dataset:retailer.customers"),
        (rule(CUSTOMERS), "rule:retail-media/retailer.customers"),
    ],
)
def test_a_document_is_kept_under_its_kind_and_name(value: Document, key: str) -> None:
    assert str(key_of(value)) == key


def test_a_policy_is_a_collaboration_with_the_datasets_that_have_a_rule_in_it(
    database: Database, book: PolicyBook
) -> None:
    assert _write(database, book, *DOCUMENTS) == [True] * len(DOCUMENTS)
    assert book.policy(RETAIL_MEDIA) == Policy(
        COLLABORATION,
        {CUSTOMERS: table(CUSTOMERS)},
        {CUSTOMERS: rule(CUSTOMERS)},
        {
            "collaboration:retail-media": 1,
            "dataset:retailer.customers": 1,
            "rule:retail-media/retailer.customers": 1,
        },
    )


def test_what_is_not_there_is_none(database: Database, book: PolicyBook) -> None:
    _write(database, book, *DOCUMENTS, rule(CUSTOMERS, collaboration=OTHER))
    assert book.policy(OTHER) is None
    assert book.policy(RETAIL_MEDIA, {}) is None
    assert book.connection(ConnectionName("retailer")) is None
    assert book.dataset(DatasetName("retailer.orders")) is None
    assert book.version(DocumentKey("dataset", "retailer-lake")) is None
    assert book.connections(AGENCY) == ()


def test_a_rule_without_its_dataset_allows_nothing(database: Database, book: PolicyBook) -> None:
    _write(database, book, COLLABORATION, rule(CUSTOMERS))
    policy = book.policy(RETAIL_MEDIA)
    assert policy is not None
    assert policy.datasets == {}


def test_rules_of_another_collaboration_stay_there(database: Database, book: PolicyBook) -> None:
    other = dataclasses.replace(COLLABORATION, name=OTHER)
    _write(database, book, *DOCUMENTS, other, rule(IMPRESSIONS, collaboration=OTHER), rule(CUSTOMERS, 900, OTHER))
    here, there = book.policy(RETAIL_MEDIA), book.policy(OTHER)
    assert here is not None
    assert there is not None
    assert (set(here.rules), here.rules[CUSTOMERS].minimum_units) == ({CUSTOMERS}, 50)
    assert (set(there.rules), there.rules[CUSTOMERS].minimum_units) == ({CUSTOMERS, IMPRESSIONS}, 900)


def test_writing_what_holds_already_writes_nothing(database: Database, book: PolicyBook, log: Log) -> None:
    _write(database, book, *DOCUMENTS)
    size = log.size()
    assert not any(_write(database, book, *DOCUMENTS))
    assert log.size() == size


def test_the_order_of_keys_is_no_change_but_the_order_of_columns_is(database: Database, book: PolicyBook) -> None:
    _write(database, book, *DOCUMENTS)
    turned = dataclasses.replace(rule(CUSTOMERS), columns=dict(reversed(rule(CUSTOMERS).columns.items())))
    columns = dataclasses.replace(table(CUSTOMERS), columns=table(CUSTOMERS).columns[::-1])
    assert _write(database, book, turned, columns) == [False, True]
    assert book.dataset(CUSTOMERS) == columns


def test_a_stored_document_that_cannot_be_read_is_told_and_can_be_written_anew(
    database: Database, book: PolicyBook
) -> None:
    _write(database, book, *DOCUMENTS)
    with database.begin() as transaction:
        transaction.execute(document.update().where(document.c.kind == "rule").values(body="{}"))
    with pytest.raises(OperationError):
        book.policy(RETAIL_MEDIA)
    assert _write(database, book, rule(CUSTOMERS)) == [True]
    assert book.policy(RETAIL_MEDIA) is not None


def test_a_query_is_judged_again_under_the_versions_it_was_approved_under(database: Database, book: PolicyBook) -> None:
    _write(database, book, *DOCUMENTS)
    before = book.policy(RETAIL_MEDIA)
    assert before is not None
    _write(database, book, rule(CUSTOMERS, 80), table(CUSTOMERS, "Changed."))
    _remove(database, book, COLLABORATION)
    assert book.policy(RETAIL_MEDIA) is None
    assert book.policy(RETAIL_MEDIA, before.versions) == before


@pytest.mark.parametrize("key", ["rule:retail-media/retailer.customers", "dataset:retailer.nothing", "nonsense:x"])
def test_a_version_that_never_was_is_no_policy(database: Database, book: PolicyBook, key: str) -> None:
    _write(database, book, *DOCUMENTS)
    with pytest.raises(OperationError) as refusal:
        book.policy(RETAIL_MEDIA, {"collaboration:retail-media": 1, key: 2})
    assert refusal.value.code == "store.version_missing"


def test_versions_count_on_through_removal(database: Database, book: PolicyBook) -> None:
    for minimum_units in (50, 60, 50):
        _write(database, book, rule(CUSTOMERS, minimum_units))
    assert _remove(database, book, rule(CUSTOMERS))
    assert not _remove(database, book, rule(CUSTOMERS))
    assert book.version(key_of(rule(CUSTOMERS))) is None
    assert _write(database, book, rule(CUSTOMERS)) == [True]
    found = book.version(key_of(rule(CUSTOMERS)))
    assert found is not None
    assert (found.version, found.value, found.author) == (4, rule(CUSTOMERS), None)


def test_every_change_is_an_event_of_whoever_made_it(database: Database, book: PolicyBook, log: Log) -> None:
    with database.begin() as transaction:
        book.write(transaction, rule(CUSTOMERS), author=RUTH, at=later(1))
        book.remove(transaction, key_of(rule(CUSTOMERS)), author=RUTH, at=later(2))
    written, removed = (logged.event for logged in log.events(after=0))
    assert (written.kind, written.at, written.partner) == (EventKind.RULE_WRITTEN, later(1), RETAILER)
    assert (written.principal, written.collaboration, written.datasets) == (RUTH.id, RETAIL_MEDIA, (CUSTOMERS,))
    assert written.data["name"] == "retail-media/retailer.customers"
    assert written.data["version"] == 1
    assert str(written.data["digest"]).startswith("sha256:")
    assert (removed.kind, removed.data["document"], removed.data["version"]) == (EventKind.DOCUMENT_REMOVED, "rule", 1)


def test_no_digest_in_the_log_tells_another_member_a_row_filter_that_it_can_guess(
    database: Database, book: PolicyBook, log: Log
) -> None:
    guessed = dataclasses.replace(rule(CUSTOMERS), row_filter="region = 'north'")
    for _ in range(2):
        with database.begin() as transaction:
            book.write(transaction, guessed, author=RUTH, at=later(1))
            book.remove(transaction, key_of(guessed), author=RUTH, at=later(2))
    seen = [e.event for e in log.events(Sight(AGENCY, (RETAIL_MEDIA,)))]
    digests = [str(e.data["digest"]) for e in seen if e.kind is EventKind.RULE_WRITTEN]
    body = json.dumps(to_document(guessed), ensure_ascii=False, separators=(",", ":"))
    assert len(set(digests)) == 2
    assert f"sha256:{hashlib.sha256(body.encode()).hexdigest()}" not in digests


def test_an_owner_sees_what_the_operator_did_to_its_connection_but_the_log_tells_no_path(
    database: Database, book: PolicyBook, log: Log
) -> None:
    _write(database, book, lake(RETAILER, "/data/hidden-place"))
    (seen,) = log.events(Sight(RETAILER))
    assert seen.event.kind is EventKind.CONNECTION_WRITTEN
    assert b"hidden-place" not in seen.canonical
    assert log.events(Sight(PUBLISHER)) == ()


def test_several_documents_hold_together_or_not_at_all(database: Database, book: PolicyBook, log: Log) -> None:
    def half_an_apply() -> None:
        with database.begin() as transaction:
            book.write(transaction, COLLABORATION, author=None, at=NOON)
            book.write(transaction, lake(RETAILER), author=None, at=NOON)
            raise KeyError

    with pytest.raises(KeyError):
        half_an_apply()
    assert book.folder().collaborations == ()
    assert log.size() == 1


def test_the_whole_state_reads_back_as_a_folder(database: Database, book: PolicyBook) -> None:
    _write(database, book, *DOCUMENTS)
    _remove(database, book, table(IMPRESSIONS))
    folder = book.folder()
    assert folder.collaborations == (COLLABORATION,)
    assert folder.connections == (lake(PUBLISHER), lake(RETAILER))
    assert folder.datasets == (table(CUSTOMERS),)
    assert folder.rules == (rule(CUSTOMERS),)
    assert folder.policy(RETAIL_MEDIA) is not None


def test_a_partner_finds_its_collaborations_and_connections(database: Database, book: PolicyBook) -> None:
    _write(database, book, *DOCUMENTS)
    assert book.collaborations() == book.collaborations(RETAILER) == (COLLABORATION,)
    assert book.collaborations(AGENCY) == ()
    assert book.connections(RETAILER) == (lake(RETAILER),)
    assert book.connection(lake(RETAILER).name) == lake(RETAILER)
    assert book.dataset(CUSTOMERS) == table(CUSTOMERS)
    assert isinstance(book.connection(lake(PUBLISHER).name), Connection)
