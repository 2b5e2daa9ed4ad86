"""A folder of other projects' queries, named by the environment → cases with what the project says of each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cleanroom.domain.policy import Policy

VARIABLE = "CLEANROOM_PEER_CORPORA"


class Label(StrEnum):
    """What the project says of a query: its own answer or error, that it reads it and no more, or nothing."""

    ACCEPTS = "accepts"
    REFUSES = "refuses"
    READS = "reads"
    NONE = "says nothing"


@dataclass(frozen=True, slots=True)
class Case:
    """One query. `group` is the project's own division of its tests; `said` the error it expects, where it says one."""

    group: str
    sql: str
    label: Label
    said: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """A project: its cases in order, the dialect that they are read in, and its metadata as a policy.

    `own_words` begin the names of its own functions and catalogs; `lacking` are columns of types that nothing here has.
    `groups_by_itself`: columns without GROUP BY are groups to it, not rows.
    """

    name: str
    dialect: str
    policy: Policy
    cases: tuple[Case, ...]
    own_words: tuple[str, ...] = ()
    lacking: frozenset[str] = frozenset()
    groups_by_itself: bool = False


def corpora() -> Path | None:
    """The folder that the environment names, or None where it names none that is there."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named and Path(named).is_dir() else None


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file that holds one JSON object a line."""
    return (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
