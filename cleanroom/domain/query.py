"""A query from the request to its end: who asked what, and the states it goes through."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from cleanroom.domain.finding import Finding, Notice
from cleanroom.domain.identifiers import (
    CollaborationName,
    DatasetName,
    PartnerName,
    PrincipalId,
    QueryId,
)


class Role(StrEnum):
    ANALYST = "analyst"
    DATA_OWNER = "data_owner"
    ADMIN = "admin"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: the holder of a token, of one partner, with these roles."""

    id: PrincipalId
    partner: PartnerName
    roles: frozenset[Role]


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Untrusted text and who sent it."""

    id: QueryId
    collaboration: CollaborationName
    principal: Principal
    sql: str
    dialect: str
    submitted_at: datetime.datetime

    def saying(self, sql: str) -> QueryRequest:
        """The same request with another text."""
        return replace(self, sql=sql)


class QueryState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


FINAL_STATES = frozenset(QueryState) - {QueryState.QUEUED, QueryState.RUNNING}


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """What the store knows of a query. `failure` is a stable code, set when the state is failed.

    `versions` pins the policy documents that it was approved under. `cancel_requested` asks the executor to stop it.
    `notices` tell what the answer may lack: of the question and the rules alone, never of the data.
    """

    id: QueryId
    collaboration: CollaborationName
    principal: Principal
    sql: str
    dialect: str
    state: QueryState
    submitted_at: datetime.datetime
    findings: tuple[Finding, ...]
    datasets: tuple[DatasetName, ...]
    receivers: tuple[PartnerName, ...]
    versions: Mapping[str, int]
    failure: str | None = None
    row_count: int | None = None
    cancel_requested: bool = False
    finished_at: datetime.datetime | None = None
    notices: tuple[Notice, ...] = ()
