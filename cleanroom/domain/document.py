"""A policy document → the kind and name under which it is kept, the same wherever documents are compared, stored or shown."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from cleanroom.domain.identifiers import owner_of
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


def folder_of(*values: Document) -> PolicyFolder:
    """The documents as a folder."""
    return PolicyFolder(
        tuple(v for v in values if isinstance(v, Collaboration)),
        tuple(v for v in values if isinstance(v, Connection)),
        tuple(v for v in values if isinstance(v, Dataset)),
        tuple(v for v in values if isinstance(v, AnalysisRule)),
        templates=tuple(v for v in values if isinstance(v, Template)),
    )


def resting_on(value: Document, folder: PolicyFolder) -> tuple[DocumentKey, ...]:
    """The documents of the folder, of the same owner, that mean nothing without this one.

    What others wrote about it is left out: nobody can keep an owner from taking its data back.
    """
    match value:
        case Connection(name=name):
            return tuple(key_of(d) for d in folder.datasets if d.connection == name and d.partner == value.partner)
        case Dataset(name=name):
            return tuple(key_of(r) for r in folder.rules if r.dataset == name or _own_pair(r, value))
        case Collaboration(name=name):
            inside: list[AnalysisRule | Template] = [*folder.rules, *folder.templates]
            return tuple(key_of(v) for v in inside if v.collaboration == name)
        case AnalysisRule() | Template():
            return ()
        case _ as never:
            assert_never(never)


def _own_pair(rule: AnalysisRule, dataset: Dataset) -> bool:
    """The rule is of the dataset's owner and pairs with it."""
    return owner_of(rule.dataset) == dataset.partner and any(p.dataset == dataset.name for p in rule.joins.partners)
