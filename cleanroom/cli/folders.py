"""A policy folder → its documents, checked by themselves and beside each other; or everything that is wrong, with places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cleanroom.documents import check_folder, read_folder
from cleanroom.documents.analysis_rule import with_grains
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.policy import PolicyFolder
from cleanroom.sql import check_row_filter

NOTHING = PolicyFolder()


def read_checked(path: Path, standing: PolicyFolder = NOTHING) -> PolicyFolder:
    """The documents of the folder alone. They fit each other and those of `standing` that they do not replace.

    Raises InvalidInput with every problem, its file named as the caller can open it.
    """
    try:
        folder = read_folder(path)
    except InvalidInput as error:
        raise InvalidInput(_placed(error.problems, path)) from None
    folder = _settled(folder, standing)
    problems = check_folder(_together(folder, standing), check_row_filter)
    if problems:
        raise InvalidInput(_placed(problems, path))
    return folder


def _together(folder: PolicyFolder, standing: PolicyFolder) -> PolicyFolder:
    """The folder's documents, and behind them (so that places still hold) those of `standing` that it does not replace."""
    collaborations = {c.name for c in folder.collaborations}
    connections = {c.name for c in folder.connections}
    datasets = {d.name for d in folder.datasets}
    rules = {(r.dataset, r.collaboration) for r in folder.rules}
    return replace(
        folder,
        collaborations=folder.collaborations
        + tuple(c for c in standing.collaborations if c.name not in collaborations),
        connections=folder.connections + tuple(c for c in standing.connections if c.name not in connections),
        datasets=folder.datasets + tuple(d for d in standing.datasets if d.name not in datasets),
        rules=folder.rules + tuple(r for r in standing.rules if (r.dataset, r.collaboration) not in rules),
    )


def _settled(folder: PolicyFolder, standing: PolicyFolder) -> PolicyFolder:
    """The folder with the grains of its rules settled by the datasets of `standing`, where they are not its own."""
    datasets = {d.name: d for d in standing.datasets} | {d.name: d for d in folder.datasets}
    return replace(
        folder,
        rules=tuple(with_grains(r, datasets[r.dataset]) if r.dataset in datasets else r for r in folder.rules),
    )


def _placed(problems: tuple[Problem, ...], path: Path) -> tuple[Problem, ...]:
    return tuple(replace(p, file=str(path / p.file) if p.file else None) for p in problems)
