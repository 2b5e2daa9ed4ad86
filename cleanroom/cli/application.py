"""A policy folder and a home → the home holds its documents. One transaction, the operator's act."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.bootstrap import Home
from cleanroom.cli.folders import NOTHING, read_checked
from cleanroom.domain.document import DocumentKey, documents_of, key_of


@dataclass(frozen=True, slots=True)
class Change:
    """`what` became of a document: created, replaced or removed."""

    what: str
    kind: str
    name: str


def apply_folder(home: Home, path: Path, *, prune: bool) -> tuple[Change, ...]:
    """The folder's documents are current in the home, and the roots that its connections name are admitted; or nothing
    changed, and an error says why. With `prune`, documents that the folder omits hold no more."""
    book, at = home.drawers.policies, home.clock.now()
    standing = book.folder()
    folder = read_checked(path, NOTHING if prune else standing)
    wanted = documents_of(folder)
    before = {key_of(value) for value in documents_of(standing)}
    changes: list[Change] = []
    with home.database.begin() as transaction:
        for connection in folder.connections:
            home.drawers.roots.admit(transaction, connection.partner, connection.options["root"], at=at)
        for value in wanted:
            key = key_of(value)
            if book.write(transaction, value, author=None, at=at):
                changes.append(_change("replaced" if key in before else "created", key))
        for key in sorted(before - {key_of(value) for value in wanted}, key=str) if prune else ():
            book.remove(transaction, key, author=None, at=at)
            changes.append(_change("removed", key))
    return tuple(changes)


def _change(what: str, key: DocumentKey) -> Change:
    return Change(what, key.kind, key.name)
