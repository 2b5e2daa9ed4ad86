"""`plan` and `apply --plan`: what would change is shown, and nothing else is what changes."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.cli.application import apply_folder
from cleanroom.cli.plan_file import FORMAT, PlanFile, read_plan, write_plan
from cleanroom.domain.errors import Conflict, InvalidInput
from cleanroom.domain.policy import PolicyFolder
from tests.cli.commands import POLICIES, PROJECT, Terminal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sample policies whose roots are those of the samples, to be changed."""
    copy = tmp_path / "policies" / "mine"
    shutil.copytree(POLICIES, copy)
    for file in ("retailer.yaml", "publisher.yaml"):
        edit(copy, file, "../../sample_partners", str(PROJECT / "sample_partners"))
    return copy


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def tightened(folder: Path, minimum: int = 80) -> Path:
    edit(folder, "retailer.yaml", "minimum: 50", f"minimum: {minimum}")
    return folder


def standing(terminal: Terminal) -> tuple[PolicyFolder, int]:
    """All that holds, and how many events there are."""
    home = open_home(terminal.home)
    try:
        return home.drawers.policies.folder(), home.drawers.log.size()
    finally:
        home.close()


def test_nothing_to_change_is_exit_0_and_something_6(made: Terminal, folder: Path) -> None:
    same = made("plan", folder)
    assert (same.code, same.out) == (0, "Nothing would change: the home holds these documents already.\n")
    assert made("plan", tightened(folder)).code == 6


def test_a_plan_shows_each_change_as_a_diff_and_changes_nothing(made: Terminal, folder: Path) -> None:
    before = standing(made)
    shown = made("plan", tightened(folder)).out
    assert "~ rule retail-media/retailer.customers replaced\n" in shown
    assert "    -  minimum: 50\n    +  minimum: 80\n" in shown
    assert standing(made) == before


def test_a_first_plan_shows_what_is_created_and_the_roots_that_would_be_admitted(terminal: Terminal) -> None:
    terminal("init")
    ran = terminal("plan", POLICIES, "--output", "json")
    changes = json.loads(ran.out)["changes"]
    assert ran.code == 6
    assert {c["change"] for c in changes} == {"created", "admitted"}
    assert sorted(c["name"].partition(":")[0] for c in changes if c["kind"] == "root") == ["publisher", "retailer"]
    assert sum(c["change"] == "created" for c in changes) == 11


def test_only_a_plan_that_prunes_shows_what_would_be_removed(made: Terminal, folder: Path) -> None:
    (folder / "retail_media_test.yaml").unlink()
    (folder / "publisher.yaml").unlink()
    edit(folder, "retailer.yaml", "    - {dataset: publisher.impressions, keys: {email_sha256: email_sha256}}\n", "")
    assert "removed" not in made("plan", folder).out
    assert "- dataset publisher.creatives removed\n" in made("plan", folder, "--prune").out


def test_a_wrong_folder_is_told_with_places_not_planned(made: Terminal, folder: Path) -> None:
    edit(folder, "retailer.yaml", "minimum: 50", "minimum: none")
    ran = made("plan", folder)
    assert ran.code == 2
    assert str(folder / "retailer.yaml") in ran.err


def test_a_secret_written_by_mistake_is_nowhere_in_what_is_said(made: Terminal, folder: Path, tmp_path: Path) -> None:
    edit(folder, "retailer.yaml", "type: files", "type: files\nsecret: hunter2-planted")
    for words in (("plan", folder, "--out", tmp_path / "p"), ("apply", folder)):
        ran = made(*words)
        assert ran.code == 2
        assert "hunter2" not in ran.everything
    assert not (tmp_path / "p").exists()


@pytest.fixture
def planned(made: Terminal, folder: Path, tmp_path: Path) -> Path:
    """A plan that tightens a rule."""
    assert made("plan", tightened(folder), "--out", tmp_path / "p.json").code == 6
    return tmp_path / "p.json"


def refused(terminal: Terminal, folder: Path, plan: Path) -> str:
    """The code with which an apply of the plan is refused; nothing changed."""
    before = standing(terminal)
    ran = terminal("apply", folder, "--plan", plan)
    assert ran.code in (2, 4)
    assert "Traceback" not in ran.everything
    assert standing(terminal) == before
    return ran.err.rpartition("[")[2].strip().rstrip("]") if ran.code == 4 else ran.err


def test_what_was_planned_is_what_is_applied(made: Terminal, folder: Path, planned: Path) -> None:
    ran = made("apply", folder, "--plan", planned)
    assert (ran.code, ran.out) == (0, "~ rule retail-media/retailer.customers replaced\n")
    assert made("plan", folder).code == 0


def test_a_plan_is_for_its_owners_eyes(planned: Path) -> None:
    assert stat.S_IMODE(planned.stat().st_mode) == 0o600


def test_a_plan_is_applied_once(made: Terminal, folder: Path, planned: Path) -> None:
    made("apply", folder, "--plan", planned)
    assert refused(made, folder, planned) == "policy.moved"


def test_a_plan_is_refused_once_somebody_else_changed_something(
    made: Terminal, folder: Path, planned: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / "mine"
    shutil.copytree(folder, other)
    edit(other, "publisher.yaml", "minimum: 50", "minimum: 60")
    assert made("apply", other).code == 0
    assert refused(made, folder, planned) == "policy.moved"


def test_a_plan_is_refused_where_a_root_was_admitted_since(terminal: Terminal, folder: Path, tmp_path: Path) -> None:
    terminal("init")
    terminal("plan", folder, "--out", tmp_path / "p.json")
    home = open_home(terminal.home)
    with home.database.begin() as transaction:
        root = str((PROJECT / "sample_partners" / "retailer").resolve())
        assert home.drawers.roots.admit(transaction, "retailer", root, at=home.clock.now())  # type: ignore[arg-type]
    home.close()
    assert refused(terminal, folder, tmp_path / "p.json") == "policy.moved"


def test_a_plan_of_another_folder_is_refused(made: Terminal, folder: Path, planned: Path) -> None:
    edit(folder, "retailer.yaml", "minimum: 80", "minimum: 20")
    assert refused(made, folder, planned) == "policy.plan_differs"
    assert refused(made, POLICIES, planned) == "policy.plan_differs"


def test_a_plan_of_another_home_is_refused_even_where_it_holds_the_same(
    made: Terminal, folder: Path, planned: Path, tmp_path: Path
) -> None:
    other = Terminal(tmp_path / "second", made.capture)
    other("init")
    other("apply", POLICIES)
    assert refused(other, folder, planned) == "policy.plan_differs"


def test_a_plan_that_was_edited_is_refused(made: Terminal, folder: Path, planned: Path) -> None:
    said = json.loads(planned.read_text())
    said["changes"][0]["diff"] = said["changes"][0]["diff"].replace("+  minimum: 80", "+  minimum: 20")
    planned.write_text(json.dumps(said))
    assert refused(made, folder, planned) == "policy.moved"


def test_what_is_no_plan_is_told_so(made: Terminal, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_bytes(b"{}")
    assert "[policy.plan_unreadable]" in refused(made, folder, tmp_path / "p.json")


WHOLE: dict[str, Any] = {"format": FORMAT, "home": "h", "state": "s", "folder": "f", "prune": False, "changes": []}


def test_a_plan_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    plan = PlanFile("h", "s", "f", prune=True, changes=[{"diff": "é\ud800"}])
    write_plan(tmp_path / "p", plan)
    assert read_plan(tmp_path / "p") == plan


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe", b"null", b"[]", b"{}", b"[" * 100_000, b"1" * 5000, b'{"format": []}'),
        *(json.dumps({**WHOLE, key: value}).encode() for key in WHOLE for value in (None, 1, {"a": 1})),
        *(json.dumps({k: v for k, v in WHOLE.items() if k != key}).encode() for key in WHOLE),
        json.dumps({**WHOLE, "more": 1}).encode(),
    ],
    ids=lambda content: content[:40].decode("latin-1"),
)
def test_anything_else_is_no_plan(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    with pytest.raises(InvalidInput) as refusal:
        read_plan(tmp_path / "p")
    assert refusal.value.problems[0].code == "policy.plan_unreadable"


def test_prune_is_the_plans_to_say(made: Terminal, folder: Path, planned: Path) -> None:
    assert made("apply", folder, "--prune", "--plan", planned).code == 2


def at_once(*acts: Callable[[], None]) -> None:
    """All of them begin together and have ended."""
    barrier = threading.Barrier(len(acts))
    threads = [threading.Thread(target=lambda act=act: (barrier.wait(60), act())) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()


def test_two_applies_at_once_follow_one_another(made: Terminal, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "mine"
    shutil.copytree(folder, other)
    for path, minimum in ((folder, 70), (other, 90)):
        edit(tightened(path, minimum), "publisher.yaml", "minimum: 50", f"minimum: {minimum}")
    done = list[int]()

    def applied(path: Path) -> None:
        home = open_home(made.home)
        done.append(len(apply_folder(home, path, prune=True).documents))
        home.close()

    for _ in range(3):
        at_once(lambda: applied(folder), lambda: applied(other))
        minimums = {rule.minimum_units for rule in standing(made)[0].rules if rule.minimum_units in (70, 90)}
        assert len(minimums) == 1
    assert len(done) == 6


def test_of_two_applies_of_one_plan_one_is_refused(made: Terminal, folder: Path, planned: Path) -> None:
    codes = list[str]()

    def run() -> None:
        home = open_home(made.home)
        try:
            apply_folder(home, folder, prune=False, plan=read_plan(planned))
            codes.append("applied")
        except Conflict as refusal:
            codes.append(refusal.code)
        finally:
            home.close()

    at_once(run, run)
    assert sorted(codes) == ["applied", "policy.moved"]
