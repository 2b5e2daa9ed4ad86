"""What came of policy tests → JUnit XML, as build servers read it: a testsuite a file, a failure with every finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cleanroom.cli.showing import finding_lines
from cleanroom.cli.verdicts import Outcome

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


def junit_xml(outcomes: Iterable[Outcome]) -> bytes:
    """The outcomes as a UTF-8 document. Cases keep their order; files are sorted."""
    found = sorted(outcomes, key=lambda outcome: outcome.file)
    root = Element("testsuites", {"name": "cleanroom policy test", **_counts(found)})
    for file, cases in groupby(found, key=lambda outcome: outcome.file):
        _suite(root, file, tuple(cases))
    indent(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(root: Element, file: str, cases: Sequence[Outcome]) -> None:
    suite = SubElement(root, "testsuite", {"name": _text(file), **_counts(cases)})
    for outcome in cases:
        case = outcome.case
        about = {
            "classname": _text(file),
            "name": _text(case.name),
            "file": _text(file),
            "line": str(case.line),
            "time": "0",
        }
        element = SubElement(suite, "testcase", about)
        if not outcome.passed:
            _failure(element, outcome)


def _failure(element: Element, outcome: Outcome) -> None:
    expected = ", ".join(outcome.case.expect or ("approved",))
    found = ", ".join(outcome.codes) or "approved"
    failure = SubElement(
        element, "failure", {"type": "verdict", "message": _text(f"expected {expected}; found {found}")}
    )
    lines = finding_lines(outcome.findings, outcome.case.sql)
    failure.text = _text("\n".join((f"expected: {expected}", f"found:    {found}", *lines)))


def _counts(outcomes: Sequence[Outcome]) -> dict[str, str]:
    failures = sum(not outcome.passed for outcome in outcomes)
    return {"tests": str(len(outcomes)), "failures": str(failures), "errors": "0", "skipped": "0", "time": "0"}


def _text(text: str) -> str:
    """The text without characters that no XML document can hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
