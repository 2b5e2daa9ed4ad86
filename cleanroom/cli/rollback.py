"""A document's key and an earlier version → a new version that says the same. The operator's act, in one transaction."""

from __future__ import annotations

from cleanroom.bootstrap import Home
from cleanroom.cli.folders import problems_beside, settled_by
from cleanroom.domain.document import Document, DocumentKey, documents_of, folder_of, key_of
from cleanroom.domain.errors import InvalidInput, NotFound
from cleanroom.domain.policy import PolicyFolder, Template


def roll_back(home: Home, key: DocumentKey, to: int) -> int | None:
    """The number of the new version that says what version `to` said; None, and nothing written, where the current one does.

    Raises NotFound where there is no such version, InvalidInput with every problem where it no longer fits the other
    documents that hold. A document that was removed holds again.
    """
    at, drawers = home.clock.now(), home.drawers
    with home.database.begin() as transaction:
        found = drawers.history.at(key, to)
        if found is None:
            raise NotFound(f"There is no version {to} of this document.")
        standing = drawers.policies.folder()
        folder = settled_by(folder_of(_agreed_now(found.value, standing)), standing)
        problems = problems_beside(folder, standing)
        if problems:
            raise InvalidInput(problems)
        (value,) = documents_of(folder)
        written = drawers.policies.write(transaction, value, author=None, at=at, rolled_back_to=to)
        return drawers.policies.current_number(transaction, key) if written else None


def _agreed_now(value: Document, standing: PolicyFolder) -> Document:
    """The document; a template with those approvals alone that hold for its text now."""
    if not isinstance(value, Template):
        return value
    return value.agreed_as(next((t for t in standing.templates if key_of(t) == key_of(value)), None))
