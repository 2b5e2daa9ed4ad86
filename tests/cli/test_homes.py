"""`init` makes a home once; tokens are shown once and open what their roles say."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.domain.errors import NotAuthenticated
from cleanroom.domain.query import Role
from tests.cli.commands import Terminal

TOKEN = re.compile(r"crt_\w+")


def test_init_prints_an_admin_token_of_the_operator(terminal: Terminal) -> None:
    ran = terminal("init")
    assert ran.code == 0
    home = open_home(terminal.home)
    found = home.drawers.tokens.authenticate(ran.out.splitlines()[-1]).principal
    home.close()
    assert (found.partner, found.roles) == ("operator", {Role.ADMIN})


def test_init_names_another_partner_where_told(terminal: Terminal) -> None:
    assert terminal("init", "--partner", "retailer", "--output", "json").code == 0


def test_a_home_is_closed_to_others(terminal: Terminal) -> None:
    terminal("init")
    assert stat.S_IMODE(terminal.home.stat().st_mode) == 0o700


def test_a_second_init_changes_nothing_and_shows_no_token(terminal: Terminal) -> None:
    terminal("init")
    ran = terminal("init")
    assert ran.code == 4
    assert "home.exists" in ran.err
    assert not TOKEN.search(ran.everything)


def test_a_token_opens_what_its_roles_say(made: Terminal) -> None:
    ran = made(
        "token", "create", "--partner", "publisher", "--role", "analyst", "--role", "auditor", "--output", "json"
    )
    told = json.loads(ran.out)
    home = open_home(made.home)
    found = home.drawers.tokens.authenticate(told["token"]).principal
    home.close()
    assert found.roles == {Role.ANALYST, Role.AUDITOR}
    assert found.id == told["principal"]


def test_replace_ends_the_earlier_token_of_that_name(made: Terminal) -> None:
    words = ("token", "create", "--partner", "publisher", "--role", "analyst", "--name", "insights")
    first = made(*words).out.strip()
    second = made(*words, "--replace").out.strip()
    home = open_home(made.home)
    with pytest.raises(NotAuthenticated):
        home.drawers.tokens.authenticate(first)
    assert home.drawers.tokens.authenticate(second).principal.id == "publisher/insights"
    home.close()


@pytest.mark.parametrize(
    "words",
    [
        ("token", "create", "--partner", "publisher"),
        ("token", "create", "--partner", "publisher", "--role", "emperor"),
        ("token", "create", "--partner", "Pub lisher", "--role", "analyst"),
        ("token", "create", "--partner", "../publisher", "--role", "analyst"),
        ("token", "create", "--partner", "publisher", "--role", "analyst", "--name", "a/b"),
        ("init", "--partner", "x" * 100),
        ("nonsense",),
        ("token",),
    ],
)
def test_wrong_words_are_wrong_usage(terminal: Terminal, words: tuple[str, ...]) -> None:
    ran = terminal(*words)
    assert ran.code == 2
    assert "Traceback" not in ran.everything


@pytest.mark.parametrize(
    "words", [("token", "create", "--partner", "p", "--role", "analyst"), ("audit", "verify"), ("serve", "--port", "0")]
)
def test_without_a_home_the_way_to_one_is_named(terminal: Terminal, words: tuple[str, ...]) -> None:
    ran = terminal(*words)
    assert ran.code == 4
    assert "cleanroom init" in ran.err


def test_a_home_that_is_a_file_is_wrong_usage(terminal: Terminal) -> None:
    terminal.home.write_text("")
    ran = terminal("init")
    assert ran.code == 2
    assert "Traceback" not in ran.everything


def test_a_folder_that_cannot_be_made_is_told_without_a_traceback(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = Terminal(Path("/proc/no/such/home"), capsys)("init")
    assert ran.code == 4
    assert ran.err.startswith("error: The operating system refused: ")
