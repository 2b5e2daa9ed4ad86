"""Each rule allows, refuses, and holds exactly on the boundary: the cases are queries in YAML, one file a rule."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.broker import judge_query
from cleanroom.documents import read_folder
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy
from cleanroom.rules import RULES
from cleanroom.sql.parameters import sent_parameters
from tests.fixtures import CORPUS, request

FOLDER = Path(__file__).parent / "cases"
CASES = [
    {**case, "file": path.stem}
    for path in sorted(FOLDER.glob("*.yaml"))
    for case in YAML(typ="safe", pure=True).load(path.read_text())
]


def merged(document: Any, change: Any) -> Any:
    """The document with the change laid over it, mapping by mapping; null takes a key away."""
    if not isinstance(document, dict) or not isinstance(change, dict):
        return change
    keys = {k: merged(document.get(k), v) if k in document else v for k, v in change.items() if v is not None}
    return {k: v for k, v in {**document, **keys}.items() if k not in change or change[k] is not None}


@pytest.fixture(scope="session")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    """Policies made so far, by the change to the strict one that made them."""
    return {}


def template(name: str, change: dict[str, Any]) -> dict[str, Any]:
    """A template of the strict collaboration, the publisher's own unless it says otherwise."""
    header = {"apiVersion": "cleanroom/v1", "kind": "Template", "name": name.partition(" ")[2]}
    return header | {"collaboration": "strict", "partner": "publisher"} | change


def policy_with(change: dict[str, Any], made: dict[str, Policy], folder: Path) -> Policy:
    """The strict policy with its owners' documents changed, read from YAML as any other."""
    key = json.dumps(change, sort_keys=True)
    if key not in made:
        yaml = YAML(typ="safe", pure=True)
        documents = [
            d for f in ("datasets", "strict") for d in yaml.load_all((CORPUS / f"policies/strict/{f}.yaml").read_text())
        ]
        for i, document in enumerate(documents):
            name = f"{document['kind']} {document.get('dataset') or document.get('name')}"
            documents[i] = merged(document, change.get(name, {}))
        documents += [template(name, value) for name, value in change.items() if name.startswith("Template ")]
        with (folder / "policy.yaml").open("w") as file:
            yaml.dump_all(documents, file)
        policy = read_folder(folder).policy(CollaborationName("strict"))
        assert policy is not None
        made[key] = policy
    return made[key]


def verdict_of(case: dict[str, Any], policies: dict[str, Policy], folder: Path) -> Verdict:
    policy = policy_with(case.get("change", {}), policies, folder)
    asked = request(case.get("sql", ""), partner=case.get("as", "publisher"))
    return judge_query(
        replace(asked, template=case.get("template"), parameters=sent_parameters(case.get("parameters", {}))), policy
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['file']}: {case['name']}")
def test_the_rule_decides(case: dict[str, Any], policies: dict[str, Policy], tmp_path: Path) -> None:
    verdict = verdict_of(case, policies, tmp_path)
    if case["expect"] == "approved":
        assert verdict.approved, verdict.findings
        return
    assert sorted({f.code for f in verdict.findings}) == sorted(case["expect"])
    for finding in verdict.findings:
        assert finding.message
        assert finding.message.endswith(".")
    for field in ("dataset", "column"):
        if field in case:
            assert case[field] in {getattr(f, field) for f in verdict.findings}
    if "at" in case:
        assert tuple(case["at"]) in {(f.at.line, f.at.position) for f in verdict.findings if f.at}
    if "hint" in case:
        assert any(case["hint"] in (f.hint or "") for f in verdict.findings)


def test_every_rule_has_cases_that_refuse_by_its_code() -> None:
    codes = {code for case in CASES if case["expect"] != "approved" for code in case["expect"]}
    named = {rule.__name__.replace("_", ".", 1) for rule in RULES}
    # A dataset without a rule is not in a policy at all, so no query can name it.
    assert named - codes <= {"rule.missing"}


def test_refusals_outnumber_approvals() -> None:
    refused = [case for case in CASES if case["expect"] != "approved"]
    assert len(refused) > len(CASES) - len(refused)


def test_all_findings_come_at_once(policies: dict[str, Policy], tmp_path: Path) -> None:
    sql = """SELECT c.notes, MAX(c.lifetime_value), hour(i.ts), nosuch
FROM retailer.customers c JOIN publisher.impressions i ON c.email_sha256 = i.email_sha256
WHERE c.user_id = 7 AND i.cost_usd > 1 AND lower(c.email_sha256) LIKE 'a%'
GROUP BY c.notes, hour(i.ts) LIMIT 5"""
    verdict = verdict_of({"sql": sql}, policies, tmp_path)
    found = {(f.code, f.column, f.at.line if f.at else None) for f in verdict.findings}
    assert {
        ("name.unknown", None, 1),
        ("column.blocked", "notes", 1),
        ("aggregate.not_allowed", "lifetime_value", 1),
        ("column.not_groupable", "ts", 4),
        ("column.not_filterable", "user_id", 3),
        ("column.not_filterable", "cost_usd", 3),
        ("column.not_filterable", "email_sha256", 3),
    } <= found
