"""Token text ↔ principals. The text is shown once; the store keeps its hash."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from cleanroom.domain.errors import Conflict, NotAuthenticated, OperationError
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.people import Credential, Grants, Person, common, principal_id
from cleanroom.domain.ports import Clock
from cleanroom.domain.query import Grant, Principal, Role
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.partners import Partners
from cleanroom.store.people import People, person, read_grants, shown_grants
from cleanroom.store.schema import partner, principal, token

_FORM = re.compile(r"crt_(?P<id>[0-9a-f]{16})_[A-Za-z0-9_-]{43}\Z")
_ID_BYTES, _SECRET_BYTES = 8, 32
_NO_HASH = bytes(32)
_USE_NOTED_EVERY = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """What may be shown of a token: never the secret. `scopes`: what it carries of its principal's grants, at most."""

    id: str
    principal: PrincipalId
    partner: PartnerName
    scopes: Grants
    created_at: datetime.datetime
    expires_at: datetime.datetime | None
    last_used_at: datetime.datetime | None
    revoked_at: datetime.datetime | None


class Tokens:
    """The tokens of all partners. `author` None is the operator.

    Kept as SHA-256: the secret is 256 random bits, so that no list of guesses exists for a slow hash such as argon2
    to slow down, while every request would pay for it. Compared in constant time.
    """

    def __init__(self, database: Database, log: Log, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._partners = Partners(database, log)
        self._people = People(database, log, self._partners)

    def create(
        self,
        transaction: Connection,
        partner: PartnerName,
        roles: Iterable[Role],
        *,
        at: datetime.datetime,
        name: str | None = None,
        collaborations: Iterable[CollaborationName] = (),
        expires_at: datetime.datetime | None = None,
        replace: bool = False,
    ) -> tuple[str, Principal]:
        """The operator's way: a new token of principal "<partner>/<name>", whom it grants the roles where they lack.

        `name` defaults to the token's id; partner and principal are made where there are none. The roles hold in the
        collaborations, or everywhere where none is named. `replace` ends the principal's earlier tokens, and its other
        grants with them.
        """
        token_id = secrets.token_hex(_ID_BYTES)
        places = tuple(collaborations) or (None,)
        scopes = frozenset(Grant(role, place) for role in roles for place in places)
        holder = self._holder(transaction, principal_id(partner, name or token_id), partner, scopes, at)
        if replace:
            for earlier in transaction.execute(_live(token.c.principal == holder.id)).all():
                self.revoke(transaction, earlier.id, at=at)
            self._people.revoke(transaction, holder, holder.grants - scopes, at=at)
        text = self.mint(transaction, holder, scopes, at=at, expires_at=expires_at, token_id=token_id)
        return text, Principal(holder.id, partner, scopes)

    def mint(
        self,
        transaction: Connection,
        holder: Person,
        scopes: Grants,
        *,
        at: datetime.datetime,
        expires_at: datetime.datetime | None,
        author: Principal | None = None,
        token_id: str | None = None,
    ) -> str:
        """A new token ("crt_<id>_<secret>", its only copy) that carries the scopes, as far as its principal's grants go.

        Conflict "principal.disabled" or "partner.suspended" where it would open nothing. Logged: token.created.
        """
        _require_active(holder, self._partners.ensure(transaction, holder.partner, at=at).suspended_at)
        token_id = token_id or secrets.token_hex(_ID_BYTES)
        text = f"crt_{token_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
        row = {
            "id": token_id,
            "principal": holder.id,
            "scopes": shown_grants(scopes),
            "hash": _hash(text),
            "created_at": at,
            "expires_at": expires_at,
        }
        transaction.execute(insert(token), row)
        about = {"expires_at": None if expires_at is None else expires_at.isoformat(), "scopes": shown_grants(scopes)}
        self._append(transaction, EventKind.TOKEN_CREATED, token_id, holder.id, holder.partner, author, at, about)
        return text

    def authenticate(self, text: str) -> Credential:
        """Who holds the token, and what it carries.

        NotAuthenticated where it opens nothing: auth.token_unknown where it is none or was revoked and, where the
        secret was right, auth.partner_suspended, auth.principal_disabled, auth.token_expired.
        """
        form = _FORM.match(text)
        if form is None:
            raise _unknown()
        with self._database.read() as connection:
            row = connection.execute(_standing(form["id"])).first()
            same = hmac.compare_digest(_hash(text), _NO_HASH if row is None else row.hash)
            if row is None or not same or row.revoked_at is not None:
                raise _unknown()
            holder = person(connection, row.principal)
        now = self._clock.now()
        _require_open(row, now)
        self._note_use(row, now)
        held = frozenset[Grant]() if holder is None else holder.grants
        carried = common(held, read_grants(row.scopes))
        return Credential(Principal(row.principal, row.partner, carried), row.expires_at, row.id)

    def revoke(
        self, transaction: Connection, token_id: str, *, at: datetime.datetime, author: Principal | None = None
    ) -> bool:
        """The token opens nothing any more; False where it did not before. Logged: token.revoked."""
        row = transaction.execute(_live(token.c.id == token_id)).first()
        if row is None:
            return False
        transaction.execute(update(token).where(token.c.id == token_id).values(revoked_at=at))
        self._append(transaction, EventKind.TOKEN_REVOKED, token_id, row.principal, row.partner, author, at, {})
        return True

    def get(self, token_id: str) -> TokenRecord | None:
        """The token of that id."""
        with self._database.read() as connection:
            row = connection.execute(_standing(token_id)).first()
        return None if row is None else _record(row)

    def list(self, partner: PartnerName | None = None, holder: PrincipalId | None = None) -> tuple[TokenRecord, ...]:
        """Every token there ever was, the oldest first; one partner's or one principal's where named."""
        mine = () if partner is None else (principal.c.partner == partner,)
        its = () if holder is None else (token.c.principal == holder,)
        with self._database.read() as connection:
            rows = connection.execute(_tokens().where(*mine, *its).order_by(token.c.created_at, token.c.id))
            return tuple(_record(row) for row in rows)

    def _holder(
        self, transaction: Connection, name: PrincipalId, of: PartnerName, grants: Grants, at: datetime.datetime
    ) -> Person:
        known = person(transaction, name)
        if known is None:
            return self._people.create(transaction, Person(name, of, "", grants, at))
        self._people.grant(transaction, known, grants, at=at)
        return known

    def _note_use(self, row: Any, now: datetime.datetime) -> None:
        """The token's last use is known to some minutes. A request waits for nothing here, and is let in without it, too."""
        if row.last_used_at is not None and now - row.last_used_at < _USE_NOTED_EVERY:
            return
        with suppress(OperationError), self._database.begin_at_once() as transaction:
            transaction.execute(update(token).where(token.c.id == row.id).values(last_used_at=now))

    def _append(
        self,
        transaction: Connection,
        kind: EventKind,
        token_id: str,
        holder: PrincipalId,
        of: PartnerName,
        author: Principal | None,
        at: datetime.datetime,
        about: Mapping[str, Json],
    ) -> None:
        event = Event(
            kind=kind,
            at=at,
            partner=None if author is None else author.partner,
            principal=None if author is None else author.id,
            data={"token": token_id, "holder": holder, "partner": of, **about},
        )
        self._log.append(transaction, event)


def _tokens() -> Select[Any]:
    people = select(token, principal.c.partner, principal.c.disabled_at, partner.c.suspended_at)
    return people.join(principal, principal.c.id == token.c.principal).join(
        partner, partner.c.name == principal.c.partner
    )


def _standing(token_id: str) -> Select[Any]:
    return _tokens().where(token.c.id == token_id)


def _live(condition: Any) -> Select[Any]:
    return _tokens().where(condition, token.c.revoked_at.is_(None))


def _require_open(row: Any, now: datetime.datetime) -> None:
    if row.suspended_at is not None:
        raise NotAuthenticated("Your partner is suspended here; ask the operator.", "auth.partner_suspended")
    if row.disabled_at is not None:
        raise NotAuthenticated("This principal is disabled; ask your partner's admin.", "auth.principal_disabled")
    if row.expires_at is not None and row.expires_at <= now:
        raise NotAuthenticated("This token has expired; ask your partner's admin for another.", "auth.token_expired")


def _require_active(holder: Person, suspended_at: datetime.datetime | None) -> None:
    if suspended_at is not None:
        raise Conflict("The partner is suspended: a token of it would open nothing.", "partner.suspended")
    if holder.disabled_at is not None:
        raise Conflict("The principal is disabled: a token of it would open nothing.", "principal.disabled")


def _unknown() -> NotAuthenticated:
    return NotAuthenticated("This token is not known here.", "auth.token_unknown")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _record(row: Any) -> TokenRecord:
    return TokenRecord(
        row.id,
        row.principal,
        row.partner,
        read_grants(row.scopes),
        row.created_at,
        row.expires_at,
        row.last_used_at,
        row.revoked_at,
    )
