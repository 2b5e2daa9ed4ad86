"""However and whenever processes are killed: no acknowledged query is lost, none runs twice, none is told of wrongly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.api.test_server import free_port
from tests.campaign import Outcome, campaign
from tests.conftest import NewDatabase
from tests.executor.homes import make_room


def run(
    folder: Path, database_url: str | None = None, *, seed: int, kills: int, within_s: float, pause_s: float
) -> Outcome:
    room = make_room(folder, url=database_url)
    try:
        return campaign(
            room,
            free_port(),
            folder / "log",
            seed=seed,
            kills=kills,
            within_s=within_s,
            pause_s=pause_s,
        )
    finally:
        room.home.close()


def test_a_dozen_kills_leave_nothing_untrue(tmp_path: Path) -> None:
    outcome = run(tmp_path, seed=3, kills=12, within_s=40, pause_s=0.2)
    assert outcome.wrong == ()
    assert outcome.queries > 0
    assert sum(outcome.kills.values()) > 0


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_hundreds_of_kills_leave_nothing_untrue(
    kind: str, tmp_path: Path, new_database: NewDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    url = None if kind == "sqlite" else new_database(kind, blank=True)
    outcome = run(tmp_path, url, seed=11, kills=250, within_s=780, pause_s=0.7)
    with capsys.disabled():
        print(json.dumps({"database": kind, "kills": outcome.kills, "states": outcome.states}))
    assert outcome.wrong == ()
    assert outcome.states["succeeded"] > 0
