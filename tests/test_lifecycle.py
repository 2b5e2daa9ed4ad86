"""A whole server from its start to its end: several executors, a query that is cancelled, and whoever waits as it stops."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from cleanroom.domain.query import QueryState
from tests.campaign import token_of
from tests.cli.test_serving import Server, gone, serving, until
from tests.executor.homes import BY_REGION, MEDIA, MONSTROUS, PEOPLE, VIEWS, Room, make_room, people, views
from tests.executor.processes import children


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    """A room in which MONSTROUS counts for longer than any test waits."""
    made = make_room(tmp_path)
    made.write(PEOPLE, people(40_000))
    made.write(VIEWS, views(100_000, 40_000))
    yield made
    assert made.home.drawers.log.verify().holds
    made.home.close()


def ask(server: Server, sql: str, wait_s: int = 0) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/collaborations/room/queries",
        json={"sql": sql},
        headers={"Authorization": f"Bearer {server.token}", "Prefer": f"wait={wait_s}"},
        timeout=60,
    )


def test_two_executors_work_and_a_stop_answers_who_waits_and_gives_what_runs_its_grace(
    room: Room, tmp_path: Path
) -> None:
    words = ("--executors", "2", "--grace-s", "0.5")
    with serving(room.home.path, token_of(room, MEDIA), tmp_path / "log", *words) as server:
        assert until(lambda: len(room.home.drawers.executors.list()) == 2)
        family = children(server.process.pid)
        assert len(family) == 3
        assert ask(server, BY_REGION, wait_s=30).json()["state"] == "succeeded"
        running = str(ask(server, MONSTROUS).json()["id"])
        assert until(lambda: "query.started" in room.kinds(running))
        cancel = httpx.post(
            f"{server.url}/v1/queries/{running}:cancel", headers={"Authorization": f"Bearer {server.token}"}
        )
        assert cancel.status_code == 202
        asked = time.monotonic()
        assert until(lambda: room.query(running).state is QueryState.CANCELLED)
        assert time.monotonic() - asked < 5  # a second, and what a busy machine adds

        answers = list[httpx.Response]()
        waiting = threading.Thread(target=lambda: answers.append(ask(server, MONSTROUS, wait_s=50)))
        waiting.start()
        assert until(lambda: len(room.home.drawers.queries.page(state=QueryState.RUNNING).records) == 1)
        waits = room.home.drawers.queries.page(state=QueryState.RUNNING).records[0].id
        assert until(lambda: "query.started" in room.kinds(waits))
        server.process.send_signal(signal.SIGTERM)
        waiting.join(20)
        assert [answer.status_code for answer in answers] == [202]
        assert server.process.wait(30) == 0
        assert all(gone(pid) for pid in family)
    assert room.query(waits).failure == "execution.interrupted"
    assert room.kinds(waits) == ["query.started", "query.failed"]
    assert room.home.drawers.executors.list() == ()
