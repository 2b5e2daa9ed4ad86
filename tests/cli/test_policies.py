"""`apply`, `check` and `policy test`: what holds, what is refused, what is wrong and where."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cleanroom.bootstrap import open_home
from tests.cli.commands import POLICIES, Terminal

ALLOWED = (
    "SELECT i.campaign, COUNT(DISTINCT c.user_id) AS reach FROM publisher.impressions AS i "
    "JOIN retailer.customers AS c ON i.email_sha256 = c.email_sha256 GROUP BY i.campaign"
)
REFUSED = """\
SELECT c.notes, MAX(c.lifetime_value)
FROM retailer.customers AS c
JOIN publisher.impressions AS i ON c.email_sha256 = i.email_sha256
GROUP BY c.notes"""
WHERE = ("--collaboration", "retail-media", "--as", "publisher", "--sql")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample policies, to be changed."""
    copy = tmp_path / "policies" / "mine"
    shutil.copytree(POLICIES, copy)
    return copy


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")


def test_apply_says_what_it_made_and_a_second_time_that_nothing_changed(terminal: Terminal) -> None:
    terminal("init")
    first = terminal("apply", POLICIES, "--output", "json")
    assert {change["change"] for change in json.loads(first.out)} == {"created"}
    assert len(json.loads(first.out)) == 11
    assert json.loads(terminal("apply", POLICIES, "--output", "json").out) == []


def test_apply_replaces_what_changed_alone(made: Terminal, folder: Path) -> None:
    (folder / "root").mkdir()
    terminal_root = str(POLICIES.parent.parent / "sample_partners")
    for file in ("retailer.yaml", "publisher.yaml"):
        edit(folder, file, "../../sample_partners", terminal_root)
    edit(folder, "retailer.yaml", "row_filter: ", "row_filter: 'consent = FALSE' # ")
    assert made("apply", folder).out == "~ rule retail-media/retailer.customers replaced\n"


def test_apply_keeps_what_a_folder_omits_and_prune_removes_it(made: Terminal, folder: Path) -> None:
    (folder / "publisher.yaml").unlink()
    edit(folder, "retailer.yaml", "../../sample_partners", str(POLICIES.parent.parent / "sample_partners"))
    assert made("apply", folder).out.startswith("Nothing changed")
    (folder / "retail_media_test.yaml").unlink()
    edit(folder, "retailer.yaml", "    - {dataset: publisher.impressions, keys: {email_sha256: email_sha256}}\n", "")
    pruned = made("apply", folder, "--prune")
    assert "- dataset publisher.creatives removed\n" in pruned.out
    home = open_home(made.home)
    names = {dataset.name for dataset in home.drawers.policies.folder().datasets}
    home.close()
    assert names == {"retailer.customers", "retailer.orders"}


def test_apply_names_every_problem_with_file_and_line_and_changes_nothing(terminal: Terminal, folder: Path) -> None:
    terminal("init")
    edit(folder, "retailer.yaml", "minimum: 50", "minimum: none")
    edit(folder, "publisher.yaml", "required: none", "required: sometimes")
    edit(folder, "publisher.yaml", "type: files", "type: papyrus")
    ran = terminal("apply", folder)
    assert ran.code == 2
    lines = [line for line in ran.err.splitlines() if not line.startswith(" ")]
    assert len(lines) >= 4
    assert all(line.startswith(str(folder)) and ".yaml:" in line for line in lines)
    assert terminal("apply", POLICIES, "--output", "json").out.count("created") == 11


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("retailer.yaml", "consent = TRUE", "consent = "),
        ("retailer.yaml", "consent = TRUE", "payroll = TRUE"),
        ("retailer.yaml", "connection: retailer-lake", "connection: nowhere"),
        ("retailer.yaml", "  region: {group: true, filter: true}", "  regoin: {group: true, filter: true}"),
        ("publisher.yaml", "dataset: retailer.customers, keys", "dataset: retailer.custard, keys"),
        ("collaboration.yaml", "name: retail-media", "name: [retail-media"),
        ("collaboration.yaml", "kind: Collaboration", "kind: Agreement"),
    ],
)
def test_a_broken_document_has_a_place(terminal: Terminal, folder: Path, file: str, old: str, new: str) -> None:
    terminal("init")
    edit(folder, file, old, new)
    ran = terminal("apply", folder)
    assert ran.code == 2
    assert str(folder / file) in ran.err
    assert "Traceback" not in ran.everything


def test_an_apply_is_the_operators_act_in_the_log(made: Terminal) -> None:
    home = open_home(made.home)
    written = [e.event for e in home.drawers.log.events() if e.event.kind.endswith(".written")]
    home.close()
    assert len(written) == 11
    assert {(event.partner, event.principal) for event in written} == {(None, None)}


def test_check_approves_and_says_who_receives(terminal: Terminal) -> None:
    ran = terminal("check", POLICIES, *WHERE, ALLOWED)
    assert ran.code == 0
    assert ran.out == "approved; the answer goes to publisher\nGroups of fewer than 50 people are left out.\n"


def test_check_reads_the_dialect_that_it_is_told(terminal: Terminal) -> None:
    quoted = ALLOWED.replace("publisher.impressions", "`publisher.impressions`")
    assert terminal("check", POLICIES, *WHERE, quoted, "--dialect", "bigquery").code == 0
    assert terminal("check", POLICIES, *WHERE, quoted).code == 3
    assert terminal("check", POLICIES, *WHERE, quoted, "--dialect", "oracle").code == 2


def test_check_in_json_tells_what_the_answer_may_lack(terminal: Terminal) -> None:
    told = json.loads(terminal("check", POLICIES, *WHERE, ALLOWED, "--output", "json").out)
    assert [notice["code"] for notice in told["notices"]] == ["threshold.standing"]


def test_check_shows_a_query_that_would_be_accepted_and_it_is(terminal: Terminal) -> None:
    asked = ALLOWED.replace("AS reach", "AS reach, c.notes").replace(
        "GROUP BY i.campaign", "GROUP BY i.campaign, c.notes"
    )
    ran = terminal("check", POLICIES, *WHERE, asked)
    assert ran.code == 3
    shown = ran.out.partition("  this would be accepted:\n\n    ")[2].strip()
    assert "notes" not in shown
    assert terminal("check", POLICIES, *WHERE, shown).code == 0


def test_a_policy_test_holds_whether_or_not_something_else_would_be_accepted(terminal: Terminal) -> None:
    assert terminal("policy", "test", POLICIES).code == 0


def test_check_refuses_with_every_reason_a_caret_and_a_hint(terminal: Terminal) -> None:
    ran = terminal("check", POLICIES, *WHERE, REFUSED)
    assert ran.code == 3
    lines = ran.out.splitlines()
    place = lines.index("    1 | SELECT c.notes, MAX(c.lifetime_value)")
    assert lines[place + 1].strip("| ") == "^"
    assert {"column.blocked", "aggregate.not_allowed"} <= {line.split(":")[0].strip() for line in lines}
    assert "    hint: " in ran.out


def test_check_in_json_has_the_findings_of_the_server(terminal: Terminal) -> None:
    ran = terminal("check", POLICIES, *WHERE, REFUSED, "--output", "json")
    told = json.loads(ran.out)
    assert ran.code == 3
    assert not told["approved"]
    assert {"code", "message", "line", "position"} <= told["findings"][0].keys()


@pytest.mark.parametrize(
    "sql", ["", "SELECT", "DROP TABLE x", "SELECT '", "(" * 5000, "SELECT 1; SELECT 2", "\x00", "é" * 99]
)
def test_check_of_anything_is_a_verdict(terminal: Terminal, sql: str) -> None:
    ran = terminal("check", POLICIES, *WHERE, sql)
    assert ran.code == 3
    assert "refused, for" in ran.out
    assert "Traceback" not in ran.everything


@pytest.mark.parametrize(("collaboration", "partner"), [("nowhere", "publisher"), ("retail-media", "stranger")])
def test_no_such_collaboration_and_no_such_member_look_the_same(
    terminal: Terminal, collaboration: str, partner: str
) -> None:
    ran = terminal("check", POLICIES, "--collaboration", collaboration, "--as", partner, "--sql", ALLOWED)
    assert ran.code == 2
    assert ran.err == "error: There is no such collaboration. [name.unknown]\n"


def test_the_sample_policies_keep_their_own_tests(terminal: Terminal) -> None:
    ran = terminal("policy", "test", POLICIES, "--output", "json")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert sum(case["expected"] == "approved" for case in told) >= 6
    assert sum(case["expected"] != "approved" for case in told) >= 12


def test_a_policy_test_that_fails_names_case_and_place(terminal: Terminal, folder: Path) -> None:
    edit(folder, "retail_media_test.yaml", "expect: [column.not_filterable]", "expect: approved")
    ran = terminal("policy", "test", folder)
    assert ran.code == 4
    assert "retail_media_test.yaml:" in ran.out
    assert "choosing people by a measure" in ran.out
    assert "expected: approved" in ran.out
    assert "found:    column.not_filterable" in ran.out
