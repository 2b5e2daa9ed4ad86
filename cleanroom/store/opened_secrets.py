"""Sealed rows → secrets in the clear. For the executor alone: import-linter lets nobody else import this."""

from __future__ import annotations

from sqlalchemy import select

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.sealed import WrappedKey
from cleanroom.store.database import Database
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.schema import secret
from cleanroom.store.secrets import context
from cleanroom.vault.sealing import open_chunk


def stored_secret(database: Database, keys: MasterKeys, partner: PartnerName, name: str) -> str | None:
    """The partner's secret of that name, or None where it has none.

    OperationError "vault.damaged" where it is not the one that was written, "keys.missing".
    """
    mine = (secret.c.partner == partner, secret.c.name == name)
    with database.read() as connection:
        row = connection.execute(select(secret).where(*mine)).first()
    if row is None:
        return None
    data_key = keys.unwrap(WrappedKey(row.key_id, row.wrapped_key), context(partner, name))
    return open_chunk(data_key, row.body, context(partner, name), 0, last=True).decode()
