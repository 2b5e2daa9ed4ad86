"""A policy document → the kind and name under which it is kept, the same wherever documents are compared, stored or shown."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, PolicyFolder, Template

Document: TypeAlias = Collaboration | Connection | Dataset | AnalysisRule | Template

DOCUMENT_KINDS = ("collaboration", "connection", "dataset", "rule", "template")


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """`kind`: one of DOCUMENT_KINDS; a rule's name is "<collaboration>/<dataset>", a template's "<collaboration>/<template>"."""

    kind: str
    name: str

    def __str__(self) -> str:
        """As `Policy.versions` has it: "rule:retail-media/retailer.customers"."""
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """A version of a document without what it says. `author` is a principal's id, None for the operator; `digest` is
    "sha256:<hex>"."""

    key: DocumentKey
    version: int
    author: str | None
    written_at: datetime.datetime
    digest: str
    current: bool


def key_of(value: Document) -> DocumentKey:
    """The kind and name under which the document is kept."""
    match value:
        case Collaboration(name=name):
            return DocumentKey("collaboration", name)
        case Connection(name=name):
            return DocumentKey("connection", name)
        case Dataset(name=name):
            return DocumentKey("dataset", name)
        case AnalysisRule(collaboration=collaboration, dataset=dataset):
            return DocumentKey("rule", f"{collaboration}/{dataset}")
        case Template(collaboration=collaboration, name=name):
            return DocumentKey("template", f"{collaboration}/{name}")
        case _ as never:
            assert_never(never)


def parse_key(text: str) -> DocumentKey | None:
    """The key that is written so; None where it is none."""
    kind, _, name = text.partition(":")
    return DocumentKey(kind, name) if kind in DOCUMENT_KINDS and name else None


def documents_of(folder: PolicyFolder) -> tuple[Document, ...]:
    """Every document but the tests, those that others refer to first."""
    return (*folder.collaborations, *folder.connections, *folder.datasets, *folder.rules, *folder.templates)
