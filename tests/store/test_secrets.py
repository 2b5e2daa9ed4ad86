"""Secrets in the store: each opens as its partner's of its name alone, and nothing but the executor's module opens one."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import EventKind
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.opened_secrets import stored_secret
from cleanroom.store.schema import secret
from cleanroom.store.secrets import Secrets
from tests.store.world import NOON, PUBLISHER, RETAILER, RUTH, later


@pytest.fixture
def secrets(database: Database, log: Log, master_keys: MasterKeys) -> Secrets:
    return Secrets(database, log, master_keys)


def _write(
    database: Database, secrets: Secrets, value: str = "hunter2", partner: str = RETAILER, name: str = "lake"
) -> None:
    with database.begin() as transaction:
        secrets.write(transaction, partner, name, value, author=RUTH, at=NOON)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["hunter2", "p", "ключ\n", "x" * 8192])
def test_a_secret_comes_back_for_its_partner(
    database: Database, secrets: Secrets, master_keys: MasterKeys, value: str
) -> None:
    _write(database, secrets, value)
    assert stored_secret(database, master_keys, RETAILER, "lake") == value
    assert stored_secret(database, master_keys, PUBLISHER, "lake") is None
    assert stored_secret(database, master_keys, RETAILER, "lakes") is None


def test_two_partners_have_secrets_of_one_name(database: Database, secrets: Secrets, master_keys: MasterKeys) -> None:
    _write(database, secrets)
    _write(database, secrets, "theirs", PUBLISHER)
    assert stored_secret(database, master_keys, RETAILER, "lake") == "hunter2"
    assert stored_secret(database, master_keys, PUBLISHER, "lake") == "theirs"


def test_a_secret_that_is_written_again_is_the_new_one(
    database: Database, secrets: Secrets, master_keys: MasterKeys
) -> None:
    _write(database, secrets)
    _write(database, secrets, "another")
    assert stored_secret(database, master_keys, RETAILER, "lake") == "another"
    assert len(secrets.list()) == 1


@pytest.mark.parametrize("columns", [("body",), ("wrapped_key",), ("body", "wrapped_key")])
def test_a_secret_that_is_moved_to_another_partner_does_not_open(
    database: Database, secrets: Secrets, master_keys: MasterKeys, columns: tuple[str, ...]
) -> None:
    _write(database, secrets)
    _write(database, secrets, "theirs", PUBLISHER)
    with database.begin() as connection:
        row = connection.execute(select(secret).where(secret.c.partner == RETAILER)).one()
        values = {name: getattr(row, name) for name in columns}
        connection.execute(update(secret).where(secret.c.partner == PUBLISHER).values(values))
    with pytest.raises(OperationError) as failed:
        stored_secret(database, master_keys, PUBLISHER, "lake")
    assert failed.value.code == "vault.damaged"


def test_what_is_shown_and_logged_is_names_and_times(database: Database, secrets: Secrets, log: Log) -> None:
    _write(database, secrets)
    with database.begin() as transaction:
        assert secrets.remove(transaction, RETAILER, "lake", author=None, at=later(1))
        assert not secrets.remove(transaction, RETAILER, "lake", author=None, at=later(2))
    written, removed = (logged.event for logged in log.events(after=0))
    assert (written.kind, written.principal) == (EventKind.SECRET_WRITTEN, RUTH.id)
    assert (removed.kind, removed.principal) == (EventKind.SECRET_REMOVED, None)
    assert written.data == removed.data == {"name": "lake", "partner": RETAILER}


def test_a_list_is_one_partners_where_named(database: Database, secrets: Secrets) -> None:
    _write(database, secrets)
    _write(database, secrets, "theirs", PUBLISHER, "b")
    _write(database, secrets, "theirs", PUBLISHER, "a")
    assert [(s.partner, s.name) for s in secrets.list()] == [(PUBLISHER, "a"), (PUBLISHER, "b"), (RETAILER, "lake")]
    assert [s.name for s in secrets.list(RETAILER)] == ["lake"]
    assert "hunter2" not in repr(secrets.list())
