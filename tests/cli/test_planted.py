"""Secrets, a token and the master key are planted, a real server works with them, and then everything is searched."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.parquet import encryption

from cleanroom.domain.identifiers import ConnectionName
from cleanroom.domain.policy import Connection, ConnectionType
from cleanroom.domain.query import Role
from tests.cli.commands import Terminal
from tests.cli.test_serving import Server, serving
from tests.executor.homes import (
    BY_REGION,
    JOINED,
    MEDIA,
    MONSTROUS,
    PEOPLE,
    SHOP,
    VIEWS,
    Columns,
    Room,
    make_room,
    people,
    views,
)
from tests.executor.processes import eventually

STORED, VARIABLE = b"planted in the store, 32 bytes: ", b"planted in a variable, 32 bytes:"
SENT = "planted-over-HTTP-and-never-seen-again"
VARIABLE_NAME = "CLEANROOM_SECRET_MEDIA_LAKE"


def base64_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def encrypted(path: Path, columns: Columns, key: bytes) -> None:
    properties = encryption.create_encryption_properties(key)
    pq.write_table(pa.table(dict(columns)), path, encryption_properties=properties)


@dataclass(frozen=True)
class Planted:
    """A server that knows all of it, what it answered, and what it said."""

    room: Room
    server: Server
    said: list[bytes]
    log: Path

    def ask(self, method: str, path: str, body: object = None, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.server.token}", "Prefer": "wait=30"}
        answer = httpx.request(method, f"{self.server.url}{path}", json=body, headers=headers, timeout=60)
        self.said.append(answer.content + repr(answer.headers).encode())
        return answer

    def submit(self, sql: str) -> httpx.Response:
        return self.ask("POST", "/v1/collaborations/room/queries", {"sql": sql})


def plant(folder: Path) -> tuple[Room, str, str]:
    """A room whose partners' files are encrypted, under a key in the store and one in a variable; two tokens."""
    places = {partner: {"root": str(folder / "data" / partner)} for partner in (SHOP, MEDIA)}
    lakes = [
        Connection(ConnectionName(partner), partner, ConnectionType.FILES, places[partner], secret)
        for partner, secret in ((SHOP, "store:lake"), (MEDIA, f"env:{VARIABLE_NAME}"))
    ]
    room = make_room(folder, connection=lakes[0])
    encrypted(room.data / "shop/people.parquet", people(), STORED)
    encrypted(room.data / "media/views.parquet", views(), VARIABLE)
    drawers, now = room.home.drawers, room.home.clock.now()
    with room.home.database.begin() as transaction:
        drawers.policies.write(transaction, lakes[1], author=None, at=now)
        drawers.secrets.write(transaction, SHOP, "lake", base64_of(STORED), author=None, at=now)
        token, _ = drawers.tokens.create(transaction, MEDIA, (Role.ANALYST,), at=now)
        owner, _ = drawers.tokens.create(transaction, SHOP, (Role.DATA_OWNER,), at=now)
    return room, token, owner


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """After queries that succeed, fail, are refused and run on; all that is secret was at work."""
    folder = tmp_path_factory.mktemp("planted")
    room, token, owner = plant(folder)
    with serving(room.home.path, token, folder / "log", **{VARIABLE_NAME: base64_of(VARIABLE)}) as server:
        found = Planted(room, server, [], folder / "log")
        for sql in (BY_REGION, JOINED):
            query = found.submit(sql).json()
            assert query["state"] == "succeeded", query
            for accepted in ("result", "result?x=1", ""):
                found.ask("GET", f"/v1/queries/{query['id']}/{accepted}")
        assert found.submit("SELECT person FROM shop.people").status_code == 422
        assert found.ask("PUT", "/v1/secrets/other", {"value": SENT}, owner).status_code == 204
        assert found.ask("PUT", "/v1/secrets/Wrong", {"value": SENT}, owner).status_code == 422
        for path in ("/v1/secrets", "/v1/audit/events?limit=200", "/openapi.json", "/metrics"):
            found.ask("GET", path, token=owner)
        _break(room)
        assert found.submit(BY_REGION).json()["failure"] == "source.unreadable"
        found.ask("PUT", "/v1/secrets/lake", {"value": SENT}, owner)
        assert found.submit(BY_REGION).json()["failure"] == "source.secret_unusable"
        found.ask("DELETE", "/v1/secrets/lake", token=owner)
        assert found.submit(BY_REGION).json()["failure"] == "source.secret_missing"
        yield found
    room.home.close()


def _break(room: Room) -> None:
    """The shop's files are in the clear, though its connection says that they are not."""
    room.write(PEOPLE, people())


def needles(planted: Planted) -> dict[str, bytes]:
    """What must be found nowhere, in each of its spellings."""
    keyring = json.loads((planted.room.home.path / "master.key").read_text())
    keys = {"stored": STORED, "variable": VARIABLE, "master": base64.b64decode(keyring["keys"][0]["key"])}
    spelled = {
        f"{name} {form}": text
        for name, key in keys.items()
        for form, text in (("raw", key), ("hex", key.hex().encode()), ("base64", base64_of(key).encode()[:40]))
    }
    return {**spelled, "token": planted.server.token.encode()[-30:], "sent": SENT.encode()}


def leaks(planted: Planted, places: dict[str, bytes]) -> list[tuple[str, str]]:
    return [
        (place, name) for place, text in places.items() for name, needle in needles(planted).items() if needle in text
    ]


def test_the_needles_are_found_where_they_are(planted: Planted) -> None:
    keyring = (planted.room.home.path / "master.key").read_bytes()
    assert leaks(planted, {"the file of keys": keyring}) == [("the file of keys", "master base64")]


def test_nothing_in_the_home_holds_one(planted: Planted) -> None:
    files = [p for p in planted.room.home.path.rglob("*") if p.is_file() and p.name != "master.key"]
    assert {"cleanroom.db", "cleanroom.db-wal", "log.key"} <= {path.name for path in files}
    assert leaks(planted, {path.name: path.read_bytes() for path in files}) == []


def test_no_log_holds_one(planted: Planted) -> None:
    text = planted.log.read_bytes()
    assert b"http.request" in text
    assert b"query.failed" in text
    assert leaks(planted, {"log": text}) == []


def test_no_answer_holds_one(planted: Planted) -> None:
    assert len(planted.said) > 12
    assert leaks(planted, {str(number): answer for number, answer in enumerate(planted.said)}) == []


def test_no_export_listing_or_plan_holds_one(planted: Planted, terminal: Terminal, tmp_path: Path) -> None:
    at_home = Terminal(planted.room.home.path, terminal.capture)
    said = {}
    for words in (
        ("secret", "list"),
        ("keys", "list"),
        ("audit", "export", str(tmp_path / "log")),
        ("audit", "verify"),
    ):
        ran = at_home(*words)
        assert ran.code == 0
        said[" ".join(words)] = ran.everything.encode()
    said["the exported log"] = (tmp_path / "log").read_bytes()
    assert b"secret.written" in said["the exported log"]
    assert leaks(planted, said) == []


def test_no_process_but_the_executor_holds_one_for_others_to_see(planted: Planted) -> None:
    """Command lines of all; environments of the HTTP server and of workers, one of which computes."""
    room = planted.room
    room.write(PEOPLE, people(40_000))
    room.write(VIEWS, views(100_000, 40_000))
    encrypted(room.data / "shop/people.parquet", people(40_000), STORED)
    encrypted(room.data / "media/views.parquet", views(100_000, 40_000), VARIABLE)
    with room.home.database.begin() as transaction:
        at = room.home.clock.now()
        room.home.drawers.secrets.write(transaction, SHOP, "lake", base64_of(STORED), author=None, at=at)
    headers = {"Authorization": f"Bearer {planted.server.token}"}
    where = f"{planted.server.url}/v1/collaborations/room/queries"
    query = httpx.post(where, json={"sql": MONSTROUS}, headers=headers, timeout=60).json()["id"]
    scratch = room.home.path / "scratch"
    try:
        assert eventually(lambda: any(scratch.glob("pool-*/worker-*/query-*")))
        seen = dict(_processes(planted.server))
        assert any("cleanroom.executor.worker" in name for name in seen)
        assert any("cleanroom.api" in name for name in seen)
        assert leaks(planted, seen) == []
        spilled = {str(p): p.read_bytes() for p in scratch.rglob("*") if p.is_file()}
        assert leaks(planted, spilled) == []
    finally:
        httpx.post(f"{planted.server.url}/v1/queries/{query}:cancel", headers=headers, timeout=60)


def _processes(server: Server) -> Iterator[tuple[str, bytes]]:
    """The command line of every process, and the environments of the server's own that are to know nothing."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
            yield f"{folder.name} cmdline {words.decode(errors='replace')}", words
            if b"cleanroom.api" in words or b"cleanroom.executor.worker" in words:
                yield f"{folder.name} environ {words.decode(errors='replace')}", (folder / "environ").read_bytes()
        except OSError:
            continue
