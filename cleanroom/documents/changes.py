"""The documents that are wanted and those that stand → what would change. Pure; `plan` shows it and `apply` does it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from cleanroom.documents.stored import to_document
from cleanroom.documents.yaml_text import to_yaml
from cleanroom.domain.document import Document, DocumentKey, documents_of, key_of
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import PolicyFolder


class What(StrEnum):
    """What becomes of a document."""

    CREATED = "created"
    REPLACED = "replaced"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """`before` is None where the document is created, `after` where it is removed."""

    what: What
    key: DocumentKey
    before: Document | None
    after: Document | None


@dataclass(frozen=True, slots=True)
class Admission:
    """A folder of data that the partner's connections may reach from then on."""

    partner: PartnerName
    root: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All that would change, those that others refer to first."""

    documents: tuple[Change, ...] = ()
    admissions: tuple[Admission, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.documents or self.admissions)


def changes_between(
    wanted: PolicyFolder,
    standing: PolicyFolder,
    admitted: Mapping[PartnerName, Collection[str]],
    *,
    prune: bool,
) -> Changes:
    """What makes the wanted documents hold where `standing` do. With `prune`, what is not wanted holds no more.

    `admitted`: the roots that each partner's connections may reach already; those that wanted connections name are added.
    """
    before = {key_of(value): value for value in documents_of(standing)}
    after = {key_of(value): value for value in documents_of(wanted)}
    changed = [_change(key, before.get(key), value) for key, value in after.items() if before.get(key) != value]
    gone = sorted(before.keys() - after.keys(), key=str) if prune else ()
    changed += [Change(What.REMOVED, key, before[key], None) for key in gone]
    named = dict.fromkeys(Admission(c.partner, c.options["root"]) for c in wanted.connections)
    new = tuple(a for a in named if a.root not in admitted.get(a.partner, ()))
    return Changes(tuple(changed), new)


def diff_of(change: Change) -> str:
    """The change as a unified diff of the document's YAML, from what holds to what would."""
    lines = difflib.unified_diff(
        _lines(change.before), _lines(change.after), f"{change.key} (holds)", f"{change.key} (would hold)", lineterm=""
    )
    return "".join(f"{line}\n" for line in lines)


def digest_of(folder: PolicyFolder) -> str:
    """ "sha256:<hex>" of all that the folder's documents say, in whatever order they were read."""
    said = sorted((str(key_of(value)), to_document(value)) for value in documents_of(folder))
    text = json.dumps(said, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _change(key: DocumentKey, before: Document | None, after: Document) -> Change:
    return Change(What.CREATED if before is None else What.REPLACED, key, before, after)


def _lines(value: Document | None) -> list[str]:
    return [] if value is None else to_yaml(to_document(value)).splitlines()
