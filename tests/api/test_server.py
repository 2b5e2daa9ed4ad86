"""The server as a process of its own, on a free port: what only real sockets show."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from cleanroom.api.patience import ARRIVAL_S, PatientSocket
from cleanroom.bootstrap import init_home
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, COLLABORATION, REFUSED, House, connection, dataset, rule

QUERIES = "/v1/collaborations/media/queries"


@dataclass(frozen=True)
class Running:
    url: str
    pid: int
    log: Path
    token: str
    house: House

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}", **headers}, timeout=30)

    def raw(self, sent: bytes) -> bytes:
        """What comes back for bytes that no client would send."""
        host, _, port = self.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as conversation:
            received = b""
            with suppress(OSError):  # it may hang up while we still send
                conversation.sendall(sent)
                conversation.shutdown(socket.SHUT_WR)
            with suppress(ConnectionError):
                while part := conversation.recv(65_536):
                    received += part
        return received


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("serving")
    home = init_home(folder / "home")
    house = House(home, None, folder)  # type: ignore[arg-type] - this app runs elsewhere
    house.write(COLLABORATION, connection("shop", str(folder)), dataset(), rule())
    token = house.caller("press", Role.ANALYST).token
    assert token is not None
    port = free_port()
    command = [sys.executable, "-m", "cleanroom.api", "--home", str(home.path), "--port", str(port), "--threads", "8"]
    environment = {**os.environ, "CLEANROOM_SECRET_SHOP_LAKE": "hunter2"}
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, stdout=out, env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        answers(url)
        yield Running(url, process.pid, log, token, house)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        home.close()


def answers(url: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/healthz", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


def test_a_query_is_asked_waited_for_and_fetched(running: Running) -> None:
    def execute() -> None:
        until = time.monotonic() + 10
        while not running.house.home.drawers.queries.page().records and time.monotonic() < until:
            time.sleep(0.01)
        running.house.answer(running.house.home.drawers.queries.page().records[0].id)

    executor = threading.Thread(target=execute)
    executor.start()
    with running.client() as press:
        answered = press.post(QUERIES, json={"sql": APPROVED}, headers={"Prefer": "wait=20"})
        executor.join()
        assert answered.status_code == 201
        result = press.get(answered.json()["links"]["result"])
        assert result.json()["rows"] == [["north", 61]]
        assert press.post(QUERIES, json={"sql": REFUSED}).json()["code"] == "query.rejected"


def test_many_askers_at_once_all_get_an_answer(running: Running) -> None:
    def ask(_: int) -> int:
        with running.client() as press:
            return press.post(QUERIES, json={"sql": REFUSED}).status_code

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(ask, range(48))) == {422}


def test_waiting_requests_leave_threads_for_others(running: Running) -> None:
    def ask(_: int) -> int:
        with running.client() as press:
            return press.post(QUERIES, json={"sql": APPROVED}, headers={"Prefer": "wait=2"}).status_code

    with ThreadPoolExecutor(12) as pool:
        waiting = pool.map(ask, range(12))
        time.sleep(0.5)
        began = time.monotonic()
        assert httpx.get(f"{running.url}/healthz", timeout=10).status_code == 200
        assert time.monotonic() - began < 1.5
        assert set(waiting) == {202}


@pytest.mark.parametrize(
    ("strangers", "sent", "within_s"),
    [
        pytest.param(24, b"", 2, id="who say nothing"),
        pytest.param(8, b"GET /healthz HTTP/1.1\r\nX-Slow: ", ARRIVAL_S + 5, id="who do not end the headers"),
    ],
)
def test_strangers_that_are_slow_to_ask_do_not_keep_others_out(
    running: Running, strangers: int, sent: bytes, within_s: float
) -> None:
    host, _, port = running.url.removeprefix("http://").partition(":")
    with ExitStack() as held:
        for _ in range(strangers):
            conversation = held.enter_context(socket.create_connection((host, int(port))))
            conversation.sendall(sent)
        began = time.monotonic()
        assert httpx.get(f"{running.url}/healthz", timeout=3 * ARRIVAL_S).status_code == 200
        assert time.monotonic() - began < within_s


def test_a_body_that_never_ends_is_malformed(running: Running) -> None:
    headers = f"Authorization: Bearer {running.token}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
    host, _, port = running.url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=3 * ARRIVAL_S) as conversation:
        conversation.sendall(f"POST {QUERIES} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{{".encode())
        assert conversation.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("said", [b"", b"half"])
def test_a_socket_is_read_until_its_time_is_over(said: bytes) -> None:
    near, far = socket.socketpair()
    with far, PatientSocket(fileno=near.detach()) as patient:
        far.sendall(said)
        patient.until = time.monotonic() + 0.2
        received = patient.recv(100) if said else b""
        assert (received, patient.recv(100), patient.recv(100)) == (said, b"", b"")
        assert patient.gettimeout() is None


def test_ten_megabytes_are_refused(running: Running) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(160):
            yield b"x" * 65_536

    for content in (b"x" * 10_000_000, chunks()):
        with running.client() as press:
            try:
                answer = press.post(QUERIES, content=content, headers={"Content-Type": "application/json"})
            except httpx.TransportError:
                continue  # it hung up while we were still sending
            assert answer.status_code == 413
    answers(running.url)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/queries HTTP/1.1\r\n\r\n",
        b"GET /v1/queries HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /v1/queries?cursor=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/queries HTTP/1.1\r\nHost: a\r\n" + b"X-Y: z\r\n" * 500 + b"\r\n",
        b"POST /v1/queries HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/queries HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/queries HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /v1/queries HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
    ],
)
def test_bytes_that_are_no_http_never_give_a_server_error(running: Running, sent: bytes) -> None:
    status = running.raw(sent)[:13]
    assert status == b"" or status.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")), status
    answers(running.url)


def test_a_spoofed_path_prefix_changes_nothing(running: Running) -> None:
    for name in ("SCRIPT_NAME", "Script-Name", "X-Forwarded-Prefix", "X-Script-Name"):
        answer = httpx.get(f"{running.url}/v1/queries", headers={name: "/v1"})
        assert answer.status_code in (400, 401)


def test_the_log_has_a_line_for_each_request_and_no_secret_or_query(running: Running) -> None:
    with running.client() as press:
        refused = press.post(QUERIES, json={"sql": "SELECT 'Mrs Example' FROM shop.customers"})
    text = running.log.read_text(encoding="utf-8")
    assert refused.headers["X-Request-Id"] in text
    assert "Example" not in text
    assert running.token not in text
    assert "Traceback" not in text


def test_a_home_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cleanroom.api", "--home", str(tmp_path), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 4
    assert ended.stderr.startswith("home.missing:")
    assert "Traceback" not in ended.stderr


DOOR = """
import ctypes
from cleanroom.api.__main__ import main
try:
    main(["--home", "/nowhere"])
except SystemExit:
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
"""


def test_the_server_is_closed_to_others_of_its_user_before_it_opens_anything() -> None:
    told = subprocess.run([sys.executable, "-c", DOOR], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["0"]
    assert "home.missing" in told.stderr
