"""Seeded SIGKILLs of all that serves, while it is asked over HTTP → what is left, held against what was said."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import FINAL_STATES, QueryState, Role
from cleanroom.domain.quota import Quota
from cleanroom.store.quotas import EVERY_PARTNER
from tests.executor.homes import BY_REGION, JOINED, MEDIA, MONSTROUS, PEOPLE, VIEWS, Room, people, views
from tests.executor.processes import children, running

LEASE_S = 3.0
REFUSED = "SELECT person FROM shop.people"
TEXTS = (BY_REGION, JOINED, MONSTROUS, MONSTROUS, REFUSED)
"""What is asked. MONSTROUS takes a second in the room that `furnish` makes."""

Answer = tuple[str, str]  # id, state

_CALM = 0.75
"""How often a kill waits until something has ended since the last: the others meet a server that is just starting."""
_LONGEST_CALM_S = 4.0
_BACKLOG = 12


@dataclass(frozen=True, slots=True)
class Victims:
    """How often each kind of process is killed."""

    weights: Mapping[str, int]

    def next(self, chance: random.Random) -> str:
        return chance.choices(list(self.weights), list(self.weights.values()))[0]


EVERYTHING = Victims(
    {"api worker": 4, "api master": 1, "executor": 3, "every executor": 1, "engine worker": 8, "everything": 1}
)


@dataclass
class Told:
    """What the askers were told: by key the ids and texts, and the last state of each query. Safe between threads."""

    ids: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    texts: dict[str, str] = field(default_factory=dict)
    finals: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, key: str, text: str, answer: Answer) -> None:
        with self.lock:
            self.texts[key] = text
            self.ids[key].add(answer[0])
            if QueryState(answer[1]) in FINAL_STATES:
                self.finals[answer[0]].add(answer[1])

    def await_another_end(self, most_s: float) -> None:
        """One more query has ended, or the time is over."""
        before, end = len(self.finals), time.monotonic() + most_s
        while len(self.finals) == before and time.monotonic() < end:
            time.sleep(0.02)

    def complain(self, what: str) -> None:
        with self.lock:
            self.wrong.append(what)


class Processes:
    """One API server and some executors, each in a session of its own, started again whenever they are found dead."""

    def __init__(self, room: Room, port: int, log: Path, *, executors: int = 2) -> None:
        self._environment = _environment(room)
        self._log = log.open("ab")
        module = (sys.executable, "-m")
        api = (*module, "cleanroom.api", "--port", str(port), "--threads", "8")
        own = (
            "--concurrency",
            "2",
            "--threads",
            "1",
            "--memory-mb",
            "256",
            "--lease-s",
            str(LEASE_S),
            "--grace-s",
            "5",
        )
        self._commands = {"api": api} | {
            f"executor {n}": (*module, "cleanroom.executor", *own) for n in range(1, executors + 1)
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.revive()

    def revive(self) -> bool:
        """Every process has been started, and what a dead one left of its group is gone. Answers False, for `until`."""
        for name, command in self._commands.items():
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # an orphan would still hold the port
            self._running[name] = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        return False

    def kill(self, victim: str, chance: random.Random) -> int:
        """SIGKILL; how many processes there were to kill."""
        executors = [process.pid for name, process in self._running.items() if name != "api"]
        api = self._running["api"].pid
        match victim:
            case "api worker":
                pids = list(children(api))[:1]
            case "api master":
                pids = [api]
            case "executor":
                pids = [chance.choice(executors)]
            case "every executor":
                pids = executors
            case "engine worker":
                pids = [worker for pid in executors for worker in children(pid)]
                pids = [chance.choice(pids)] if pids else []
            case "everything":
                pids = [*executors, *(w for pid in executors for w in children(pid)), *children(api), api]
            case _:
                raise AssertionError(victim)
        found = [pid for pid in pids if running(pid)]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for process in self._running.values():
            if process.pid in found:
                process.wait()
        return len(found)

    def stop(self) -> dict[str, int]:
        """The exit code of each, after SIGTERM."""
        for process in self._running.values():
            process.terminate()
        codes = {name: process.wait(60) for name, process in self._running.items()}
        self._log.close()
        return codes


class Asker:
    """Asks one query after another, each under a key of its own, and asks again until it is answered."""

    def __init__(self, url: str, token: str, told: Told, seed: int, pause_s: float) -> None:
        self._chance = random.Random(seed)
        self._told = told
        self._pause_s = pause_s
        self._client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20)

    def ask_until(self, stop: threading.Event) -> None:
        with self._client:
            while not stop.is_set():
                self._ask(str(uuid.UUID(int=self._chance.getrandbits(128))), self._chance.choice(TEXTS))
                stop.wait(self._chance.random() * 2 * self._pause_s)

    def _ask(self, key: str, text: str) -> None:
        wait = self._chance.choice((0, 0, 1, 3))
        answer = self._answered(lambda: self._submit(key, text, wait))
        if self._chance.random() < 0.3:
            again = self._answered(lambda: self._submit(key, text, 0))
            if again[0] != answer[0]:
                self._told.complain(f"{key} led to two queries")
        if self._chance.random() < 0.15:
            with suppress(httpx.TransportError):
                self._client.post(f"/v1/queries/{answer[0]}:cancel")

    def _submit(self, key: str, text: str, wait: int) -> Answer | None:
        headers = {"Idempotency-Key": f'"{key}"', **({"Prefer": f"wait={wait}"} if wait else {})}
        answer = self._client.post("/v1/collaborations/room/queries", json={"sql": text}, headers=headers)
        if answer.status_code not in (201, 202, 422):
            if answer.status_code not in (429, 503):
                self._told.complain(f"{answer.status_code} {answer.text}")
            return None
        body = answer.json()
        said = (body["id"], body.get("state", "rejected"))
        self._told.note(key, text, said)
        return said

    def _answered(self, ask: Callable[[], Answer | None]) -> Answer:
        end = time.monotonic() + 300
        while time.monotonic() < end:
            with suppress(httpx.TransportError):
                answer = ask()
                if answer is not None:
                    return answer
            time.sleep(0.1)
        raise AssertionError("no answer for five minutes")


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kills` by victim, `states` that the queries ended in with their failures, and all that was not as it must be."""

    kills: Mapping[str, int]
    states: Mapping[str, int]
    queries: int
    wrong: tuple[str, ...]


def furnish(room: Room) -> str:
    """MONSTROUS takes a while, and the quota keeps the backlog short; a token of an analyst."""
    room.write(PEOPLE, people(10_000))
    room.write(VIEWS, views(10_000, 10_000))
    room.home.drawers.quotas.set(EVERY_PARTNER, Quota(100_000, _BACKLOG, 100), room.home.clock.now())
    return token_of(room, MEDIA)


def token_of(room: Room, partner: PartnerName) -> str:
    with room.home.database.begin() as transaction:
        text, _ = room.home.drawers.tokens.create(transaction, partner, (Role.ANALYST,), at=room.home.clock.now())
    return text


def campaign(
    room: Room,
    port: int,
    log: Path,
    *,
    seed: int,
    kills: int,
    within_s: float,
    pause_s: float = 0.6,
    askers: int = 3,
) -> Outcome:
    """Kills that often, or until the time is over; then lets everything end, and looks."""
    token = furnish(room)
    chance, told, counted = random.Random(seed), Told(), Counter[str]()
    url = f"http://127.0.0.1:{port}"
    processes = Processes(room, port, log)
    try:
        until(lambda: _ready(url), 60)
        with asking([Asker(url, token, told, seed + n, pause_s) for n in range(askers)]):
            end = time.monotonic() + within_s
            while counted.total() < kills and time.monotonic() < end:
                if chance.random() < _CALM:
                    told.await_another_end(_LONGEST_CALM_S)
                time.sleep(chance.random() * 2 * pause_s)
                victim = EVERYTHING.next(chance)
                counted[victim] += bool(processes.kill(victim, chance))
                processes.revive()
            until(lambda: processes.revive() or _ready(url), 60)
        until(lambda: processes.revive() or not _unfinished(room), 120)
        wrong = [*told.wrong, *wrongs(room, url, token, told)]
        codes = processes.stop()
    except BaseException:
        processes.stop()
        raise
    wrong += [f"{name} ended with {code}" for name, code in codes.items() if code != 0]
    records = list(_records(room))
    states = Counter(r.state.value + (f" {r.failure}" if r.failure else "") for r in records)
    return Outcome(dict(counted), dict(states), len(records), tuple(wrong))


@contextmanager
def asking(askers: list[Asker]) -> Iterator[None]:
    """They ask while the block runs. What one of them could not take ends the test."""
    stop, failed = threading.Event(), list[BaseException]()

    def ask(asker: Asker) -> None:
        try:
            asker.ask_until(stop)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask, args=(asker,)) for asker in askers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed:
        raise failed[0]


def wrongs(room: Room, url: str, token: str, told: Told) -> Iterator[str]:
    """Everything that must not be, once nothing runs any more and the server is up."""
    verification = room.home.drawers.log.verify()
    if not verification.holds:
        yield "the log does not verify"
    histories = _histories(room)
    records = {str(record.id): record for record in _records(room)}
    for key, ids in told.ids.items():
        if len(ids) != 1:
            yield f"{key} led to {len(ids)} queries"
    acknowledged = {query for ids in told.ids.values() for query in ids}
    if lost := acknowledged - set(records):
        yield f"{len(lost)} acknowledged queries are not there"
    if len(records) != len(told.ids):
        yield f"{len(told.ids)} keys led to {len(records)} queries"
    texts = {query: told.texts[key] for key, ids in told.ids.items() for query in ids}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        rows: dict[str, Any] = {}
        for query, record in records.items():
            yield from _wrong_history(query, record.state, histories[query])
            if told.finals[query] - {record.state.value}:
                yield f"{query} was said to be {told.finals[query]} and is {record.state.value}"
            yield from _wrong_result(client, query, record.state, texts.get(query, ""), rows)


def _wrong_history(query: str, state: QueryState, kinds: list[str]) -> Iterator[str]:
    """The events of a query, in their order, are those of its state."""
    asked = [kind for kind in kinds if kind == "query.cancel_requested"]
    told = [kind for kind in kinds if kind != "query.cancel_requested"]
    begun = ["query.approved", "query.started"]
    ways: dict[QueryState, list[list[str]]] = {
        QueryState.SUCCEEDED: [[*begun, "query.released"]],
        QueryState.REJECTED: [["query.rejected"]],
        QueryState.FAILED: [[*begun, "query.failed"], ["query.approved", "query.failed"]],
        QueryState.CANCELLED: [[*begun, "query.cancelled"], ["query.approved", "query.cancelled"]],
    }
    if told not in ways.get(state, []) or len(asked) > 1:
        yield f"{query} is {state.value} after {kinds}"


def _wrong_result(
    client: httpx.Client, query: str, state: QueryState, text: str, rows: dict[str, Any]
) -> Iterator[str]:
    """There is a result, the same as ever for its text, where the query succeeded, and nowhere else."""
    answer = client.get(f"/v1/queries/{query}/result")
    if state is QueryState.SUCCEEDED:
        found = sorted(answer.json().get("rows", [])) if answer.status_code == 200 else answer.text
        if not isinstance(found, list) or rows.setdefault(text, found) != found:
            yield f"{query} succeeded and its result is {found}"
    elif answer.status_code != 409:
        yield f"{query} is {state.value} and has a result"


def _histories(room: Room) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    after = -1
    while page := room.home.drawers.log.events(after=after, limit=1000):
        for logged in page:
            if logged.event.query is not None and logged.event.kind.value.startswith("query."):
                found[logged.event.query].append(logged.event.kind.value)
        after = page[-1].number
    return found


def _records(room: Room) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = room.home.drawers.queries.page(cursor=cursor, limit=200)
        yield from page.records
        cursor = page.next_cursor
        if cursor is None:
            return


def _unfinished(room: Room) -> bool:
    drawer = room.home.drawers.queries
    return any(drawer.page(state=state, limit=1).records for state in (QueryState.QUEUED, QueryState.RUNNING))


def _ready(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    return False


def until(holds: Callable[[], bool], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.1)


def _environment(room: Room) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEANROOM_")}
    chosen = {} if room.url is None else {"CLEANROOM_DATABASE_URL": room.url}
    return {**kept, "CLEANROOM_HOME": str(room.home.path), **chosen}
