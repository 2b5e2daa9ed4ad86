"""A policy document → its key, its next version's row, and the event that announces it."""

from __future__ import annotations

import datetime
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Connection as Transaction
from sqlalchemy import delete, func, insert, select, update

from cleanroom.domain.document import Document, DocumentKey, key_of
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, owner_of
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, Template
from cleanroom.domain.query import Principal
from cleanroom.store.schema import document, document_current

_SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One immutable version. `author` is a principal's id, None for the operator; `digest` is `Body.digest`."""

    key: DocumentKey
    version: int
    value: Document
    author: str | None
    written_at: datetime.datetime
    digest: str


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whom and what a document is about, for the columns beside it and for its event."""

    key: DocumentKey
    written: EventKind
    partner: PartnerName | None = None
    collaboration: CollaborationName | None = None
    dataset: DatasetName | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A document as JSON text. The log shows its digest to members who do not see the text: the salt, which stays in the
    store, keeps them from guessing a row filter by it."""

    text: str
    salt: str

    @property
    def digest(self) -> str:
        """ "sha256:<hex>" of the salt and the text."""
        return f"sha256:{hashlib.sha256(f'{self.salt}{self.text}'.encode()).hexdigest()}"


def body_of(encoded: dict[str, Any]) -> Body:
    """The document, salted anew. Keys stay in their order: it is the order of a dataset's columns."""
    text = json.dumps(encoded, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Body(text, secrets.token_hex(_SALT_BYTES))


def insert_version(
    transaction: Transaction, value: Document, body: Body, *, author: Principal | None, at: datetime.datetime
) -> int:
    """The body is kept as the document's next version, whose number is returned (from 1)."""
    subject = _subject(value)
    mine = (document.c.kind == subject.key.kind, document.c.name == subject.key.name)
    latest: int | None = transaction.execute(select(func.max(document.c.version)).where(*mine)).scalar_one()
    row = {
        "kind": subject.key.kind,
        "name": subject.key.name,
        "version": (latest or 0) + 1,
        "partner": subject.partner,
        "collaboration": subject.collaboration,
        "dataset": subject.dataset,
        "body": body.text,
        "salt": body.salt,
        "digest": body.digest,
        "author": None if author is None else author.id,
        "written_at": at,
    }
    transaction.execute(insert(document), row)
    return (latest or 0) + 1


def point_to(transaction: Transaction, key: DocumentKey, version: int, *, new: bool) -> None:
    """That version is the current one; `new` where none was."""
    if new:
        row = {"kind": key.kind, "name": key.name, "version": version}
        transaction.execute(insert(document_current), row)
        return
    mine = (document_current.c.kind == key.kind, document_current.c.name == key.name)
    transaction.execute(update(document_current).where(*mine).values(version=version))


def point_nowhere(transaction: Transaction, key: DocumentKey) -> None:
    """No version of the document is current."""
    mine = (document_current.c.kind == key.kind, document_current.c.name == key.name)
    transaction.execute(delete(document_current).where(*mine))


def written(
    value: Document,
    version: int,
    body: Body,
    *,
    author: Principal | None,
    at: datetime.datetime,
    again: int | None = None,
    kind: EventKind | None = None,
) -> Event:
    """The event that a version became current, `kind` where it says more than that; `again`: the earlier one that it was
    rolled back to."""
    rolled_back: dict[str, Json] = {} if again is None else {"rolled_back_to": again}
    return _event(kind or _subject(value).written, value, version, at, author, digest=body.digest, **rolled_back)


def removed(value: Document, version: int, *, author: Principal | None, at: datetime.datetime) -> Event:
    """The event that the document, last of that version, holds no more."""
    return _event(EventKind.DOCUMENT_REMOVED, value, version, at, author, document=_subject(value).key.kind)


def _event(
    kind: EventKind, value: Document, version: int, at: datetime.datetime, author: Principal | None, **more: Json
) -> Event:
    subject = _subject(value)
    return Event(
        kind=kind,
        at=at,
        partner=None if author is None else author.partner,
        principal=None if author is None else author.id,
        collaboration=subject.collaboration,
        datasets=() if subject.dataset is None else (subject.dataset,),
        data={"name": subject.key.name, "version": version, "partner": subject.partner, **more},
    )


def _subject(value: Document) -> _Subject:
    key = key_of(value)
    match value:
        case Collaboration(name=name):
            return _Subject(key, EventKind.COLLABORATION_WRITTEN, collaboration=name)
        case Connection(partner=partner):
            return _Subject(key, EventKind.CONNECTION_WRITTEN, partner)
        case Dataset(name=name):
            return _Subject(key, EventKind.DATASET_WRITTEN, owner_of(name), None, name)
        case AnalysisRule(collaboration=collaboration, dataset=dataset):
            return _Subject(key, EventKind.RULE_WRITTEN, owner_of(dataset), collaboration, dataset)
        case Template(collaboration=collaboration, partner=partner):
            return _Subject(key, EventKind.TEMPLATE_WRITTEN, partner, collaboration)
        case _ as never:
            assert_never(never)
