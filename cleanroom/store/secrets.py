"""Partners' secrets → sealed rows. Written, listed and removed here; opened nowhere but in `opened_secrets`."""

from __future__ import annotations

import datetime
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Principal
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.master_keys import MasterKeys
from cleanroom.store.schema import secret
from cleanroom.vault.keyring import KEY_BYTES
from cleanroom.vault.sealing import seal_chunks


@dataclass(frozen=True, slots=True)
class SecretRecord:
    """What may be shown of a secret. `author` is a principal's id, None for the operator."""

    partner: PartnerName
    name: str
    written_at: datetime.datetime
    author: str | None


class Secrets:
    """The secrets that partners keep in the store. Nothing here gives one back."""

    def __init__(self, database: Database, log: Log, keys: MasterKeys) -> None:
        self._database = database
        self._log = log
        self._keys = keys

    def write(
        self,
        transaction: Connection,
        partner: PartnerName,
        name: str,
        value: str,
        *,
        author: Principal | None,
        at: datetime.datetime,
    ) -> None:
        """The partner's secret of that name has this value; what it was before is gone. Logged: secret.written."""
        data_key = secrets.token_bytes(KEY_BYTES)
        body = value.encode()
        (sealed,) = seal_chunks(data_key, body, context(partner, name), chunk_bytes=len(body) + 1)
        key = self._keys.wrap(transaction, data_key, context(partner, name))
        forget(transaction, partner, name)
        row = {
            "partner": partner,
            "name": name,
            "key_id": key.key_id,
            "wrapped_key": key.sealed,
            "body": sealed,
            "written_at": at,
            "author": None if author is None else author.id,
        }
        transaction.execute(insert(secret), row)
        self._log.append(transaction, event_of(EventKind.SECRET_WRITTEN, partner, name, author=author, at=at))

    def remove(
        self,
        transaction: Connection,
        partner: PartnerName,
        name: str,
        *,
        author: Principal | None,
        at: datetime.datetime,
    ) -> bool:
        """There is no such secret any more; False where there was none. Logged: secret.removed."""
        if not forget(transaction, partner, name):
            return False
        self._log.append(transaction, event_of(EventKind.SECRET_REMOVED, partner, name, author=author, at=at))
        return True

    def list(self, partner: PartnerName | None = None) -> tuple[SecretRecord, ...]:
        """Names and times, by partner and name; one partner's where named."""
        mine = () if partner is None else (secret.c.partner == partner,)
        columns = (secret.c.partner, secret.c.name, secret.c.written_at, secret.c.author)
        with self._database.read() as connection:
            rows = connection.execute(select(*columns).where(*mine).order_by(secret.c.partner, secret.c.name))
            return tuple(SecretRecord(row.partner, row.name, row.written_at, row.author) for row in rows)


def context(partner: PartnerName, name: str) -> tuple[str, ...]:
    """What binds a data key and its secret to one partner and one name."""
    return "secret", partner, name


def forget(transaction: Connection, partner: PartnerName, name: str) -> bool:
    """There is no such secret any more; whether there was one. Its event is the caller's to write."""
    mine = (secret.c.partner == partner, secret.c.name == name)
    return transaction.execute(delete(secret).where(*mine)).rowcount == 1


def event_of(
    kind: EventKind, partner: PartnerName, name: str, *, author: Principal | None, at: datetime.datetime
) -> Event:
    """The event, by name alone."""
    data: dict[str, Json] = {"name": name, "partner": partner}
    if author is None:
        return Event(kind, at, data=data)
    return Event(kind, at, author.partner, author.id, data=data)
