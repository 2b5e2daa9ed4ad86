"""A trivial query over HTTP → from submission to rows, on each database, beside a bare Flask endpoint that runs the same text."""

from __future__ import annotations

import itertools
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.timing import taken_ms
from cleanroom.bootstrap import init_home
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.quota import Quota
from cleanroom.store.quotas import EVERY_PARTNER
from sample_partners.running import PROJECT, Shell
from sample_partners.serve import prepare
from tests import postgresql

SQL = "SELECT device, COUNT(*) AS impressions FROM publisher.impressions GROUP BY device"
ANSWERS = {"small": 100, "full": 2000}
CLIENTS = 8
SUBMITTING_S = {"small": 5.0, "full": 30.0}
_SUBMIT = "/v1/collaborations/retail-media/queries"


@dataclass(frozen=True, slots=True)
class Figure:
    """`p50_ms` and `p99_ms`: from sending the text to holding the rows, one client, all ways in turn. `submissions_per_s`:
    texts accepted a second, eight clients at once, none waiting for its rows; of the bare endpoint, answers a second."""

    case: str
    p50_ms: float
    p99_ms: float
    submissions_per_s: float
    p50_ratio: float = 1.0


Ask = Callable[[httpx.Client], object]


@dataclass(frozen=True, slots=True)
class Way:
    """A server that runs, how it is asked for rows, and how a text is only handed to it."""

    case: str
    url: str
    token: str
    ask: Ask
    submit: Ask

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, trust_env=False)


def measure(folder: Path, *, answers: int, submitting_s: float) -> tuple[Figure, ...]:
    """The bare endpoint first, then the clean room on SQLite and on PostgreSQL. Servers and files live in `folder`."""
    with ExitStack() as stack:
        ways = [stack.enter_context(_bare(folder))]
        ways += [stack.enter_context(_cleanroom("SQLite", folder / "sqlite", None))]
        server = stack.enter_context(postgresql.serving(durable=True))
        url = server.url(server.create())
        ways += [stack.enter_context(_cleanroom("PostgreSQL", folder / "home", url))]
        times = _latencies(ways, answers)
        rates = {way.case: _rate(way, submitting_s) for way in ways}
    bare_ms = statistics.median(times[ways[0].case])
    return tuple(_figure(way.case, times[way.case], rates[way.case], bare_ms) for way in ways)


def _figure(case: str, times_ms: list[float], rate: float, bare_ms: float) -> Figure:
    p50 = statistics.median(times_ms)
    p99 = statistics.quantiles(times_ms, n=100)[98]
    return Figure(case, p50, p99, rate, p50 / bare_ms)


def _latencies(ways: list[Way], answers: int) -> dict[str, list[float]]:
    """A turn of each way after the other, so that a busy machine slows all alike; the first turns are not counted."""
    times: dict[str, list[float]] = {way.case: [] for way in ways}
    with ExitStack() as stack:
        clients = [(way, stack.enter_context(way.client())) for way in ways]
        for _ in range(answers + 5):
            for way, client in clients:
                times[way.case].append(taken_ms(lambda way=way, client=client: way.ask(client)))  # type: ignore[misc]
    return {case: found[5:] for case, found in times.items()}


def _rate(way: Way, seconds: float) -> float:
    """How many texts a second the server takes from clients that each send the next one as soon as it may."""
    with ExitStack() as stack:
        clients = [stack.enter_context(way.client()) for _ in range(CLIENTS)]
        began_s = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as threads:
            counts = list(threads.map(lambda client: _sent(way, client, began_s + seconds), clients))
        return sum(counts) / (time.monotonic() - began_s)


def _sent(way: Way, client: httpx.Client, until_s: float) -> int:
    """How many texts one client sent, the last of them begun in time; one at least."""
    for count in itertools.count(1):
        way.submit(client)
        if time.monotonic() >= until_s:
            return count
    raise AssertionError


@contextmanager
def _cleanroom(case: str, home: Path, database_url: str | None) -> Iterator[Way]:
    made = init_home(home, database_url)
    tokens = prepare(made)
    made.drawers.quotas.set(EVERY_PARTNER, Quota(1_000_000, 1_000_000, 64), made.clock.now())
    made.close()
    shell = Shell(home, database_url)
    with shell.serving(home.with_suffix(".log")) as url:
        yield Way(case, url, tokens[PartnerName("publisher")], _answer, _submitted)


@contextmanager
def _bare(folder: Path) -> Iterator[Way]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "bare.log").open("wb") as log:
        server = subprocess.Popen([sys.executable, "-m", "benchmarks.bare", str(port)], cwd=PROJECT, stderr=log)
        try:
            _until_it_answers(url)
            yield Way("bare Flask and DuckDB", url, "none", _bare_answer, _bare_answer)
        finally:
            server.terminate()
            server.wait()


def _answer(client: httpx.Client) -> object:
    query = client.post(_SUBMIT, json={"sql": SQL}, headers={"Prefer": "wait=60"})
    assert query.status_code == 201, query.text
    return _rows(client.get(query.json()["links"]["result"]))


def _submitted(client: httpx.Client) -> object:
    query = client.post(_SUBMIT, json={"sql": SQL})
    assert query.status_code in (201, 202), query.text
    return query


def _bare_answer(client: httpx.Client) -> object:
    return _rows(client.post("/query", json={"sql": SQL}))


def _rows(response: httpx.Response) -> object:
    rows = response.json()["rows"]
    assert rows
    return rows


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until_it_answers(url: str) -> None:
    deadline_s = time.monotonic() + 30
    while True:
        try:
            with httpx.Client(base_url=url, trust_env=False) as client:
                _bare_answer(client)
        except httpx.TransportError:
            assert time.monotonic() < deadline_s, "the bare server does not answer"
            time.sleep(0.1)
        else:
            return
