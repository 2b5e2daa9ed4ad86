"""The shipped JSON Schemas are those of the code, and agree with it about documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from cleanroom.documents import KINDS, check_folder, json_schema, read_folder
from cleanroom.documents.schema_files import schema_text, shipped_schema, write_schema_files
from cleanroom.documents.yaml_tree import read_yaml
from cleanroom.domain.errors import InvalidInput

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "policies"
CASES = Path(__file__).parent / "cases"
NOT_IN_A_SCHEMA = {"policy.contradiction", "policy.unknown_name", "policy.not_permitted", "policy.secret"}
LEFT_TO_THE_CODE = {
    "a fraction for a number",  # 50.0 is a whole number to JSON Schema
    "an empty text",
    "a control character",
    "columns that differ by case",
    "a type that is none",  # types are read in any case and with synonyms
    "a decimal out of range",
    "a member twice",
    "a rule twice",
    "a connection twice",
}


def documents(text: str) -> list[Any]:
    return [d.value for d in read_yaml(text.encode())[0]]


def fits(document: Any) -> bool:
    kind = document.get("kind") if isinstance(document, dict) else None
    return isinstance(kind, str) and kind in KINDS and Draft202012Validator(json_schema(kind)).is_valid(document)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_schema_is_the_one_of_the_code(kind: str) -> None:
    assert shipped_schema(kind) == schema_text(kind), "run python -m cleanroom.documents.schema_files"
    Draft202012Validator.check_schema(json.loads(shipped_schema(kind)))


def test_schema_files_are_written_one_a_kind(tmp_path: Path) -> None:
    write_schema_files(tmp_path / "schemas")
    assert {f.name for f in (tmp_path / "schemas").iterdir()} == {f"{kind}.json" for kind in KINDS}


@pytest.mark.parametrize("file", sorted(CORPUS.glob("strict/*.yaml")), ids=lambda f: f.name)
def test_the_policies_of_the_corpus_fit_the_schemas(file: Path) -> None:
    assert all(fits(d) for d in documents(file.read_text()))


def test_the_policies_of_the_corpus_are_read_without_problems() -> None:
    assert check_folder(read_folder(CORPUS / "strict")) == ()


WIDE = ("per_unit_analysis: true", "least]", "stddev", "[inner, left, semi, anti]")


def test_wide_rules_are_refused_at_every_key_that_is_not_enforced() -> None:
    with pytest.raises(InvalidInput) as error:
        read_folder(CORPUS / "advanced")
    lines = (CORPUS / "advanced" / "advanced.yaml").read_text().splitlines()
    expected = [
        i for i, line in enumerate(lines, 1) for word in WIDE if word in line for _ in range(3 if "semi" in word else 1)
    ]
    assert {(p.code, p.file) for p in error.value.problems} == {("policy.not_enforced", "advanced.yaml")}
    assert [p.line for p in error.value.problems] == expected
    assert all(p.hint for p in error.value.problems)


def test_wide_rules_do_not_fit_the_schemas() -> None:
    rules = [d for d in documents((CORPUS / "advanced" / "advanced.yaml").read_text()) if d["kind"] == "AnalysisRule"]
    assert len(rules) == 3
    assert not any(fits(rule) for rule in rules)


def test_the_schemas_agree_with_the_code_about_every_case() -> None:
    good = (CASES / "good.yaml").read_text()
    assert all(fits(d) for d in documents(good))
    for case in YAML(typ="safe", pure=True).load(CASES / "changes.yaml"):
        wrong = {p["code"] for p in case["problems"]} - NOT_IN_A_SCHEMA
        expected = case["name"] in LEFT_TO_THE_CODE or (not wrong and case["name"] != "one person is a group")
        assert expected == all(fits(d) for d in documents(good.replace(case["was"], case["now"], 1))), case["name"]
