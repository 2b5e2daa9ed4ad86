"""docs/policies.md says what is so: its examples are read, its tables hold every key, its mistakes get their messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cleanroom.documents import KINDS, check_folder, json_schema, read_folder
from cleanroom.documents.yaml_tree import read_yaml
from cleanroom.domain.errors import InvalidInput, Problem

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")
_REFERENCE, _MISTAKES = PAGE.split("## Common mistakes")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", _REFERENCE, re.S)
MISTAKES = re.findall(r"```yaml\n(.*?)```\n\n```text\n(.*?)```", _MISTAKES, re.S)
_IDENTITY = ("kind", "name", "dataset", "collaboration")


def keys_of(schema: dict[str, Any], path: str = "") -> set[str]:
    """Every key that a JSON Schema knows, as the page spells it: members[].partner, columns.<name>.type."""
    found: set[str] = set()
    for form in (schema, *schema.get("anyOf", ())):
        for key, value in form.get("properties", {}).items():
            found |= {f"{path}{key}"} | keys_of(value, f"{path}{key}.")
        if isinstance(form.get("items"), dict):
            found |= keys_of(form["items"], f"{path.removesuffix('.')}[].")
        if isinstance(form.get("additionalProperties"), dict):
            found |= keys_of(form["additionalProperties"], f"{path}<name>.")
    return found


def told(problem: Problem) -> str:
    hint = f"\n    {problem.hint}" if problem.hint else ""
    return f"{problem.file}:{problem.line} {problem.code}: {problem.message}{hint}\n"


def identity(document: Any) -> tuple[Any, ...]:
    return tuple(document.get(k) for k in _IDENTITY) if isinstance(document, dict) else ()


def answer_to(mistake: str, folder: Path) -> str:
    """What is said of the document beside the page's examples, in place of the one of its name."""
    documents, _ = read_yaml(mistake.encode())
    wrong = {identity(d.value) for d in documents}
    examples = [text for block in EXAMPLES for text in block.split("---\n")]
    kept = [text for text in examples if identity(read_yaml(text.encode())[0][0].value) not in wrong]
    (folder / "examples.yaml").write_text("---\n".join(kept))
    (folder / "wrong.yaml").write_text(mistake)
    try:
        problems = check_folder(read_folder(folder))
    except InvalidInput as error:
        problems = error.problems
    return "".join(told(p) for p in problems)


def test_the_examples_of_the_page_are_a_right_folder(tmp_path: Path) -> None:
    for i, text in enumerate(EXAMPLES):
        (tmp_path / f"{i}.yaml").write_text(text)
    folder = read_folder(tmp_path)
    assert check_folder(folder) == ()
    assert len(EXAMPLES) == len(KINDS)
    assert all((folder.collaborations, folder.connections, folder.datasets, folder.rules, folder.tests))


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_has_a_row_for_every_key(kind: str) -> None:
    section = _REFERENCE.split(f"\n## {kind}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| ", section, re.M)
    grains = {f"columns.<name>.{use}.grain" for use in ("group", "filter")}
    assert sorted(rows) == sorted(keys_of(json_schema(kind)) - {"apiVersion", "kind"} - grains)


@pytest.mark.parametrize(("mistake", "answer"), MISTAKES)
def test_a_mistake_gets_the_message_on_the_page(mistake: str, answer: str, tmp_path: Path) -> None:
    assert answer_to(mistake, tmp_path) == answer


def test_the_page_lists_every_code() -> None:
    listed = set(re.findall(r"`(policy\.[a-z_]+)`", PAGE.split("The codes are stable")[1]))
    package = Path(__file__).parents[2] / "cleanroom" / "documents"
    used = {c for f in package.glob("*.py") for c in re.findall(r'"(policy\.[a-z_]+)"', f.read_text(encoding="utf-8"))}
    assert listed == used
