"""Policy tests as build servers read them."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from cleanroom.cli.junit import junit_xml
from cleanroom.cli.verdicts import Outcome
from cleanroom.client import Finding
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import PolicyTestCase
from tests.cli.commands import POLICIES, Terminal

_COUNTS = {"tests", "failures", "errors", "skipped", "time"}


def outcome(name: str = "a case", *codes: str, file: str = "a_test.yaml", sql: str = "SELECT 1") -> Outcome:
    """A case that expects approval, and what was found."""
    case = PolicyTestCase(name, PartnerName("publisher"), sql, None, line=3)
    return Outcome(file, case, codes, tuple(Finding(code, f"because of {name}") for code in codes))


def read(document: bytes) -> Element:
    """The document, which has the shape that build servers expect."""
    root = ElementTree.fromstring(document)
    assert root.tag == "testsuites"
    assert set(root.attrib) >= _COUNTS
    for suite in root:
        assert (suite.tag, set(suite.attrib) >= _COUNTS | {"name"}) == ("testsuite", True)
        for case in suite:
            assert case.tag == "testcase"
            assert set(case.attrib) >= {"name", "classname", "time"}
            assert [child.tag for child in case] in ([], ["failure"])
            assert all(set(failure.attrib) >= {"message", "type"} for failure in case)
        assert suite.get("tests") == str(len(suite))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
    for count in ("tests", "failures"):
        assert root.get(count) == str(sum(int(suite.get(count, "")) for suite in root))
    return root


def test_each_file_is_a_suite_and_each_case_is_in_it() -> None:
    root = read(junit_xml([outcome("b", file="b.yaml"), outcome("a", file="a.yaml"), outcome("c", file="b.yaml")]))
    assert [(s.get("name"), [c.get("name") for c in s]) for s in root] == [("a.yaml", ["a"]), ("b.yaml", ["b", "c"])]


def test_a_failure_says_what_was_expected_what_was_found_and_every_finding() -> None:
    root = read(junit_xml([outcome("one", "column.blocked", "join.required")]))
    (failure,) = root.iter("failure")
    assert failure.get("message") == "expected approved; found column.blocked, join.required"
    assert "column.blocked: because of one" in str(failure.text)
    assert "join.required: because of one" in str(failure.text)


def test_no_test_at_all_is_still_a_document() -> None:
    assert read(junit_xml([])).get("tests") == "0"


@pytest.mark.parametrize(
    "text",
    ["<b>&\"'", "]]>", "\x00\x08\x1b[2J", "\ufffe\uffff", "line\nbreak\ttab", "é 漢 \U0001f600", "<!--", "\ud800"],
)
def test_whatever_a_case_is_called_and_asks_the_document_can_be_read(text: str) -> None:
    root = read(junit_xml([outcome(f"x{text}x", "sql.syntax", file=f"{text}.yaml", sql=text)]))
    (case,) = root.iter("testcase")
    assert str(case.get("name")).startswith("x")
    assert str(case.get("name")).endswith("x")


def test_the_command_writes_the_file_whether_or_not_all_hold(terminal: Terminal, tmp_path: Path) -> None:
    folder, file = tmp_path / "policies" / "mine", tmp_path / "junit.xml"
    shutil.copytree(POLICIES, folder)
    assert terminal("policy", "test", folder, "--junit", file).code == 0
    held = read(file.read_bytes())
    assert held.get("failures") == "0"
    assert int(held.get("tests", "")) >= 18
    test = folder / "retail_media_test.yaml"
    test.write_text(test.read_text().replace("expect: [column.not_filterable]", "expect: approved", 1))
    assert terminal("policy", "test", folder, "--junit", file).code == 4
    (failure,) = read(file.read_bytes()).iter("failure")
    assert failure.get("message") == "expected approved; found column.not_filterable"


def test_a_case_is_read_in_the_dialect_that_it_names(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "policies" / "mine"
    shutil.copytree(POLICIES, folder)
    case = """
apiVersion: cleanroom/v1
kind: PolicyTest
collaboration: retail-media
cases:
  - name: how many members read
    as: publisher
    dialect: {dialect}
    sql: |
      SELECT COUNT(DISTINCT c.user_id) AS people FROM `retailer.customers` AS c
      JOIN `publisher.impressions` AS i ON c.email_sha256 = i.email_sha256
    expect: approved
"""
    for dialect, code in (("bigquery", 0), ("duckdb", 4), ("oracle", 2)):
        (folder / "dialect_test.yaml").write_text(case.format(dialect=dialect))
        assert terminal("policy", "test", folder).code == code
