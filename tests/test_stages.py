"""Each stage's type is made by the stage before it alone: nothing gets to a later stage past an earlier one."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cleanroom"

MAKERS = {
    "ParsedQuery": {"sql/parse.py"},
    "Resolved": {"sql/resolve.py"},
    "Plan": {"sql/resolve.py"},
    "Verdict": {"rules/__init__.py"},
    "ExecutablePlan": {"rules/approve.py"},
    "PrivateStep": {"rules/steps.py"},
    "FinalStep": {"rules/approve.py"},
    "RawTable": {"engines/duckdb.py", "engines/memory.py"},
    "ReleasedTable": {"release/__init__.py"},
    "ReleasedResult": {"engines/duckdb.py", "engines/memory.py"},
}


def makers_of(name: str) -> set[str]:
    """The modules of the package that call the type, by whatever path they name it."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == name:
                    found.add(str(path.relative_to(PACKAGE)))
    return found


@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_is_made_by_the_stage_before_it_alone(name: str) -> None:
    assert makers_of(name) == MAKERS[name]


def test_nothing_replaces_a_part_of_a_verdict_or_of_a_plan_that_is_approved() -> None:
    """`dataclasses.replace` makes values too: no module that handles a verdict, a step or a table uses it on one."""
    for path in PACKAGE.rglob("*.py"):
        names = {n.name for node in ast.walk(ast.parse(path.read_text())) for n in getattr(node, "names", ())}
        if "replace" in names and path.parent.name not in ("sql", "rules"):
            assert not names & {"Verdict", "ExecutablePlan", "RawTable", "ReleasedTable", "ReleasedResult"}, path
