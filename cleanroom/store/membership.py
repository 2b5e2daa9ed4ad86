"""A query and the versions of its collaboration → whether everybody that it needs has been a member all the while."""

from __future__ import annotations

import json

from sqlalchemy import Connection, select

from cleanroom.domain.identifiers import owner_of
from cleanroom.domain.query import QueryRecord
from cleanroom.store.schema import document, document_current


def has_departed(transaction: Connection, record: QueryRecord) -> bool:
    """Whether its runner or an owner of its datasets has left since it was judged, be it back by now or not."""
    mine = (document.c.kind == "collaboration", document.c.name == record.collaboration)
    judged = record.versions.get(f"collaboration:{record.collaboration}", 0)
    later = select(document.c.body).where(*mine, document.c.version > judged)
    parties = {record.principal.partner, *map(owner_of, record.datasets)}
    bodies = transaction.execute(later).scalars()
    return _is_gone(transaction, record) or any(not parties <= _members(body) for body in bodies)


def _is_gone(transaction: Connection, record: QueryRecord) -> bool:
    """The collaboration was there and is no more."""
    mine = (document.c.kind == "collaboration", document.c.name == record.collaboration)
    was = transaction.execute(select(document.c.version).where(*mine).limit(1)).first()
    now = (document_current.c.kind == "collaboration", document_current.c.name == record.collaboration)
    return was is not None and transaction.execute(select(document_current.c.version).where(*now)).first() is None


def _members(body: str) -> set[str]:
    return {member["partner"] for member in json.loads(body)["members"]}
