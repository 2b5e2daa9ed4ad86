"""`cleanroom keys`, `secret` and `upgrade` at a terminal."""

from __future__ import annotations

import io
import json

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.domain.identifiers import PartnerName
from cleanroom.store import migration
from cleanroom.store.database import Database
from cleanroom.store.opened_secrets import stored_secret
from tests.cli.commands import Terminal


def _type(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def _kept(terminal: Terminal, partner: str = "retailer", name: str = "lake") -> str | None:
    home = open_home(terminal.home)
    try:
        return stored_secret(home.database, home.drawers.master_keys, PartnerName(partner), name)
    finally:
        home.close()


def test_keys_are_listed_and_never_shown(made: Terminal) -> None:
    keyring = json.loads((made.home / "master.key").read_text())
    (listed,) = json.loads(made("keys", "list", "--output", "json").out)
    assert (listed["id"], listed["in_force"]) == (keyring["keys"][0]["id"], True)
    text = made("keys", "list").everything
    assert listed["id"] in text
    assert keyring["keys"][0]["key"] not in text


def test_a_rotation_leaves_one_key_and_every_secret(made: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    _type(monkeypatch, "hunter2\n")
    assert made("secret", "set", "--partner", "retailer", "lake").code == 0
    before = json.loads(made("keys", "list", "--output", "json").out)[0]["id"]
    done = json.loads(made("keys", "rotate", "--output", "json").out)
    assert {**done, "key": ""} == {"key": "", "results": 0, "secrets": 1, "lost": 0}
    (listed,) = json.loads(made("keys", "list", "--output", "json").out)
    assert listed["id"] == done["key"] != before
    assert _kept(made) == "hunter2"
    assert "1 secrets" in made("keys", "rotate").out


def test_a_lost_key_is_told_with_what_to_run(made: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    _type(monkeypatch, "hunter2")
    made("secret", "set", "--partner", "retailer", "lake")
    (made.home / "master.key").unlink()
    for words in (("keys", "list"), ("secret", "list"), ("keys", "rotate"), ("audit", "verify"), ("upgrade",)):
        ran = made(*words)
        assert (ran.code, "keys.missing" in ran.err) == (4, True)
    assert "1 that no key opened are gone" in made("keys", "rotate", "--lost").out
    assert made("audit", "verify").code == 0
    assert json.loads(made("secret", "list", "--output", "json").out) == []


@pytest.mark.parametrize(("typed", "kept"), [("hunter2\n", "hunter2"), ("hunter2", "hunter2"), ("a\nb\n", "a\nb")])
def test_a_secret_is_read_from_standard_input(
    made: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str, kept: str
) -> None:
    _type(monkeypatch, typed)
    ran = made("secret", "set", "--partner", "retailer", "lake")
    assert ran.code == 0
    assert kept not in ran.everything
    assert _kept(made) == kept


@pytest.mark.parametrize("typed", ["", "\n", "x" * 8193, "a\0b"])
def test_what_is_no_secret_is_wrong_usage(made: Terminal, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    _type(monkeypatch, typed)
    assert made("secret", "set", "--partner", "retailer", "lake").code == 2
    assert _kept(made) is None


def test_a_secret_is_no_argument(made: Terminal) -> None:
    assert made("secret", "set", "--partner", "retailer", "lake", "hunter2").code == 2


@pytest.mark.parametrize("words", [("--partner", "Retailer", "lake"), ("--partner", "retailer", "LAKE"), ("lake",)])
def test_names_of_another_form_are_wrong_usage(
    made: Terminal, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    _type(monkeypatch, "hunter2")
    assert made("secret", "set", *words).code == 2


def test_secrets_are_listed_by_name_and_forgotten(made: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    _type(monkeypatch, "hunter2")
    made("secret", "set", "--partner", "retailer", "lake")
    (listed,) = json.loads(made("secret", "list", "--output", "json").out)
    assert (listed["partner"], listed["name"]) == ("retailer", "lake")
    assert "hunter2" not in made("secret", "list").everything
    assert made("secret", "remove", "--partner", "retailer", "lake").code == 0
    ran = made("secret", "remove", "--partner", "retailer", "lake")
    assert (ran.code, "name.unknown" in ran.err) == (2, True)


def test_a_home_of_an_earlier_version_says_what_to_run_and_is_upgraded(made: Terminal) -> None:
    database = Database(f"sqlite:///{made.home / 'cleanroom.db'}")
    with database.begin() as connection:
        migration.downgrade(connection, "0006")
    database.close()
    (made.home / "master.key").unlink()
    ran = made("audit", "verify")
    assert (ran.code, "cleanroom upgrade" in ran.err) == (4, True)
    for _ in range(2):
        assert made("upgrade").code == 0
    assert made("audit", "verify").code == 0
    assert len(json.loads(made("keys", "list", "--output", "json").out)) == 1
