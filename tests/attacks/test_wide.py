"""A hostile analyst under wide rules, and a partner who plants a list: each query ends as its case says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.broker import judge_query
from cleanroom.documents import read_folder
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy
from tests.fixtures import CORPUS, request
from tests.rules.test_rules import merged

READ = YAML(typ="safe", pure=True)
CASES = READ.load((Path(__file__).parent / "cases_wide.yaml").read_text())

PLANTED = """
apiVersion: cleanroom/v1
kind: Connection
name: attacker-files
partner: attacker
type: files
options: {root: ../../data/attacker}
---
apiVersion: cleanroom/v1
kind: Dataset
name: attacker.list
connection: attacker-files
source: list.parquet
domain: audience
owner: data@attacker.example
description: One row per planted e-mail.
privacy_unit: id
unique: [id, email_sha256]
columns:
  id: {type: BIGINT, nullable: false}
  email_sha256: {type: VARCHAR, nullable: false}
  weight: {type: "DECIMAL(12,2)", nullable: false}
  mark: {type: VARCHAR, nullable: false}
---
apiVersion: cleanroom/v1
kind: AnalysisRule
dataset: attacker.list
collaboration: advanced
aggregation_threshold: {minimum: 2}
count_rows: true
query_runners: [publisher]
result_receivers: [publisher]
aggregate_arguments: expressions
per_unit_analysis: true
functions: [coalesce, least]
columns:
  id: {aggregate: [count, count_distinct]}
  email_sha256: {join: true}
  weight: {aggregate: [sum, avg, corr, covar, covar_pop], group: true, filter: true}
  mark: {group: true, filter: true}
joins:
  required: none
  kinds: [inner, left, semi, anti]
  with:
    - {dataset: retailer.customers, keys: {email_sha256: email_sha256}}
    - {dataset: publisher.impressions, keys: {email_sha256: email_sha256}}
"""

WELCOMED: dict[str, Any] = {
    "Collaboration advanced": {
        "members": [
            {"partner": "retailer", "abilities": ["contribute"]},
            {"partner": "publisher", "abilities": ["contribute", "query", "receive_results"]},
            {"partner": "attacker", "abilities": ["contribute"]},
        ]
    },
    "AnalysisRule retailer.customers": {
        "columns": {"lifetime_value": {"aggregate": ["sum", "avg", "stddev", "corr", "covar", "covar_pop"]}},
        "joins": {
            "with": [
                {"dataset": "retailer.orders", "keys": {"user_id": "user_id"}},
                {"dataset": "publisher.impressions", "keys": {"email_sha256": "email_sha256"}},
                {"dataset": "attacker.list", "keys": {"email_sha256": "email_sha256"}},
            ]
        },
    },
}
"""What the others' documents say where the planted list is let in."""

REPEATING: dict[str, Any] = {"Dataset attacker.list": {"unique": ["id"]}}


def policy_of(case: dict[str, Any], folder: Path) -> Policy:
    """The wide rules as the case has them, with the planted list where it is one of them."""
    documents = [
        d for f in ("datasets", "advanced") for d in READ.load_all((CORPUS / f"policies/advanced/{f}.yaml").read_text())
    ]
    changes = [case.get("change", {})]
    match case.get("policy"):
        case "list":
            documents += READ.load_all(PLANTED)
            changes.append(WELCOMED)
        case "repeating list":
            documents += READ.load_all(PLANTED)
            changes += [WELCOMED, REPEATING]
    for change in changes:
        documents = [merged(d, change.get(f"{d['kind']} {d.get('dataset') or d.get('name')}", {})) for d in documents]
    with (folder / "policy.yaml").open("w") as file:
        READ.dump_all(documents, file)
    policy = read_folder(folder).policy(CollaborationName("advanced"))
    assert policy is not None
    return policy


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_query_ends_as_its_case_says(case: dict[str, Any], tmp_path: Path) -> None:
    verdict = judge_query(request(case["sql"], "advanced"), policy_of(case, tmp_path))
    found = sorted({finding.code for finding in verdict.findings})
    assert found == ([] if case["expect"] == "approved" else sorted(case["expect"]))


def test_refusals_outnumber_approvals_by_far() -> None:
    approved = [case for case in CASES if case["expect"] == "approved"]
    assert len(CASES) > 10 * len(approved) > 0
