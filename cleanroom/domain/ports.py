"""What the flow needs of the world, as protocols. Adapters implement them; in-memory twins ship beside the real ones."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, QueryId
from cleanroom.domain.policy import Connection, Dataset, Policy
from cleanroom.domain.query import Principal, QueryRecord, QueryRequest
from cleanroom.domain.steps import Claim, FinalStep, PrivateStep, RawTable, ReleasedResult, ReleasedTable


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files that an engine may read itself. `format` is "parquet" or "csv" (header line, comma, UTF-8).

    `paths` are absolute and already proven to lie within the connection's root. `snapshot` names their exact content
    (paths, sizes, times): two sources with one snapshot hold the same rows.
    """

    dataset: Dataset
    format: str
    paths: tuple[str, ...]
    snapshot: str


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

    def submit(self, record: QueryRecord, event: Event) -> None:
        """Stores a new query, rejected or queued, together with the event that announces it."""
        ...


class QueryQueue(Protocol):
    """What the executor needs of the store."""

    def lease(self, worker: str, until: datetime.datetime) -> QueryRecord | None:
        """Takes the oldest queued query, now running under this lease, or None."""
        ...

    def started(self, query: QueryId, event: Event) -> bool:
        """Durable before any byte is read; False where the query is no longer this executor's to run."""
        ...

    def succeed(self, query: QueryId, result: bytes, row_count: int, event: Event) -> bool: ...

    def fail(self, query: QueryId, code: str, event: Event) -> bool: ...

    def cancelled(self, query: QueryId, event: Event) -> bool: ...

    def interrupted(self) -> tuple[QueryRecord, ...]:
        """Queries that are running under a lease that has ended."""
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
