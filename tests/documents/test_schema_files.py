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
from cleanroom.domain.identifiers import DatasetName
from cleanroom.sql import check_row_filter

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "corpus" / "policies"
CASES = Path(__file__).parent / "cases"
NOT_IN_A_SCHEMA = {"policy.contradiction", "policy.unknown_name", "policy.not_permitted", "policy.secret"}
IN_A_SCHEMA = {"one person is a group", "one person behind a sum"}
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


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*/*.yaml")), ids=lambda f: f"{f.parent.name}/{f.name}")
def test_the_policies_of_the_corpus_fit_the_schemas(file: Path) -> None:
    assert all(fits(d) for d in documents(file.read_text()))


@pytest.mark.parametrize("folder", ["strict", "advanced"])
def test_the_policies_of_the_corpus_are_read_without_problems(folder: str) -> None:
    assert check_folder(read_folder(CORPUS / folder), check_row_filter) == ()


def test_wide_rules_say_what_was_written() -> None:
    rules = {rule.dataset: rule for rule in read_folder(CORPUS / "advanced").rules}
    assert len(rules) == 3
    for rule in rules.values():
        assert rule.per_unit_analysis
        assert rule.joins.kinds == {"inner", "left", "semi", "anti"}
        assert "least" in rule.functions
        assert rule.literals is None
    orders = rules[DatasetName("retailer.orders")]
    assert orders.column("amount_usd").aggregate == {"sum", "avg", "stddev"}


def test_the_schemas_agree_with_the_code_about_every_case() -> None:
    good = (CASES / "good.yaml").read_text()
    assert all(fits(d) for d in documents(good))
    for case in YAML(typ="safe", pure=True).load(CASES / "changes.yaml"):
        wrong = {p["code"] for p in case["problems"]} - NOT_IN_A_SCHEMA
        expected = case["name"] in LEFT_TO_THE_CODE or (not wrong and case["name"] not in IN_A_SCHEMA)
        assert expected == all(fits(d) for d in documents(good.replace(case["was"], case["now"], 1))), case["name"]
