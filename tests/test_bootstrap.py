from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest

from cleanroom.bootstrap import SystemClock, init_home, open_home
from cleanroom.domain.errors import CleanroomError, Conflict, OperationError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role


def test_a_new_home_is_its_owners_alone_and_its_log_has_begun(tmp_path: Path) -> None:
    home = init_home(tmp_path / "a" / "home")
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((home.path / "log.key").stat().st_mode) == 0o600
    assert home.database.is_current()
    beside = {"cleanroom.db", "cleanroom.db-wal", "cleanroom.db-shm"}
    assert {f.name for f in home.path.iterdir()} >= beside
    assert {stat.S_IMODE((home.path / name).stat().st_mode) for name in beside} == {0o600}
    assert [e.event.kind.value for e in home.drawers.log.events()] == ["log.created"]
    assert home.drawers.log.verify().holds
    home.close()


def test_what_was_written_is_there_when_the_home_is_opened_again(tmp_path: Path) -> None:
    made = init_home(tmp_path)
    with made.database.begin() as transaction:
        token, _ = made.drawers.tokens.create(transaction, PartnerName("shop"), [Role.ANALYST], at=made.clock.now())
    made.close()
    again = open_home(tmp_path)
    assert again.drawers.tokens.authenticate(token).principal.roles == {Role.ANALYST}
    assert str(again.keys.public) == str(made.keys.public)
    assert again.drawers.log.verify().holds
    again.close()


def test_a_second_init_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    home = init_home(tmp_path)
    key = (tmp_path / "log.key").read_bytes()
    with pytest.raises(Conflict) as refused:
        init_home(tmp_path)
    assert refused.value.code == "home.exists"
    assert (tmp_path / "log.key").read_bytes() == key
    assert home.drawers.log.size() == 1
    home.close()


def test_an_init_that_was_interrupted_is_finished_by_the_next(tmp_path: Path) -> None:
    first = init_home(tmp_path / "first")
    first.close()
    for left in (tmp_path / "first").glob("cleanroom.db*"):
        left.unlink()  # the key was made, the log was not
    home = init_home(tmp_path / "first")
    assert home.drawers.log.size() == 1
    assert str(home.keys.public) == str(first.keys.public)
    home.close()


@pytest.mark.parametrize("url", [None, "nonsense", "mysql://x/y", "sqlite:////nowhere/at/all/x.db"])
def test_what_is_no_home_is_said_without_a_path(tmp_path: Path, url: str | None) -> None:
    with pytest.raises(OperationError) as refused:
        open_home(tmp_path / "nothing", url)
    assert refused.value.code == "home.missing"
    assert str(tmp_path) not in refused.value.message
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite:////nowhere/at/all/x.db"])
def test_a_database_that_cannot_be_is_an_error_with_a_code(tmp_path: Path, url: str) -> None:
    with pytest.raises(CleanroomError) as refused:
        init_home(tmp_path, url)
    assert refused.value.code.startswith("store.")
    assert "nowhere" not in refused.value.message


def test_two_homes_have_logs_of_different_names(tmp_path: Path) -> None:
    homes = [init_home(tmp_path / name) for name in "ab"]
    assert len({home.keys.name for home in homes}) == 2
    for home in homes:
        home.close()


def test_the_clock_is_utc() -> None:
    assert SystemClock().now().utcoffset() == datetime.timedelta(0)
