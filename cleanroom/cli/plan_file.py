"""What was planned ↔ a file that an apply is held to. It is only ever compared: nothing in it is believed."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from cleanroom.documents.changes import Changes, diff_of
from cleanroom.domain.errors import Conflict, InvalidInput, Problem

FORMAT = "cleanroom-plan/v1"
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class PlanFile:
    """`home` names the home that it was made for; `state` and `folder` are digests of its documents and of the folder's.

    `changes` are as `changes_json` has them.
    """

    home: str
    state: str
    folder: str
    prune: bool
    changes: list[dict[str, str]]


def changes_json(changes: Changes) -> list[dict[str, str]]:
    """Every change, the roots that would be admitted first. A document's `diff` is of its YAML; it names no secret, only
    where one is."""
    admitted = [
        {"change": "admitted", "kind": "root", "name": f"{a.partner}:{a.root}", "diff": ""} for a in changes.admissions
    ]
    return admitted + [
        {"change": c.what.value, "kind": c.key.kind, "name": c.key.name, "diff": diff_of(c)} for c in changes.documents
    ]


def write_plan(path: Path, plan: PlanFile) -> None:
    """The file holds the plan, for its owner's eyes alone: it tells locations and row filters."""
    text = json.dumps({"format": FORMAT, **asdict(plan)}, indent=2, ensure_ascii=False)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(text.encode("utf-8", "surrogatepass") + b"\n")


def read_plan(path: Path) -> PlanFile:
    """The plan in the file. InvalidInput "policy.plan_unreadable" where it is none."""
    try:
        with path.open("rb") as file:
            said: Any = json.loads(file.read(_MOST_BYTES))
    except (ValueError, RecursionError):
        raise _unreadable(path) from None
    if not isinstance(said, dict) or said.pop("format", None) != FORMAT or said.keys() != _NAMES:
        raise _unreadable(path)
    texts = all(isinstance(said[name], str) for name in ("home", "state", "folder"))
    if not texts or not isinstance(said["prune"], bool) or not isinstance(said["changes"], list):
        raise _unreadable(path)
    return PlanFile(**said)


def require_same(plan: PlanFile, now: PlanFile) -> None:
    """What would change now is what was planned. Else Conflict: "policy.plan_differs" where home or folder are others,
    "policy.moved" where the home's documents or admitted roots are."""
    if plan.home != now.home:
        raise Conflict("This plan was made for another home.", "policy.plan_differs")
    if (plan.folder, plan.prune) != (now.folder, now.prune):
        raise Conflict("The folder's documents are not those that were planned: plan again.", "policy.plan_differs")
    if plan.state != now.state:
        raise Conflict("The home's documents changed since the plan was made: plan again.", "policy.moved")
    if plan.changes != now.changes:
        raise Conflict("What would change is not what was planned: plan again.", "policy.moved")


def _unreadable(path: Path) -> InvalidInput:
    hint = "write one with `cleanroom plan DIR --out FILE`"
    return InvalidInput((Problem("policy.plan_unreadable", "this is no plan", str(path), hint=hint),))


_NAMES = {field.name for field in fields(PlanFile)}
