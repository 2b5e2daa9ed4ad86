"""`policy what-if`: the queries that were asked, judged again as if a folder were applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId, QueryId
from cleanroom.domain.query import Principal, QueryRequest, Role, everywhere
from tests.cli.commands import Terminal
from tests.cli.test_planning import edit, folder, standing
from tests.cli.test_policies import ALLOWED

__all__ = ["folder"]

BY_REGION = ALLOWED.replace("i.campaign", "c.region")
BLOCKED = ALLOWED.replace("i.campaign", "c.notes")


@pytest.fixture
def asked(made: Terminal) -> Terminal:
    """A home in which the publisher asked three queries, of which one was refused."""
    home = open_home(made.home)
    publisher = PartnerName("publisher")
    analyst = Principal(PrincipalId("publisher/ann"), publisher, everywhere(Role.ANALYST))
    for name, sql in (("one", ALLOWED), ("two", BY_REGION), ("three", BLOCKED)):
        request = QueryRequest(
            QueryId(name), CollaborationName("retail-media"), analyst, sql, "duckdb", home.clock.now()
        )
        home.broker.submit(request)
    home.close()
    return made


def what_if(terminal: Terminal, folder: Path, *words: str) -> Any:
    ran = terminal("policy", "what-if", folder, "--collaboration", "retail-media", "--output", "json", *words)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_what_a_tighter_rule_would_refuse_is_told_with_its_codes(asked: Terminal, folder: Path) -> None:
    edit(folder, "retailer.yaml", "  region: {group: true, filter: true}", "  region: {filter: true}")
    before = standing(asked)
    told = what_if(asked, folder)
    assert [(q["id"], q["codes"], q["sql"]) for q in told["newly_refused"]] == [
        ("two", ["column.not_groupable"], BY_REGION)
    ]
    assert (told["asked"], told["replayed"], told["unchanged"], told["newly_accepted"]) == (3, 3, 2, [])
    assert standing(asked) == before


def test_the_folder_that_holds_changes_nothing(asked: Terminal, folder: Path) -> None:
    told = what_if(asked, folder)
    assert (told["unchanged"], told["complete"]) == (3, True)


def test_only_as_many_as_asked_for_are_judged_the_newest_first(asked: Terminal, folder: Path) -> None:
    edit(folder, "retailer.yaml", "  region: {group: true, filter: true}", "  region: {filter: true}")
    assert what_if(asked, folder, "--last", "1")["newly_refused"] == []
    assert len(what_if(asked, folder, "--last", "2")["newly_refused"]) == 1


def test_without_time_nothing_is_judged_and_that_is_said(asked: Terminal, folder: Path) -> None:
    told = what_if(asked, folder, "--within", "0")
    assert (told["asked"], told["replayed"], told["complete"]) == (3, 0, False)
    ran = asked("policy", "what-if", folder, "--collaboration", "retail-media", "--within", "0")
    assert "0 of 3 queries judged" in ran.out
    assert "Time ran out" in ran.out


def test_in_words_it_names_query_runner_and_reason(asked: Terminal, folder: Path) -> None:
    edit(folder, "retailer.yaml", "  region: {group: true, filter: true}", "  region: {filter: true}")
    shown = asked("policy", "what-if", folder, "--collaboration", "retail-media").out
    assert "- two of publisher, " in shown
    assert "column.not_groupable" in shown
    assert shown.endswith("3 of 3 queries judged: 1 newly refused, 0 newly accepted, 2 unchanged.\n")


@pytest.mark.parametrize("words", [("--last", "0"), ("--last", "1001"), ("--within", "-1")])
def test_bounds_are_kept(asked: Terminal, folder: Path, words: tuple[str, str]) -> None:
    assert asked("policy", "what-if", folder, "--collaboration", "retail-media", *words).code == 2


def test_a_collaboration_that_is_not_there_is_told_so(asked: Terminal, folder: Path) -> None:
    ran = asked("policy", "what-if", folder, "--collaboration", "nowhere")
    assert (ran.code, ran.err) == (2, "error: There is no such collaboration. [name.unknown]\n")
