"""One leased query → its end: released, failed or cancelled, with the event that says so in the same transaction."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from cleanroom.domain.errors import CleanroomError, EngineError, LogError, OperationError, SourceError
from cleanroom.domain.identifiers import ConnectionName, DatasetName, PartnerName, QueryId
from cleanroom.domain.plan import scans
from cleanroom.domain.policy import Connection, Policy
from cleanroom.domain.ports import Clock, Connector, PolicyBook, QueryLog, QueryQueue, Source
from cleanroom.domain.query import QueryRecord
from cleanroom.domain.sealed import SealedResult
from cleanroom.domain.steps import ExecutablePlan
from cleanroom.executor import events
from cleanroom.executor.claims import VerifiedClaims
from cleanroom.executor.pool import Pool
from cleanroom.executor.process import Cancelled
from cleanroom.executor.wire import Answer, Job
from cleanroom.storage import connectors, resolve_secret

_log = structlog.get_logger(__name__)
_PASSING = ("store.unavailable", "store.busy")
_AGAIN_S = 0.5


class LeasedQueue(QueryQueue, Protocol):
    """The queue, and what a running query's lease needs of it. `renew` is False where the lease is lost."""

    def renew(self, query: QueryId, until: datetime.datetime) -> bool: ...

    def cancel_requested(self, query: QueryId) -> bool: ...


class ExecutorBook(Protocol):
    """Which executors live."""

    def stamp(self, name: str, now: datetime.datetime) -> None: ...

    def remove(self, name: str) -> None: ...


class Swept(Protocol):
    """What is kept for a time."""

    def sweep(self, now: datetime.datetime) -> int: ...


class ConnectionBook(Protocol):
    def connection(self, name: ConnectionName) -> Connection | None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What the executor needs of the world.

    `roots`: what the operator admitted for a partner's connections. `partners`: all that are known. `secrets`: names to
    values; `stored_secret`: a partner's own of that name. `seal`: the result of a query, released at that moment, sealed
    for as long as results are kept. `prepare`: `broker.prepare`, the approved plan of a record under its pinned policy.
    """

    queue: LeasedQueue
    log: QueryLog
    book: PolicyBook
    connections: ConnectionBook
    roots: Callable[[PartnerName], tuple[str, ...]]
    partners: Callable[[], Collection[PartnerName]]
    secrets: Mapping[str, str]
    stored_secret: Callable[[PartnerName, str], str | None]
    seal: Callable[[QueryId, bytes, datetime.datetime], SealedResult]
    clock: Clock
    prepare: Callable[[QueryRecord, Policy], ExecutablePlan]
    executors: ExecutorBook
    idempotency: Swept
    retention: Swept


class Watch:
    """Whether a running query must stop, asked often. Renews the query's lease as it goes.

    `reason` tells afterwards why it said so: "cancelled", "stopping" or "lost". A store that is away for a moment says
    nothing of the query, which goes on for as long as its lease lives.
    """

    def __init__(self, record: QueryRecord, ports: Ports, lease_s: float, stopping: Callable[[], bool]) -> None:
        self._query = record.id
        self._ports = ports
        self._lease_s = lease_s
        self._stopping = stopping
        self._renewed = time.monotonic()
        self.reason = ""

    def __call__(self) -> bool:
        if self._stopping():
            self.reason = "stopping"
            return True
        try:
            self._look()
        except OperationError:
            if time.monotonic() - self._renewed > self._lease_s:
                self.reason = "lost"
        return self.reason != ""

    def _look(self) -> None:
        if self._ports.queue.cancel_requested(self._query):
            self.reason = "cancelled"
        elif time.monotonic() - self._renewed > self._lease_s / 3 and not self._renew():
            self.reason = "lost"

    def _renew(self) -> bool:
        began = time.monotonic()
        until = self._ports.clock.now() + datetime.timedelta(seconds=self._lease_s)
        holds = self._ports.queue.renew(self._query, until)
        self._renewed = began
        return holds


def execute(
    record: QueryRecord, ports: Ports, pool: Pool, verified: VerifiedClaims, watch: Watch, *, deadline_s: float
) -> None:
    """Holds: the query has ended and the log says how; or nothing was released, and its lease runs out.

    LogError and the store's own failures come through: where nothing can be written, nothing may be released.
    """
    try:
        _release(record, ports, pool, verified, watch, deadline_s=deadline_s)
    except LogError:
        raise
    except Cancelled:
        _stop(record, ports, watch.reason)
    except CleanroomError as error:
        _log.warning("query.failed", query=record.id, code=error.code)
        _fail(record, ports, error.code)
    except Exception as error:
        _log.error("query.unexpected", query=record.id, failure=type(error).__name__)
        _fail(record, ports, "execution.failed")


def _release(
    record: QueryRecord, ports: Ports, pool: Pool, verified: VerifiedClaims, watch: Watch, *, deadline_s: float
) -> None:
    policy = ports.book.policy(record.collaboration, record.versions)
    if policy is None:
        raise OperationError("The policy that the query was approved under is not there.", "execution.policy_missing")
    plan = ports.prepare(record, policy)
    if not ports.queue.started(record.id, events.started(record, ports.clock.now())):
        watch()
        raise Cancelled("The query was cancelled before it started, or is somebody else's by now.")
    pinned = {name: _pin(name, policy, ports) for name in datasets_of(plan)}
    sources = {name: source for name, (source, _) in pinned.items()}
    job = Job(record.id, plan, sources, verified.among(plan.claims, sources))
    answer = pool.run(job, deadline_s=deadline_s, cancelled=watch)
    if answer.detail:
        _log.warning("worker.failed", query=record.id, code=answer.code, failure=answer.detail)
    for source, connector in pinned.values():
        connector.still(source)
    if answer.code is not None:
        _tell_owners(record, ports, plan, answer)
        raise EngineError("The worker found no answer.", answer.code)
    verified.add(plan.claims, sources)
    if watch():
        raise Cancelled("The query was cancelled.")
    if not _succeed(record, ports, answer, watch):
        watch()
        raise Cancelled("Somebody asked to stop it at the last moment, or it is somebody else's by now.")


def _succeed(record: QueryRecord, ports: Ports, answer: Answer, watch: Watch) -> bool:
    """Whether the answer is released. It waits for a store that is away for as long as the lease lives, and does not ask
    twice for what was done: a query ends once."""
    while True:
        released = events.released(record, answer, ports.clock.now())
        try:
            sealed = ports.seal(record.id, answer.result, released.at)
            return ports.queue.succeed(record.id, sealed, answer.row_count, released)
        except OperationError as error:
            if error.code not in _PASSING or watch():
                raise
        time.sleep(_AGAIN_S)


def datasets_of(plan: ExecutablePlan) -> tuple[DatasetName, ...]:
    """Every dataset that the plan reads, once, sorted."""
    read = {scan.dataset for step in plan.steps for scan in scans(step.aggregate)}
    return tuple(sorted(read | {claim.dataset for claim in plan.claims}))


def _pin(name: DatasetName, policy: Policy, ports: Ports) -> tuple[Source, Connector]:
    dataset = policy.datasets[name]
    connection = ports.connections.connection(dataset.connection)
    if connection is None:
        raise SourceError("A dataset's connection is not there.", "source.missing")
    secret = resolve_secret(connection, ports.secrets, ports.stored_secret, ports.partners())
    admitted = {connection.partner: ports.roots(connection.partner)}
    connector = connectors(admitted)[connection.type]
    return connector.pin(connection, dataset, secret), connector


def _tell_owners(record: QueryRecord, ports: Ports, plan: ExecutablePlan, answer: Answer) -> None:
    """Holds: for each claim that the worker found broken there is an event that its dataset's owner sees."""
    if answer.code == "source.claim_broken":
        for position in sorted(set(answer.broken)):
            if position < len(plan.claims):
                ports.log.record(events.claim_broken(record, plan.claims[position], ports.clock.now()))


def _stop(record: QueryRecord, ports: Ports, reason: str) -> None:
    match reason:
        case "cancelled":
            ports.queue.cancelled(record.id, events.cancelled(record, ports.clock.now()))
        case "stopping":
            _fail(record, ports, "execution.interrupted")
        case _:
            _log.warning("query.not_ours", query=record.id)


def _fail(record: QueryRecord, ports: Ports, code: str) -> None:
    ports.queue.fail(record.id, code, events.failed(record, code, ports.clock.now()))
