"""Templates and parameters on the command line: `check --param`, `check --template`, policy tests of templates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.commands import POLICIES, Terminal

TEMPLATE = """
---
apiVersion: cleanroom/v1
kind: Template
name: by-campaign
collaboration: retail-media
partner: publisher
sql: SELECT campaign, COUNT(*) AS n FROM publisher.impressions WHERE campaign = :campaign AND ts >= :since GROUP BY campaign
parameters:
  campaign: {type: VARCHAR, values: [spring, summer]}
  since: {type: DATE, minimum: 2026-01-01}
approvals: [publisher]
---
apiVersion: cleanroom/v1
kind: PolicyTest
collaboration: retail-media
cases:
  - name: asked
    as: publisher
    template: by-campaign
    parameters: {campaign: spring, since: 2026-02-01}
    expect: approved
  - name: too early
    as: publisher
    template: by-campaign
    parameters: {campaign: spring, since: 2025-12-31}
    expect: [parameter.invalid]
  - {name: nothing given, as: publisher, template: by-campaign, expect: [parameter.missing]}
  - {name: not there, as: publisher, template: by-campaigns, expect: [name.unknown]}
  - name: text
    as: publisher
    sql: SELECT COUNT(*) AS n FROM publisher.impressions WHERE campaign = :c
    parameters: {c: spring}
    expect: approved
"""
ASKED = ("--collaboration", "retail-media", "--as", "publisher")
SQL = "SELECT campaign, COUNT(*) AS n FROM publisher.impressions WHERE campaign = :c GROUP BY campaign"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample policies with a template."""
    copied = tmp_path / "policies"
    shutil.copytree(POLICIES, copied)
    (copied / "template.yaml").write_text(TEMPLATE)
    return copied


def test_a_template_is_checked_with_its_values(terminal: Terminal, folder: Path) -> None:
    given = ("--template", "by-campaign", "--param", "campaign=spring", "--param", "since=2026-01-01")
    assert terminal("check", folder, *ASKED, *given).code == 0
    text = (folder / "template.yaml").read_text().replace("approvals: [publisher]\n", "")
    (folder / "template.yaml").write_text(text)
    refused = terminal("check", folder, *ASKED, *given)
    assert refused.code == 3
    assert "template.not_approved" in refused.out


def test_a_statement_is_checked_with_its_values(terminal: Terminal, folder: Path) -> None:
    assert terminal("check", folder, *ASKED, "--sql", SQL, "--param", "c=spring' OR 'x' = 'x").code == 0
    assert terminal("check", folder, *ASKED, "--sql", SQL, "--param", "c=5").code == 3
    assert terminal("check", folder, *ASKED, "--sql", SQL, "--param", 'c="5"').code == 0


@pytest.mark.parametrize(
    "given",
    [
        (),
        ("--sql", SQL),
        ("--sql", SQL, "--param", "c"),
        ("--sql", SQL, "--param", "=spring"),
        ("--sql", SQL, "--param", "c=1", "--param", "c=2"),
        ("--sql", SQL, "--param", "c=x", "--param", "d=x"),
        ("--sql", SQL, "--template", "by-campaign", "--param", "c=x"),
        ("--template", "nothing"),
        ("--template", "by-campaign", "--param", "campaign=autumn", "--param", "since=2026-01-01"),
        ("--template", "by-campaign", "--param", "campaign=spring", "--param", "since=20260101"),
    ],
)
def test_a_question_that_is_none_is_told_and_refused(terminal: Terminal, folder: Path, given: tuple[str, ...]) -> None:
    ran = terminal("check", folder, *ASKED, *given)
    assert ran.code == 2
    assert "Traceback" not in ran.everything
    assert "autumn" not in ran.everything


def test_policy_tests_ask_templates_too(terminal: Terminal, folder: Path) -> None:
    ran = terminal("policy", "test", folder)
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (":campaign AND", ":camp AND", "template.yaml:8: [policy.missing_key]"),
        ("impressions WHERE campaign", "impressions WHERE payroll", "template.yaml:8: [name.unknown]"),
        ("minimum: 2026-01-01", "minimum: soon", "template.yaml:11: [policy.invalid_value]"),
        ("approvals: [publisher]", "approvals: [retailer]", "template.yaml:12: [policy.not_permitted]"),
        ("partner: publisher", "partner: stranger", "template.yaml:7: [policy.unknown_name]"),
        (
            "collaboration: retail-media\npartner",
            "collaboration: nowhere\npartner",
            "template.yaml:6: [policy.unknown_name]",
        ),
        ("template: by-campaigns, ", "", "template.yaml [policy.invalid_value]"),
    ],
)
def test_what_is_wrong_with_a_template_has_a_place(
    terminal: Terminal, folder: Path, old: str, new: str, told: str
) -> None:
    file = folder / "template.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    ran = terminal("policy", "test", folder)
    assert ran.code == 2
    place, code = told.split(" ")
    assert any(place in line and code in line for line in ran.err.splitlines()), ran.err


def test_an_applied_template_is_a_document_of_the_home(terminal: Terminal, folder: Path) -> None:
    assert terminal("init").code == 0
    assert "template retail-media/by-campaign created" in terminal("apply", folder).out
    assert "template" not in terminal("apply", folder).out
    (folder / "template.yaml").unlink()
    assert "template retail-media/by-campaign removed" in terminal("apply", folder, "--prune").out
