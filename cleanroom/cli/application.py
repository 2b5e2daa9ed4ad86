"""A policy folder and a home → what would change, and its change. One transaction, the operator's act."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.bootstrap import Home
from cleanroom.cli.folders import NOTHING, checked, read
from cleanroom.cli.plan_file import PlanFile, changes_json, require_same
from cleanroom.documents.changes import Changes, changes_between, digest_of
from cleanroom.domain.policy import PolicyFolder


@dataclass(frozen=True, slots=True)
class Planned:
    """What an apply would change, and the same as a file holds it."""

    changes: Changes
    file: PlanFile


def plan_folder(home: Home, path: Path, *, prune: bool) -> Planned:
    """What `apply_folder` would do as of now; nothing is written. Raises InvalidInput with every problem."""
    return _planned(home, read(path), path, prune=prune)


def apply_folder(home: Home, path: Path, *, prune: bool, plan: PlanFile | None = None) -> Changes:
    """The folder's documents are current in the home, and the roots that its connections name are admitted; or nothing
    changed, and an error says why. With `prune`, documents that the folder omits hold no more.

    What changes is worked out in the transaction that changes it: applies follow one another. With `plan`, it is what was
    planned, exactly, or Conflict "policy.moved" or "policy.plan_differs".
    """
    folder, at = read(path), home.clock.now()
    book, roots = home.drawers.policies, home.drawers.roots
    with home.database.begin() as transaction:
        planned = _planned(home, folder, path, prune=prune)
        if plan is not None:
            require_same(plan, planned.file)
        for admission in planned.changes.admissions:
            roots.admit(transaction, admission.partner, admission.root, at=at)
        for change in planned.changes.documents:
            if change.after is not None:
                book.write(transaction, change.after, author=None, at=at)
            else:
                book.remove(transaction, change.key, author=None, at=at)
    return planned.changes


def _planned(home: Home, folder: PolicyFolder, path: Path, *, prune: bool) -> Planned:
    standing = home.drawers.policies.folder()
    wanted = checked(folder, path, NOTHING if prune else standing)
    admitted = {c.partner: home.drawers.roots.of(c.partner) for c in wanted.connections}
    changes = changes_between(wanted, standing, admitted, prune=prune)
    digests = digest_of(standing), digest_of(wanted)
    return Planned(changes, PlanFile(home.keys.name, *digests, prune, changes_json(changes)))
