"""Issuers that the operator trusts ↔ rows. Each speaks for exactly one partner."""

from __future__ import annotations

import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from cleanroom.domain.errors import Conflict, NotFound
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.people import Issuer
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.partners import Partners
from cleanroom.store.people import read_grants, shown_grants
from cleanroom.store.schema import oidc_issuer


class Issuers:
    """Who may say of somebody that it acts for a partner. All changes are the operator's."""

    def __init__(self, database: Database, log: Log, partners: Partners) -> None:
        self._database = database
        self._log = log
        self._partners = partners

    def get(self, url: str) -> Issuer | None:
        """The issuer whose tokens say exactly this URL."""
        with self._database.read() as connection:
            row = connection.execute(select(oidc_issuer).where(oidc_issuer.c.url == url)).first()
        return None if row is None else _issuer(row)

    def list(self) -> tuple[Issuer, ...]:
        """Every issuer, by partner and URL."""
        rows = select(oidc_issuer).order_by(oidc_issuer.c.partner, oidc_issuer.c.url)
        with self._database.read() as connection:
            return tuple(_issuer(row) for row in connection.execute(rows))

    def add(self, transaction: Connection, issuer: Issuer, *, at: datetime.datetime) -> None:
        """The issuer speaks for its partner. Conflict "issuer.exists" where it spoke for any. Logged: issuer.added."""
        same = select(oidc_issuer.c.url).where(oidc_issuer.c.url == issuer.url)
        if transaction.execute(same).first() is not None:
            raise Conflict("This issuer speaks for a partner already; remove it first.", "issuer.exists")
        self._partners.ensure(transaction, issuer.partner, at=at)
        row = {
            "url": issuer.url,
            "partner": issuer.partner,
            "audience": issuer.audience,
            "roles_claim": issuer.roles_claim,
            "role_map": [[name, *shown_grants((grant,))] for name, grant in issuer.role_map],
            "created_at": at,
        }
        transaction.execute(insert(oidc_issuer), row)
        about = {"audience": issuer.audience, "roles_claim": issuer.roles_claim, "role_map": row["role_map"]}
        self._log.append(transaction, _event(EventKind.ISSUER_ADDED, issuer, at, about))

    def remove(self, transaction: Connection, url: str, *, at: datetime.datetime) -> None:
        """Its tokens open nothing any more. NotFound where there is no such issuer. Logged: issuer.removed."""
        row = transaction.execute(select(oidc_issuer).where(oidc_issuer.c.url == url)).first()
        if row is None:
            raise NotFound("There is no issuer of that URL.")
        transaction.execute(delete(oidc_issuer).where(oidc_issuer.c.url == url))
        self._log.append(transaction, _event(EventKind.ISSUER_REMOVED, _issuer(row), at, {}))


def _issuer(row: Any) -> Issuer:
    role_map = tuple((name, grant) for name, shown in row.role_map for grant in read_grants((shown,)))
    return Issuer(row.url, row.partner, row.audience, row.roles_claim, role_map)


def _event(kind: EventKind, issuer: Issuer, at: datetime.datetime, about: dict[str, Any]) -> Event:
    return Event(kind, at, data={"issuer": issuer.url, "partner": issuer.partner, **about})
