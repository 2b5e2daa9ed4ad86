"""`policy history`, `show` and `rollback`: what a document was, and that it can be so again only where that fits."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.domain.document import DocumentKey, key_of
from cleanroom.domain.events import Event
from cleanroom.domain.policy import AnalysisRule
from tests.cli.commands import POLICIES, Terminal
from tests.cli.test_planning import edit, folder, standing

__all__ = ["folder"]

RULE = "rule:retail-media/retailer.customers"
NAME = "retail-media/retailer.customers"


@pytest.fixture
def twice(made: Terminal, folder: Path) -> Terminal:
    """A home in which the rule of customers has two versions: at least 50 people, then 80."""
    edit(folder, "retailer.yaml", "minimum: 50", "minimum: 80")
    assert made("apply", folder).code == 0
    return made


def rule_of(terminal: Terminal) -> AnalysisRule:
    (found,) = (r for r in standing(terminal)[0].rules if key_of(r).name == NAME)
    return found


def last_event(terminal: Terminal) -> Event:
    home = open_home(terminal.home)
    try:
        return home.drawers.log.events(limit=10_000)[-1].event
    finally:
        home.close()


def test_history_lists_versions_the_newest_first(twice: Terminal) -> None:
    told = json.loads(twice("policy", "history", RULE, "--output", "json").out)
    assert [(v["version"], v["author"], v["current"]) for v in told] == [(2, None, True), (1, None, False)]
    assert all(v["digest"].startswith("sha256:") for v in told)
    shown = twice("policy", "history", RULE).out
    assert "the operator" in shown
    assert shown.count("current") == 1


def test_show_prints_a_document_that_a_folder_may_hold(twice: Terminal, folder: Path, tmp_path: Path) -> None:
    assert "minimum: 80" in twice("policy", "show", RULE).out
    first = twice("policy", "show", RULE, "--version", "1")
    assert "minimum: 50" in first.out
    (tmp_path / "shown").mkdir()
    (tmp_path / "shown" / "rule.yaml").write_text(first.out)
    assert twice("plan", tmp_path / "shown").out.count("minimum: 50") == 1


@pytest.mark.parametrize(
    "words",
    [
        ("history", "rule:retail-media/retailer.nothing"),
        ("show", "rule:retail-media/retailer.nothing"),
        ("show", RULE, "--version", "3"),
        ("rollback", RULE, "--to", "3"),
        ("rollback", "dataset:retailer.nothing", "--to", "1"),
    ],
)
def test_what_there_never_was_is_not_there(twice: Terminal, words: tuple[str, ...]) -> None:
    before = standing(twice)
    ran = twice("policy", *words)
    assert (ran.code, ran.err.rpartition("[")[2]) == (2, "name.unknown]\n")
    assert standing(twice) == before


@pytest.mark.parametrize("key", ["", ":", "rule", "rule:", "rules:x", "retail-media/retailer.customers", "test:x"])
def test_what_is_no_key_is_told_so(made: Terminal, key: str) -> None:
    ran = made("policy", "history", key)
    assert ran.code == 2
    assert "write kind:name" in ran.err


@pytest.mark.parametrize("version", ["0", "-1", "x", "99999999999999999999"])
def test_what_is_no_version_is_wrong_usage(made: Terminal, version: str) -> None:
    assert made("policy", "show", RULE, "--version", version).code == 2
    assert made("policy", "rollback", RULE, "--to", version).code == 2


def test_a_rollback_is_a_new_version_with_the_old_words_and_is_logged_as_one(twice: Terminal) -> None:
    assert (
        twice("policy", "rollback", RULE, "--to", "1").out == f"{RULE} says again what version 1 said, as version 3.\n"
    )
    assert rule_of(twice).minimum_units == 50
    event = last_event(twice)
    assert (event.kind.value, event.data["version"], event.data["rolled_back_to"]) == ("rule.written", 3, 1)
    assert (event.partner, event.principal) == (None, None)


def test_a_write_that_is_no_rollback_says_nothing_of_one(twice: Terminal) -> None:
    assert "rolled_back_to" not in last_event(twice).data


def test_a_rollback_to_what_holds_changes_nothing(twice: Terminal) -> None:
    before = standing(twice)
    assert twice("policy", "rollback", RULE, "--to", "2").out.startswith("Nothing changed")
    assert standing(twice) == before


def test_a_version_that_no_longer_fits_is_refused_with_every_problem(twice: Terminal, folder: Path) -> None:
    text = (folder / "retailer.yaml").read_text()
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("region:")]
    (folder / "retailer.yaml").write_text("\n".join(kept) + "\n")
    (folder / "retail_media_test.yaml").unlink()
    applied = twice("apply", folder)
    assert applied.code == 0, applied.err
    before = standing(twice)
    ran = twice("policy", "rollback", RULE, "--to", "1")
    assert ran.code == 2
    assert "`region` is not a column" in ran.err
    assert all(line.startswith((RULE, " ")) for line in ran.err.splitlines())
    assert standing(twice) == before


def test_a_rollback_of_a_dataset_that_a_rule_no_longer_fits_names_the_rule(twice: Terminal, folder: Path) -> None:
    text = (folder / "retailer.yaml").read_text().replace("  region:", "  place:", 1)
    (folder / "retailer.yaml").write_text(text.replace("  region:", "  place:", 1))
    (folder / "retail_media_test.yaml").unlink()
    applied = twice("apply", folder)
    assert applied.code == 0, applied.err
    ran = twice("policy", "rollback", "dataset:retailer.customers", "--to", "1")
    assert ran.code == 2
    assert RULE in ran.err


def test_a_removed_document_holds_again_after_a_rollback(twice: Terminal) -> None:
    home = open_home(twice.home)
    with home.database.begin() as transaction:
        home.drawers.policies.remove(transaction, DocumentKey("rule", NAME), author=None, at=home.clock.now())
    home.close()
    assert "None of them holds" in twice("policy", "history", RULE).out
    assert twice("policy", "show", RULE).code == 2
    assert twice("policy", "rollback", RULE, "--to", "2").code == 0
    assert rule_of(twice).minimum_units == 80


def test_a_removed_document_whose_dataset_is_gone_stays_removed(twice: Terminal) -> None:
    home = open_home(twice.home)
    with home.database.begin() as transaction:
        for key in (DocumentKey("rule", NAME), DocumentKey("dataset", "retailer.customers")):
            home.drawers.policies.remove(transaction, key, author=None, at=home.clock.now())
    home.close()
    ran = twice("policy", "rollback", RULE, "--to", "1")
    assert ran.code == 2
    assert "there is no dataset `retailer.customers`" in ran.err


def test_what_was_wrong_with_other_documents_before_does_not_stand_in_the_way(twice: Terminal, tmp_path: Path) -> None:
    home = open_home(twice.home)
    with home.database.begin() as transaction:
        for key in (DocumentKey("rule", "retail-media/retailer.orders"), DocumentKey("dataset", "retailer.orders")):
            home.drawers.policies.remove(transaction, key, author=None, at=home.clock.now())
    home.close()
    only = tmp_path / "only"
    only.mkdir()
    shutil.copy(POLICIES / "collaboration.yaml", only)
    assert twice("apply", only).code == 0
