"""A query from the request to its end: who asked what, and the states it goes through."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cleanroom.domain.finding import Finding, Notice
from cleanroom.domain.identifiers import (
    CollaborationName,
    DatasetName,
    PartnerName,
    PrincipalId,
    QueryId,
    TemplateName,
)
from cleanroom.domain.parameters import Parameters


class Role(StrEnum):
    ANALYST = "analyst"
    DATA_OWNER = "data_owner"
    ADMIN = "admin"
    AUDITOR = "auditor"


@dataclass(frozen=True, slots=True)
class Grant:
    """A role: in all that is the partner's, or (`collaboration` named) in that one collaboration alone."""

    role: Role
    collaboration: CollaborationName | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking, of one partner. `grants`: what it may do, and where."""

    id: PrincipalId
    partner: PartnerName
    grants: frozenset[Grant]

    @property
    def roles(self) -> frozenset[Role]:
        """Every role that it has anywhere."""
        return frozenset(grant.role for grant in self.grants)

    def roles_in(self, collaboration: CollaborationName | None) -> frozenset[Role]:
        """The roles that hold in the collaboration; None: for what is the partner's own and in no collaboration."""
        return frozenset(grant.role for grant in self.grants if grant.collaboration in (None, collaboration))


def everywhere(*roles: Role) -> frozenset[Grant]:
    """The roles in all that is the partner's."""
    return frozenset(Grant(role) for role in roles)


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """Untrusted text and who sent it, with the value of each `:name` in it.

    `template`: the text asked is that template of the policy; then `sql` is no more than what is shown and kept of it.
    """

    id: QueryId
    collaboration: CollaborationName
    principal: Principal
    sql: str
    dialect: str
    submitted_at: datetime.datetime
    parameters: Parameters = field(default_factory=dict)
    template: TemplateName | None = None

    def saying(self, sql: str) -> QueryRequest:
        """The same request with another text."""
        return replace(self, sql=sql)

    def under(self, sql: str, dialect: str, parameters: Parameters) -> QueryRequest:
        """The same request of a template: with its text, and the values in the types that it declares."""
        return replace(self, sql=sql, dialect=dialect, parameters=parameters)


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's own name for one request, and a digest of what that request says: under one name, one request.

    Unique for a principal in a collaboration. "sha256:<hex>" of `broker.digest_of`.
    """

    text: str
    digest: str


class QueryState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    REJECTED = "rejected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


RELEASED_STATES = frozenset({QueryState.SUCCEEDED, QueryState.EXPIRED})
"""EXPIRED: it succeeded once; its result was kept for its time, or less, and is gone."""

FINAL_STATES = frozenset(QueryState) - {QueryState.QUEUED, QueryState.RUNNING}


@dataclass(frozen=True, slots=True)
class QueryRecord:
    """What the store knows of a query. `failure` is a stable code, set when the state is failed.

    `versions` pins the policy documents that it was approved under. `cancel_requested` asks the executor to stop it.
    `expires_at`: until when its result is kept, once it has one.
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
    expires_at: datetime.datetime | None = None
    parameters: Parameters = field(default_factory=dict)
    template: TemplateName | None = None

    def request(self) -> QueryRequest:
        """The request as it was sent, for judging it again."""
        return QueryRequest(
            self.id,
            self.collaboration,
            self.principal,
            self.sql,
            self.dialect,
            self.submitted_at,
            self.parameters,
            self.template,
        )
