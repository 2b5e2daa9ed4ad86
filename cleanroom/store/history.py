"""A document's key → its versions, those that hold no more too. Nothing here writes: a rollback is a new version."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, select

from cleanroom.domain.document import Document, DocumentKey, VersionEntry
from cleanroom.domain.identifiers import PartnerName
from cleanroom.store.database import Database
from cleanroom.store.schema import document, document_current
from cleanroom.store.versions import DocumentVersion


class DocumentHistory:
    """What was ever written under a key. `decode` is `documents.from_document`.

    With `partner`, only versions of that partner's documents: a connection's name that one gave up may be another's now.
    """

    def __init__(self, database: Database, decode: Callable[[dict[str, Any]], Document]) -> None:
        self._database = database
        self._decode = decode

    def of(self, key: DocumentKey, partner: PartnerName | None = None) -> tuple[VersionEntry, ...]:
        """Every version, the newest first; none where there never was such a document."""
        rows = _versions(key, partner).order_by(document.c.version.desc())
        with self._database.read() as transaction:
            return tuple(
                VersionEntry(key, r.version, r.author, r.written_at, r.digest, r.version == r.current)
                for r in transaction.execute(rows)
            )

    def at(
        self, key: DocumentKey, version: int | None = None, partner: PartnerName | None = None
    ) -> DocumentVersion | None:
        """The document as of that version, None: the current one. OperationError "store.document_unreadable" where this
        version of the server cannot enforce it."""
        which = document.c.version == (document_current.c.version if version is None else version)
        with self._database.read() as transaction:
            row = transaction.execute(_versions(key, partner).where(which)).first()
        if row is None:
            return None
        return DocumentVersion(
            key, row.version, self._decode(json.loads(row.body)), row.author, row.written_at, row.digest
        )


def _versions(key: DocumentKey, partner: PartnerName | None) -> Select[Any]:
    same = [document.c[name] == document_current.c[name] for name in ("kind", "name")]
    of_key: tuple[ColumnElement[bool], ...] = (document.c.kind == key.kind, document.c.name == key.name)
    whose = () if partner is None else (document.c.partner == partner,)
    rows = select(document, document_current.c.version.label("current"))
    return rows.outerjoin(document_current, and_(*same)).where(*of_key, *whose)
