"""Policy documents ↔ their versions. Every version is immutable; one of each name is current."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, select, tuple_
from sqlalchemy import Connection as Transaction

from cleanroom.domain.document import Document, DocumentKey, folder_of, key_of
from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName, PartnerName
from cleanroom.domain.policy import (
    AnalysisRule,
    Collaboration,
    Connection,
    Dataset,
    Policy,
    PolicyFolder,
    Template,
    templates_of,
)
from cleanroom.domain.query import Principal
from cleanroom.store import versions
from cleanroom.store.consequences import follow, removed_by_operator
from cleanroom.store.database import Database
from cleanroom.store.departures import Act
from cleanroom.store.log import Log
from cleanroom.store.roots import AdmittedRoots
from cleanroom.store.schema import document, document_current
from cleanroom.store.versions import DocumentVersion

_DECODED_DOCUMENTS = 1024


class PolicyBook:
    """The store's `ports.PolicyBook`. `encode` and `decode` are `documents.to_document` and `documents.from_document`."""

    def __init__(
        self,
        database: Database,
        log: Log,
        encode: Callable[[Document], dict[str, Any]],
        decode: Callable[[dict[str, Any]], Document],
    ) -> None:
        self._database = database
        self._log = log
        self._encode = encode
        # a body never changes its meaning, so that each is decoded once
        self._decode = lru_cache(_DECODED_DOCUMENTS)(lambda body: decode(json.loads(body)))

    def write(
        self,
        transaction: Transaction,
        value: Document,
        *,
        author: Principal | None,
        at: datetime.datetime,
        rolled_back_to: int | None = None,
    ) -> bool:
        """The document is current, and its event in the log; False, and nothing written, where it already was.

        The event is made here (kind by document, `data`: name, version, digest, and `rolled_back_to`: the version whose
        words these are). `author` None is the operator. Of a collaboration, what follows has followed: who is no
        member any more has left, changes that no longer fit are superseded.
        """
        before = self._before(transaction, value)
        if self.put(transaction, value, author=author, at=at, rolled_back_to=rolled_back_to) is None:
            return False
        if isinstance(value, Collaboration) and before is not None:
            removed_by_operator(self._act(transaction, author, at), before[0], value)
            follow(self._act(transaction, author, at), before[0], value)
        return True

    def put(
        self,
        transaction: Transaction,
        value: Document,
        *,
        author: Principal | None,
        at: datetime.datetime,
        rolled_back_to: int | None = None,
        kind: EventKind | None = None,
    ) -> int | None:
        """As `write`, but nothing follows; the number of the new version, None where there is none. `kind`: what its event
        is, where that says more than that the document was written."""
        key = key_of(value)
        body = versions.body_of(self._encode(value))
        current = transaction.execute(_current(*_named(key))).first()
        if current is not None and self._says(current.body, value):
            return None
        number = versions.insert_version(transaction, value, body, author=author, at=at)
        versions.point_to(transaction, key, number, new=current is None)
        again = rolled_back_to
        self._log.append(
            transaction, versions.written(value, number, body, author=author, at=at, again=again, kind=kind)
        )
        return number

    def remove(
        self, transaction: Transaction, key: DocumentKey, *, author: Principal | None, at: datetime.datetime
    ) -> bool:
        """The document holds no more (its versions stay readable by number); False where there was none.

        Where it is a collaboration, all its members have left.
        """
        before = self.standing(transaction, key.name) if key.kind == "collaboration" else None
        if not self.drop(transaction, key, author=author, at=at):
            return False
        if before is not None:
            nobody = replace(before[0], members=())
            removed_by_operator(self._act(transaction, author, at), before[0], nobody)
            follow(self._act(transaction, author, at), before[0], nobody)
        return True

    def drop(
        self, transaction: Transaction, key: DocumentKey, *, author: Principal | None, at: datetime.datetime
    ) -> bool:
        """As `remove`, but nothing follows."""
        current = transaction.execute(_current(*_named(key))).first()
        if current is None:
            return False
        versions.point_nowhere(transaction, key)
        removed = versions.removed(self._decode(current.body), current.version, author=author, at=at)
        self._log.append(transaction, removed)
        return True

    def current_number(self, transaction: Transaction, key: DocumentKey) -> int | None:
        """The number of the document's current version, as the transaction sees it; None where none holds."""
        mine = (document_current.c.kind == key.kind, document_current.c.name == key.name)
        return transaction.execute(select(document_current.c.version).where(*mine)).scalar_one_or_none()

    def standing(self, transaction: Transaction, name: str) -> tuple[Collaboration, int] | None:
        """The collaboration as it stands within the transaction, and its version."""
        row = transaction.execute(_current(*_named(DocumentKey("collaboration", name)))).first()
        return None if row is None else (cast(Collaboration, self._decode(row.body)), row.version)

    def templates(self, transaction: Transaction, collaboration: CollaborationName) -> tuple[Template, ...]:
        """Every template that is kept of the collaboration as the transaction sees it, by name."""
        here = (document.c.kind == "template", document.c.collaboration == collaboration)
        return tuple(v for v in self._values(transaction, *here) if isinstance(v, Template))

    def is_taken(self, transaction: Transaction, key: DocumentKey) -> bool:
        """Whether there is, or ever was, a document of that name."""
        return transaction.execute(select(document.c.version).where(*_named(key)).limit(1)).first() is not None

    def policy(self, collaboration: CollaborationName, versions: Mapping[str, int] | None = None) -> Policy | None:
        """What holds now, or what held under exactly these versions; None where there is no such collaboration.

        Its datasets are those with a rule in the collaboration. OperationError "store.version_missing" where `versions`
        names one that there never was.
        """
        with self._database.read() as transaction:
            rows = _pinned(transaction, versions) if versions is not None else _holding(transaction, collaboration)
        values = [self._decode(row.body) for row in rows]
        agreement = next((v for v in values if isinstance(v, Collaboration) and v.name == collaboration), None)
        if agreement is None:
            return None
        rules = {v.dataset: v for v in values if isinstance(v, AnalysisRule) and v.collaboration == collaboration}
        datasets = {v.name: v for v in values if isinstance(v, Dataset) and v.name in rules}
        templates = templates_of(agreement, (v for v in values if isinstance(v, Template)))
        held = {f"{row.kind}:{row.name}": row.version for row in rows}
        return Policy(agreement, datasets, rules, held, templates)

    def folder(self) -> PolicyFolder:
        """Every current document, as of one moment (`tests` empty)."""
        with self._database.read() as transaction:
            return folder_of(*self._values(transaction))

    def collaborations(self, member: PartnerName | None = None) -> tuple[Collaboration, ...]:
        """Current collaborations, by name; those of one member where named."""
        with self._database.read() as transaction:
            values = self._values(transaction, document.c.kind == "collaboration")
        return tuple(v for v in values if isinstance(v, Collaboration) and (member is None or v.has(member)))

    def connection(self, name: ConnectionName) -> Connection | None:
        """The current connection of that name."""
        value = self._one(DocumentKey("connection", name))
        return value if isinstance(value, Connection) else None

    def connections(self, partner: PartnerName) -> tuple[Connection, ...]:
        """A partner's current connections, by name."""
        with self._database.read() as transaction:
            values = self._values(transaction, document.c.kind == "connection", document.c.partner == partner)
        return tuple(v for v in values if isinstance(v, Connection))

    def dataset(self, name: DatasetName) -> Dataset | None:
        """The current dataset of that name."""
        value = self._one(DocumentKey("dataset", name))
        return value if isinstance(value, Dataset) else None

    def version(self, key: DocumentKey) -> DocumentVersion | None:
        """The current version of a document."""
        with self._database.read() as transaction:
            row = transaction.execute(_current(*_named(key))).first()
        if row is None:
            return None
        value = self._decode(row.body)
        return DocumentVersion(key, row.version, value, row.author, row.written_at, row.digest)

    def _act(self, transaction: Transaction, author: Principal | None, at: datetime.datetime) -> Act:
        return Act(transaction, self._log, self, author, at)

    def _before(self, transaction: Transaction, value: Document) -> tuple[Collaboration, int] | None:
        """What stands of a collaboration that is written; None of one that this version cannot read: writing is the way out."""
        try:
            return self.standing(transaction, value.name) if isinstance(value, Collaboration) else None
        except OperationError:
            return None

    def _says(self, body: str, value: Document) -> bool:
        try:
            return self._decode(body) == value
        except OperationError:  # a body of a version that this one cannot read: writing it anew is the way out
            return False

    def _one(self, key: DocumentKey) -> Document | None:
        found = self.version(key)
        return None if found is None else found.value

    def _values(self, transaction: Transaction, *conditions: ColumnElement[bool]) -> tuple[Document, ...]:
        return tuple(self._decode(row.body) for row in transaction.execute(_current(*conditions)))


def _current(*conditions: ColumnElement[bool]) -> Select[Any]:
    same = [document.c[name] == document_current.c[name] for name in ("kind", "name", "version")]
    rows = select(document).join(document_current, and_(*same)).where(*conditions)
    return rows.order_by(document.c.kind, document.c.name)


def _named(key: DocumentKey) -> tuple[ColumnElement[bool], ...]:
    return document.c.kind == key.kind, document.c.name == key.name


def _holding(transaction: Transaction, collaboration: CollaborationName) -> list[Any]:
    agreement = transaction.execute(_current(*_named(DocumentKey("collaboration", collaboration)))).all()
    here = document.c.collaboration == collaboration
    rules = transaction.execute(_current(document.c.kind == "rule", here)).all()
    templates = transaction.execute(_current(document.c.kind == "template", here)).all()
    of_datasets = (document.c.kind == "dataset", document.c.name.in_([rule.dataset for rule in rules]))
    return [*agreement, *rules, *templates, *transaction.execute(_current(*of_datasets)).all()]


def _pinned(transaction: Transaction, versions: Mapping[str, int]) -> Collection[Any]:
    keys = [(*text.split(":", 1), number) for text, number in versions.items()]
    rows = select(document).where(tuple_(document.c.kind, document.c.name, document.c.version).in_(keys))
    found = transaction.execute(rows).all()
    if len(found) != len(keys):
        raise OperationError("A document version that a query was approved under is missing.", "store.version_missing")
    return found


__all__ = ["AdmittedRoots", "DocumentVersion", "PolicyBook"]
