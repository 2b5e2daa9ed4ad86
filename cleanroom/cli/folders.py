"""A policy folder → its documents, checked by themselves and beside each other; or everything that is wrong, with places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from cleanroom.documents import check_folder, read_folder
from cleanroom.documents.analysis_rule import with_grains
from cleanroom.domain.document import Document, documents_of, key_of
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.policy import PolicyFolder
from cleanroom.sql import check_row_filter

NOTHING = PolicyFolder()


def read_checked(path: Path) -> PolicyFolder:
    """The documents of the folder. Raises InvalidInput with every problem, its file named as the caller can open it."""
    return checked(read(path), path, NOTHING)


def read(path: Path) -> PolicyFolder:
    """The documents of the folder, each right by itself. Raises InvalidInput as `read_checked` does."""
    try:
        return read_folder(path)
    except InvalidInput as error:
        raise InvalidInput(tuple(_placed(p, path) for p in error.problems)) from None


def checked(folder: PolicyFolder, path: Path, standing: PolicyFolder) -> PolicyFolder:
    """The folder's documents, with the grains of its rules settled. They fit each other and those of `standing` that they
    do not replace. Raises InvalidInput as `read_checked` does."""
    settled = settled_by(folder, standing)
    problems = problems_beside(settled, standing)
    if problems:
        raise InvalidInput(tuple(_placed(p, path) if p.line else p for p in problems))
    return settled


def settled_by(folder: PolicyFolder, standing: PolicyFolder) -> PolicyFolder:
    """The folder with the grains of its rules settled by the datasets of `standing`, where they are not its own."""
    datasets = {d.name: d for d in standing.datasets} | {d.name: d for d in folder.datasets}
    return replace(
        folder,
        rules=tuple(with_grains(r, datasets[r.dataset]) if r.dataset in datasets else r for r in folder.rules),
    )


def problems_beside(folder: PolicyFolder, standing: PolicyFolder) -> tuple[Problem, ...]:
    """What is wrong with the folder's documents, and what would be wrong with those of `standing` that is not already.

    What was not read from a file is placed by its key.
    """
    found = _problems(together(folder, standing))
    replaced = {str(key_of(value)) for value in documents_of(folder)}
    known = {p for p in _problems(standing) if p.file not in replaced} if found else set[Problem]()
    return tuple(p for p in found if p not in known)


def together(folder: PolicyFolder, standing: PolicyFolder) -> PolicyFolder:
    """The folder's documents, and behind them (so that places still hold) those of `standing` that it does not replace."""
    replaced = {key_of(value) for value in documents_of(folder)}
    return replace(
        folder,
        collaborations=folder.collaborations + tuple(c for c in standing.collaborations if key_of(c) not in replaced),
        connections=folder.connections + tuple(c for c in standing.connections if key_of(c) not in replaced),
        datasets=folder.datasets + tuple(d for d in standing.datasets if key_of(d) not in replaced),
        rules=folder.rules + tuple(r for r in standing.rules if key_of(r) not in replaced),
        templates=folder.templates + tuple(t for t in standing.templates if key_of(t) not in replaced),
    )


def _problems(folder: PolicyFolder) -> tuple[Problem, ...]:
    by_key = replace(folder, places=dict(_places_by_key(folder)) | dict(folder.places))
    return tuple(replace(p, line=p.line or None) for p in check_folder(by_key, check_row_filter))


def _places_by_key(folder: PolicyFolder) -> Iterator[tuple[str, tuple[str, int]]]:
    """For documents that stand in no file: the key in the place of its name, and no line."""
    buckets: dict[str, tuple[Document, ...]] = {
        "collaborations": folder.collaborations,
        "connections": folder.connections,
        "datasets": folder.datasets,
        "rules": folder.rules,
        "templates": folder.templates,
    }
    for bucket, values in buckets.items():
        for i, value in enumerate(values):
            yield f"{bucket}[{i}]", (str(key_of(value)), 0)


def _placed(problem: Problem, path: Path) -> Problem:
    return replace(problem, file=str(path / problem.file)) if problem.file else problem
