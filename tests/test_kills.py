"""SIGKILL of server, executor and worker between approval and release: what is left is true, and the log says what happened."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cleanroom.domain.query import QueryState, Role
from tests.cli.test_serving import Server, serving, until
from tests.executor.homes import BY_REGION, MEDIA, MONSTROUS, PEOPLE, VIEWS, Room, make_room, people, views


@pytest.fixture
def room(tmp_path: Path, home_url: str | None) -> Iterator[Room]:
    """A room in which MONSTROUS counts for longer than any test waits."""
    made = make_room(tmp_path, url=home_url)
    made.write(PEOPLE, people(40_000))
    made.write(VIEWS, views(100_000, 40_000))
    yield made
    made.home.close()


def token_of(room: Room) -> str:
    with room.home.database.begin() as transaction:
        text, _ = room.home.drawers.tokens.create(transaction, MEDIA, (Role.ANALYST,), at=room.home.clock.now())
    return text


def ask(server: Server, sql: str, wait_s: int = 0) -> str:
    """Submits over HTTP; the query's id."""
    answer = httpx.post(
        f"{server.url}/v1/collaborations/room/queries",
        json={"sql": sql},
        headers={"Authorization": f"Bearer {server.token}", "Prefer": f"wait={wait_s}"},
        timeout=60,
    )
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


def state_over_http(server: Server, query: str) -> str:
    return str(said(server, "GET", f"/v1/queries/{query}").get("state"))


def said(server: Server, method: str, path: str) -> dict[str, object]:
    """The server's answer; empty while there is none."""
    try:
        answer = httpx.request(method, f"{server.url}{path}", headers={"Authorization": f"Bearer {server.token}"})
    except httpx.TransportError:
        return {}
    return dict(answer.json())


def children_of(pid: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.append(int(folder.name))
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def workers(server: Server) -> list[int]:
    return children_of(server.children()["cleanroom.executor"])


def web(server: Server) -> list[int]:
    return [server.children()["cleanroom.api"]]


def assert_true_and_whole(room: Room, query: str, state: QueryState, kinds: list[str]) -> None:
    assert room.query(query).state is state
    assert room.kinds(query) == kinds
    assert not room.has_result(query)
    assert room.home.drawers.log.verify().holds


@pytest.mark.parametrize("victims", [workers, web], ids=["worker", "web server"])
def test_one_process_is_killed_while_a_query_runs(
    victims: Callable[[Server], list[int]], room: Room, tmp_path: Path
) -> None:
    with serving(room.home.path, token_of(room), tmp_path / "log", **room.environment) as server:
        query = ask(server, MONSTROUS)
        assert until(lambda: "query.started" in room.kinds(query))
        kill(victims(server))
        if victims is web:
            assert until(lambda: state_over_http(server, query) == "running")
            assert until(lambda: "id" in said(server, "POST", f"/v1/queries/{query}:cancel"))
        assert until(lambda: room.query(query).state not in (QueryState.RUNNING, QueryState.QUEUED))
        assert until(lambda: state_over_http(server, ask(server, BY_REGION, wait_s=20)) == "succeeded")
    if victims is workers:
        assert_true_and_whole(room, query, QueryState.FAILED, ["query.started", "query.failed"])
    else:
        kinds = ["query.started", "query.cancel_requested", "query.cancelled"]
        assert_true_and_whole(room, query, QueryState.CANCELLED, kinds)


@pytest.mark.databases
def test_everything_is_killed_between_approval_and_release_and_started_again(room: Room, tmp_path: Path) -> None:
    with serving(room.home.path, token_of(room), tmp_path / "log", **room.environment) as server:
        running, queued = ask(server, MONSTROUS), ""
        assert until(lambda: "query.started" in room.kinds(running))
        executor = server.children()["cleanroom.executor"]
        os.kill(executor, signal.SIGSTOP)
        queued = ask(server, BY_REGION)
        kill([server.process.pid, *server.children().values(), *children_of(executor)])
        server.process.wait()
    assert room.home.drawers.log.verify().holds
    assert room.query(running).state is QueryState.RUNNING
    assert room.query(queued).state is QueryState.QUEUED
    with serving(room.home.path, server.token, tmp_path / "log", **room.environment) as again:
        assert until(lambda: state_over_http(again, queued) == "succeeded", timeout_s=60)
        assert until(lambda: state_over_http(again, running) == "failed", timeout_s=60)
    assert room.query(running).failure == "execution.interrupted"
    assert_true_and_whole(room, running, QueryState.FAILED, ["query.started", "query.failed"])
    assert room.kinds(queued) == ["query.started", "query.released"]
