"""What the flow needs of the world, as protocols. Adapters implement them; in-memory twins ship beside the real ones."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, QueryId
from cleanroom.domain.policy import Connection, Dataset, Policy
from cleanroom.domain.query import IdempotencyKey, Principal, QueryRecord, QueryRequest
from cleanroom.domain.sealed import SealedResult
from cleanroom.domain.steps import Claim, FinalStep, PrivateStep, RawTable, ReleasedResult, ReleasedTable


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files that an engine may read itself. `format` is "parquet" or "csv" (header line, comma, UTF-8).

    `paths` are absolute and already proven to lie within the connection's root. `snapshot` names their exact content
    (paths, sizes, times): two sources with one snapshot hold the same rows. `key` opens encrypted Parquet files: an AES-256
    key in base64, that no plan, log or message holds.
    """

    dataset: Dataset
    format: str
    paths: tuple[str, ...]
    snapshot: str
    key: str | None = field(default=None, repr=False)


Source = FileSource


class Connector(Protocol):
    """A partner's storage. `pin` fixes one snapshot of a dataset; `still` fails with SourceError "source.changed"."""

    def pin(self, connection: Connection, dataset: Dataset, secret: str | None) -> Source: ...

    def still(self, source: Source) -> None: ...


class Engine(Protocol):
    """Runs steps. One engine object serves one query and forgets it on `close`. Failures are EngineError or SourceError."""

    def broken(self, claims: Sequence[Claim], sources: Mapping[DatasetName, Source]) -> tuple[Claim, ...]:
        """The claims that do not hold on these snapshots."""
        ...

    def run_private(self, step: PrivateStep, sources: Mapping[DatasetName, Source]) -> RawTable: ...

    def run_final(self, step: FinalStep, tables: Mapping[str, ReleasedTable]) -> ReleasedResult:
        """Reaches nothing but `tables`."""
        ...

    def close(self) -> None: ...


class Clock(Protocol):
    def now(self) -> datetime.datetime:
        """UTC, aware."""
        ...


class PolicyBook(Protocol):
    """Where the flow reads what holds. Policies are read whole, in one consistent look."""

    def policy(self, collaboration: CollaborationName, versions: Mapping[str, int] | None = None) -> Policy | None:
        """What holds now, or what held under exactly these versions; None where there is no such collaboration."""
        ...


class QueryLog(Protocol):
    """Where queries and events become durable. Each call is one transaction: the event and the change, or neither."""

    def record(self, event: Event) -> LoggedEvent: ...

    def admit(self, principal: Principal, at: datetime.datetime) -> None:
        """Raises QuotaExceeded where the partner has asked for as much as it may for the moment; a first look alone."""
        ...

    def checked(self, event: Event) -> None:
        """The event of a check is durable, and counts towards its partner's quota. QuotaExceeded where that is used up."""
        ...

    def earlier(
        self, principal: Principal, collaboration: CollaborationName, key: IdempotencyKey, at: datetime.datetime
    ) -> QueryRecord | None:
        """The query that the principal asked under this key. InvalidInput "idempotency.mismatch" where it was another."""
        ...

    def submit(self, record: QueryRecord, event: Event, key: IdempotencyKey | None = None) -> QueryRecord:
        """The query that stands: a new one, rejected or queued, stored together with the event that announces it; or,
        where one was asked under this key, that one, and nothing is stored.

        QuotaExceeded; InvalidInput "idempotency.mismatch".
        """
        ...


class QueryQueue(Protocol):
    """What the executor needs of the store."""

    def lease(self, worker: str, until: datetime.datetime) -> QueryRecord | None:
        """Takes a queued query, now running under this lease, or None. Partners take turns."""
        ...

    def started(self, query: QueryId, event: Event) -> bool:
        """Durable before any byte is read; False where the query is no longer this executor's to run."""
        ...

    def succeed(self, query: QueryId, result: SealedResult, row_count: int, event: Event) -> bool: ...

    def fail(self, query: QueryId, code: str, event: Event) -> bool: ...

    def cancelled(self, query: QueryId, event: Event) -> bool: ...

    def forget(self, query: QueryId) -> None:
        """This executor does nothing more with the query."""
        ...

    def requeue(self) -> int:
        """Queries that were leased but never started wait again once their lease has ended: how many."""
        ...

    def interrupted(self) -> tuple[QueryRecord, ...]:
        """Queries that are running under a lease that has ended, but for those that this executor itself runs."""
        ...

    def overdue(self, since: datetime.datetime) -> tuple[QueryRecord, ...]:
        """Queries that have waited since before then."""
        ...

    def give_up(self, query: QueryId, code: str, event: Event) -> bool:
        """A query that still waits has failed for the reason `code`."""
        ...


__all__ = [
    "Clock",
    "Connector",
    "Engine",
    "FileSource",
    "Finding",
    "PartnerName",
    "PolicyBook",
    "Principal",
    "QueryLog",
    "QueryQueue",
    "QueryRequest",
    "Source",
]
