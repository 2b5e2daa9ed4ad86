"""Principals and what they are granted ↔ rows."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from cleanroom.domain.errors import Conflict, NotAuthenticated, NotFound
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.people import Grants, Person
from cleanroom.domain.query import Grant, Principal, Role
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.partners import Partners
from cleanroom.store.schema import principal, principal_grant


class People:
    """The principals of all partners. `author` None is the operator."""

    def __init__(self, database: Database, log: Log, partners: Partners) -> None:
        self._database = database
        self._log = log
        self._partners = partners

    def get(self, name: PrincipalId) -> Person | None:
        """The principal of that id."""
        with self._database.read() as connection:
            return person(connection, name)

    def list(self, partner: PartnerName | None = None, *, after: str = "", limit: int = 10_000) -> tuple[Person, ...]:
        """The principals whose ids follow `after`, in order; one partner's where named."""
        mine = () if partner is None else (principal.c.partner == partner,)
        rows = select(principal).where(principal.c.id > after, *mine).order_by(principal.c.id).limit(limit)
        with self._database.read() as connection:
            found = connection.execute(rows).all()
            grants = _grants(connection, principal_grant.c.principal.in_([row.id for row in found]))
        return tuple(_person(row, grants[row.id]) for row in found)

    def create(
        self,
        transaction: Connection,
        made: Person,
        *,
        author: Principal | None = None,
    ) -> Person:
        """The principal is there, and its partner. Conflict "principal.exists". Logged: principal.created."""
        if person(transaction, made.id) is not None:
            raise Conflict("There is a principal of this name already.", "principal.exists")
        self._partners.ensure(transaction, made.partner, at=made.created_at)
        row = {"id": made.id, "partner": made.partner, "title": made.title, "created_at": made.created_at}
        transaction.execute(insert(principal), {**row, "disabled_at": made.disabled_at})
        _insert(transaction, made.id, made.grants)
        data = {"grants": shown_grants(made.grants)}
        self._append(transaction, EventKind.PRINCIPAL_CREATED, made, author, made.created_at, data)
        return made

    def retitle(
        self, transaction: Connection, of: Person, title: str, *, at: datetime.datetime, author: Principal | None = None
    ) -> None:
        """The principal's title is this. Logged: principal.changed, without the title: it may name a person."""
        if of.title != title:
            transaction.execute(update(principal).where(principal.c.id == of.id).values(title=title))
            self._append(transaction, EventKind.PRINCIPAL_CHANGED, of, author, at, {})

    def disable(
        self,
        transaction: Connection,
        of: Person,
        *,
        disabled: bool,
        at: datetime.datetime,
        author: Principal | None = None,
    ) -> bool:
        """The principal opens nothing, or does again; False where that was so. Logged: principal.disabled or .enabled."""
        if disabled == (of.disabled_at is not None):
            return False
        values = {"disabled_at": at if disabled else None}
        transaction.execute(update(principal).where(principal.c.id == of.id).values(values))
        kind = EventKind.PRINCIPAL_DISABLED if disabled else EventKind.PRINCIPAL_ENABLED
        self._append(transaction, kind, of, author, at, {})
        return True

    def grant(
        self,
        transaction: Connection,
        of: Person,
        grants: Iterable[Grant],
        *,
        at: datetime.datetime,
        author: Principal | None = None,
    ) -> Grants:
        """The principal has these grants too; what it had not is returned. Logged, where there is any: grant.added."""
        new = frozenset(grants) - of.grants
        if new:
            _insert(transaction, of.id, new)
            self._append(transaction, EventKind.GRANT_ADDED, of, author, at, {"grants": shown_grants(new)})
        return new

    def revoke(
        self,
        transaction: Connection,
        of: Person,
        grants: Iterable[Grant],
        *,
        at: datetime.datetime,
        author: Principal | None = None,
    ) -> Grants:
        """The principal has none of these grants; what it had is returned. Logged, where there is any: grant.removed."""
        old = frozenset(grants) & of.grants
        for grant in old:
            transaction.execute(delete(principal_grant).where(*_same(of.id, grant)))
        if old:
            self._append(transaction, EventKind.GRANT_REMOVED, of, author, at, {"grants": shown_grants(old)})
        return old

    def _append(
        self,
        transaction: Connection,
        kind: EventKind,
        about: Person,
        author: Principal | None,
        at: datetime.datetime,
        data: Mapping[str, Json],
    ) -> None:
        event = Event(
            kind=kind,
            at=at,
            partner=None if author is None else author.partner,
            principal=None if author is None else author.id,
            data={"holder": about.id, "partner": about.partner, **data},
        )
        self._log.append(transaction, event)

    def require_active(self, caller: Principal) -> None:
        """NotAuthenticated where the caller's partner is suspended, or it is itself disabled here."""
        with self._database.read() as connection:
            found = person(connection, caller.id)
            suspended = self._partners.suspended(connection, caller.partner)
        if suspended:
            raise NotAuthenticated("Your partner is suspended here; ask the operator.", "auth.partner_suspended")
        if found is not None and found.disabled_at is not None:
            raise NotAuthenticated("This principal is disabled; ask your partner's admin.", "auth.principal_disabled")


def person(connection: Connection, name: PrincipalId) -> Person | None:
    """The principal of that id, in the caller's transaction."""
    row = connection.execute(select(principal).where(principal.c.id == name)).first()
    return None if row is None else _person(row, _grants(connection, principal_grant.c.principal == name)[name])


def require(connection: Connection, name: PrincipalId) -> Person:
    """As `person`; NotFound where there is none."""
    found = person(connection, name)
    if found is None:
        raise NotFound("There is no principal of that name.")
    return found


def shown_grants(grants: Iterable[Grant]) -> list[Json]:
    """The grants as events and scopes hold them, in order: [role, collaboration or null]."""
    return [[grant.role.value, grant.collaboration] for grant in sorted(grants, key=_order)]


def read_grants(shown: Iterable[Any]) -> Grants:
    """What `shown_grants` wrote."""
    return frozenset(Grant(Role(role), None if place is None else CollaborationName(place)) for role, place in shown)


def _order(grant: Grant) -> tuple[str, str]:
    return grant.role.value, grant.collaboration or ""


def _insert(transaction: Connection, name: PrincipalId, grants: Grants) -> None:
    rows = [{"principal": name, "role": g.role.value, "collaboration": g.collaboration or ""} for g in grants]
    if rows:
        transaction.execute(insert(principal_grant), rows)


def _same(name: PrincipalId, grant: Grant) -> tuple[ColumnElement[bool], ...]:
    held = principal_grant.c
    return held.principal == name, held.role == grant.role.value, held.collaboration == (grant.collaboration or "")


def _grants(connection: Connection, of: ColumnElement[bool]) -> defaultdict[str, Grants]:
    found: defaultdict[str, Grants] = defaultdict(frozenset)
    for row in connection.execute(select(principal_grant).where(of)):
        found[row.principal] |= {Grant(Role(row.role), CollaborationName(row.collaboration) or None)}
    return found


def _person(row: Any, grants: Grants) -> Person:
    return Person(row.id, row.partner, row.title, grants, row.created_at, row.disabled_at)
