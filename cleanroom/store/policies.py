"""Policy documents ↔ their versions. Every version is immutable; one of each name is current."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import Connection as Transaction

from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName, PartnerName
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, Policy, PolicyFolder
from cleanroom.domain.query import Principal
from cleanroom.store.database import Database
from cleanroom.store.log import Log

Document: TypeAlias = Collaboration | Connection | Dataset | AnalysisRule


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """`kind`: collaboration | connection | dataset | rule; a rule's name is "<collaboration>/<dataset>"."""

    kind: str
    name: str

    def __str__(self) -> str:
        """As `Policy.versions` has it: "rule:retail-media/retailer.customers"."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    key: DocumentKey
    version: int
    value: Document
    author: str | None
    written_at: datetime.datetime
    digest: str


def key_of(value: Document) -> DocumentKey: ...


class PolicyBook:
    """The store's `ports.PolicyBook`. `encode` and `decode` are `documents.to_document` and `documents.from_document`."""

    def __init__(
        self,
        database: Database,
        log: Log,
        encode: Callable[[Document], dict[str, Any]],
        decode: Callable[[dict[str, Any]], Document],
    ) -> None: ...

    def write(
        self, transaction: Transaction, value: Document, *, author: Principal | None, at: datetime.datetime
    ) -> bool:
        """The document is current, and its event in the log; False, and nothing written, where it already was.

        The event is made here (kind by document, `data`: name, version, digest). `author` None is the operator.
        """
        raise NotImplementedError

    def remove(
        self, transaction: Transaction, key: DocumentKey, *, author: Principal | None, at: datetime.datetime
    ) -> bool:
        """The document holds no more (its versions stay readable by number); False where there was none."""
        raise NotImplementedError

    def policy(self, collaboration: CollaborationName, versions: Mapping[str, int] | None = None) -> Policy | None: ...

    def folder(self) -> PolicyFolder:
        """Every current document, as of one moment (`tests` empty)."""
        raise NotImplementedError

    def collaborations(self, member: PartnerName | None = None) -> tuple[Collaboration, ...]:
        """Current collaborations, by name; those of one member where named."""
        raise NotImplementedError

    def connection(self, name: ConnectionName) -> Connection | None: ...

    def connections(self, partner: PartnerName) -> tuple[Connection, ...]: ...

    def dataset(self, name: DatasetName) -> Dataset | None: ...

    def version(self, key: DocumentKey) -> DocumentVersion | None:
        """The current version of a document."""
        raise NotImplementedError


class AdmittedRoots:
    """What the operator allows each partner's connections to reach."""

    def __init__(self, database: Database, log: Log) -> None: ...

    def of(self, partner: PartnerName) -> tuple[str, ...]: ...

    def admit(self, transaction: Transaction, partner: PartnerName, root: str, *, at: datetime.datetime) -> bool:
        """The partner's connections may lie within `root` (absolute); an operator's act, logged without the path.

        False, and nothing written, where it was admitted already."""
        raise NotImplementedError
