"""What is shown has its place, its alignment, and nothing that steers a terminal."""

from __future__ import annotations

import pytest

from cleanroom.cli.showing import finding_json, finding_lines, result_text
from cleanroom.client import Finding, Notice, Result


def lines(finding: Finding, sql: str) -> list[str]:
    return list(finding_lines([finding], sql))


def test_the_caret_stands_under_the_place() -> None:
    shown = lines(Finding("a.b", "No.", line=2, position=8, hint="Yes."), "SELECT\nregion, notes")
    assert shown == ["", "    2 | region, notes", "      |        ^", "  a.b: No.", "    hint: Yes."]


def test_tabs_do_not_move_the_caret() -> None:
    shown = lines(Finding("a.b", "No.", line=1, position=3), "\t\tnotes")
    assert shown[1].index("n") == shown[2].index("^")


def test_what_would_be_accepted_is_shown_once_for_all_findings_and_cannot_steer_the_terminal() -> None:
    findings = [Finding("a.b", "No.", rewrite="SELECT 1\nFROM x"), Finding("c.d", "No.", rewrite="SELECT 1\nFROM x")]
    shown = list(finding_lines(findings, "SELECT 2"))
    assert shown[4:] == ["", "  this would be accepted:", "", "    SELECT 1", "    FROM x"]
    assert lines(Finding("a.b", "No.", rewrite="SELECT '\x1b[2J'"), "")[-1] == "    SELECT '\ufffd[2J'"


def test_what_an_answer_may_lack_stands_below_it() -> None:
    notices = [Notice("a.b", "Groups are left out.")]
    assert result_text(Result((("n", "BIGINT"),), ((1,),)), notices).endswith("(1 row)\nGroups are left out.\n")


@pytest.mark.parametrize("line", [None, 0, 7])
def test_a_finding_without_a_place_in_the_text_is_shown_without_one(line: int | None) -> None:
    assert lines(Finding("a.b", "No.", line=line, position=1), "SELECT 1") == ["", "  a.b: No."]


def test_findings_come_in_the_order_of_their_places() -> None:
    late, early, nowhere = (
        Finding("late", "", line=2, position=1),
        Finding("early", "", line=1, position=9),
        Finding("x", ""),
    )
    shown = [line for line in finding_lines([late, early, nowhere], "a\nb") if line.endswith(": ")]
    assert shown == ["  x: ", "  early: ", "  late: "]


def test_only_line_feeds_end_a_line_as_in_the_findings() -> None:
    assert lines(Finding("a.b", "", line=2, position=1), "SELECT\u2028\x0c 1,\n2")[1] == "    2 | 2"


def test_numbers_stand_right_texts_left_and_null_is_said() -> None:
    text = result_text(Result((("region", "VARCHAR"), ("n", "BIGINT")), (("north", 12), (None, None))))
    assert text.splitlines() == ["region      n", "─────────────", "north      12", "NULL     NULL", "(2 rows)"]


def test_one_row_is_one_row() -> None:
    assert result_text(Result((("n", "BIGINT"),), ((1,),))).endswith("(1 row)\n")


@pytest.mark.parametrize("evil", ["\x1b[2J", "a\nb", "a\rb", "\x9b31m", "\u202eabc", "[bold]x[/bold]", "\x07"])
def test_a_text_of_somebody_elses_cannot_steer_the_terminal(evil: str) -> None:
    text = result_text(Result(((evil, "VARCHAR"),), ((evil,),)))
    assert len(text.splitlines()) == 4
    assert all(character.isprintable() or character == "\n" for character in text)
    assert evil not in text or evil.isprintable()


def test_absent_parts_of_a_finding_are_left_out_of_json() -> None:
    assert finding_json(Finding("a.b", "No.", line=1)) == {"code": "a.b", "message": "No.", "line": 1}
