"""Partners ↔ rows. A suspended partner's people and programs are not let in; what it contributed stays."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cleanroom.domain.errors import Conflict, NotFound
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.people import Partner
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.schema import partner


class Partners:
    """Every partner that has, or had, people here. All changes are the operator's."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    def get(self, name: PartnerName) -> Partner | None:
        """The partner of that name."""
        with self._database.read() as connection:
            return _found(connection, name)

    def list(self) -> tuple[Partner, ...]:
        """Every partner, by name."""
        with self._database.read() as connection:
            return tuple(_partner(row) for row in connection.execute(select(partner).order_by(partner.c.name)))

    def add(
        self, transaction: Connection, name: PartnerName, *, title: str = "", contact: str = "", at: datetime.datetime
    ) -> Partner:
        """The partner exists. Conflict "partner.exists" where it did before. Logged: partner.added."""
        if _found(transaction, name) is not None:
            raise Conflict("There is a partner of this name already.", "partner.exists")
        row = {"name": name, "title": title, "contact": contact, "created_at": at}
        transaction.execute(insert(partner), row)
        self._log.append(transaction, _event(EventKind.PARTNER_ADDED, name, at))
        return Partner(name, title, contact, at)

    def ensure(self, transaction: Connection, name: PartnerName, *, at: datetime.datetime) -> Partner:
        """The partner, made now where there was none."""
        return _found(transaction, name) or self.add(transaction, name, at=at)

    def suspended(self, connection: Connection, name: PartnerName) -> bool:
        """Whether nobody acts for the partner: where there is none, too."""
        found = _found(connection, name)
        return found is None or found.suspended_at is not None

    def suspend(self, transaction: Connection, name: PartnerName, *, at: datetime.datetime) -> bool:
        """Nobody acts for the partner; False where that was so. Logged: partner.suspended. NotFound: no such partner."""
        return self._set(transaction, name, at, EventKind.PARTNER_SUSPENDED)

    def resume(self, transaction: Connection, name: PartnerName, *, at: datetime.datetime) -> bool:
        """Its people act for it again; False where they could. Logged: partner.resumed. NotFound: no such partner."""
        return self._set(transaction, name, at, EventKind.PARTNER_RESUMED)

    def _set(self, transaction: Connection, name: PartnerName, at: datetime.datetime, kind: EventKind) -> bool:
        found = _found(transaction, name)
        if found is None:
            raise NotFound("There is no partner of that name.")
        suspends = kind is EventKind.PARTNER_SUSPENDED
        if suspends == (found.suspended_at is not None):
            return False
        values = {"suspended_at": at if suspends else None}
        transaction.execute(update(partner).where(partner.c.name == name).values(values))
        self._log.append(transaction, _event(kind, name, at))
        return True


def _found(connection: Connection, name: PartnerName) -> Partner | None:
    row = connection.execute(select(partner).where(partner.c.name == name)).first()
    return None if row is None else _partner(row)


def _partner(row: Any) -> Partner:
    return Partner(row.name, row.title, row.contact, row.created_at, row.suspended_at)


def _event(kind: EventKind, name: PartnerName, at: datetime.datetime) -> Event:
    return Event(kind, at, data={"partner": name})
