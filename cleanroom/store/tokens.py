"""Token text ↔ principals. The text is shown once; the store keeps its hash."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import PartnerName, PrincipalId
from cleanroom.domain.query import Principal, Role, everywhere
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.schema import token

_FORM = re.compile(r"crt_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}\Z")
_ID_BYTES, _SECRET_BYTES = 8, 32
_NO_HASH = bytes(32)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What may be shown of a token: never the secret."""

    id: str
    principal: Principal
    created_at: datetime.datetime
    revoked_at: datetime.datetime | None


class Tokens:
    """The tokens of all partners.

    Kept as SHA-256: the secret is 256 random bits, so that no list of guesses exists for a slow hash such as argon2
    to slow down, while every request would pay for it. Compared in constant time.
    """

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    def create(
        self,
        transaction: Connection,
        partner: PartnerName,
        roles: Iterable[Role],
        *,
        at: datetime.datetime,
        name: str | None = None,
        author: Principal | None = None,
        replace: bool = False,
    ) -> tuple[str, Principal]:
        """A new token ("crt_<id>_<secret>", its only copy) of principal "<partner>/<name>"; `name` defaults to its id.

        `replace` revokes the principal's earlier tokens. `author` None is the operator. Logged: token.created.
        """
        token_id = secrets.token_hex(_ID_BYTES)
        principal = Principal(PrincipalId(f"{partner}/{name or token_id}"), partner, everywhere(*roles))
        text = f"crt_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        if replace:
            for earlier in transaction.execute(_live(token.c.principal == principal.id)).all():
                self.revoke(transaction, earlier.id, at=at, author=author)
        row = {
            "id": token_id,
            "principal": principal.id,
            "partner": partner,
            "roles": sorted(principal.roles),
            "hash": _hash(text),
            "created_at": at,
        }
        transaction.execute(insert(token), row)
        self._log.append(transaction, _event(EventKind.TOKEN_CREATED, token_id, principal, author, at))
        return text, principal

    def authenticate(self, text: str) -> Principal | None:
        """Who holds the token; None where it is not one, or was revoked."""
        form = _FORM.match(text)
        if form is None:
            return None
        with self._database.read() as connection:
            row = connection.execute(_live(token.c.id == form["id"])).first()
        same = hmac.compare_digest(_hash(text), _NO_HASH if row is None else row.hash)
        return _principal(row) if row is not None and same else None

    def revoke(
        self, transaction: Connection, token_id: str, *, at: datetime.datetime, author: Principal | None = None
    ) -> bool:
        """The token opens nothing any more; False where it did not before. Logged: token.revoked."""
        row = transaction.execute(_live(token.c.id == token_id)).first()
        if row is None:
            return False
        transaction.execute(update(token).where(token.c.id == token_id).values(revoked_at=at))
        self._log.append(transaction, _event(EventKind.TOKEN_REVOKED, token_id, _principal(row), author, at))
        return True

    def list(self, partner: PartnerName | None = None) -> tuple[TokenRecord, ...]:
        """Every token there ever was, the oldest first; one partner's where named."""
        mine = () if partner is None else (token.c.partner == partner,)
        with self._database.read() as connection:
            rows = connection.execute(select(token).where(*mine).order_by(token.c.created_at, token.c.id))
            return tuple(TokenRecord(row.id, _principal(row), row.created_at, row.revoked_at) for row in rows)


def _live(condition: Any) -> Any:
    return select(token).where(condition, token.c.revoked_at.is_(None))


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _principal(row: Any) -> Principal:
    return Principal(row.principal, row.partner, everywhere(*map(Role, row.roles)))


def _event(kind: EventKind, token_id: str, holder: Principal, author: Principal | None, at: datetime.datetime) -> Event:
    return Event(
        kind=kind,
        at=at,
        partner=None if author is None else author.partner,
        principal=None if author is None else author.id,
        data={
            "token": token_id,
            "holder": holder.id,
            "partner": holder.partner,
            "roles": [role.value for role in sorted(holder.roles)],
        },
    )
