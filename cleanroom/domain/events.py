"""What the log records. Each event is a subject and what happened to it; `data` is JSON and holds no data value."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, PrincipalId, QueryId

Json: TypeAlias = "None | bool | int | str | list[Json] | dict[str, Json]"


class EventKind(StrEnum):
    """Every kind of event there is, as `subject.action`."""

    LOG_CREATED = "log.created"
    LOG_READ = "log.read"
    PARTNER_ADDED = "partner.added"
    PARTNER_SUSPENDED = "partner.suspended"
    PARTNER_RESUMED = "partner.resumed"
    PRINCIPAL_CREATED = "principal.created"
    PRINCIPAL_CHANGED = "principal.changed"
    PRINCIPAL_DISABLED = "principal.disabled"
    PRINCIPAL_ENABLED = "principal.enabled"
    GRANT_ADDED = "grant.added"
    GRANT_REMOVED = "grant.removed"
    ISSUER_ADDED = "issuer.added"
    ISSUER_REMOVED = "issuer.removed"
    TOKEN_CREATED = "token.created"
    TOKEN_REVOKED = "token.revoked"
    COLLABORATION_WRITTEN = "collaboration.written"
    COLLABORATION_CREATED = "collaboration.created"
    CHANGE_PROPOSED = "change.proposed"
    CHANGE_APPROVED = "change.approved"
    CHANGE_REJECTED = "change.rejected"
    CHANGE_WITHDRAWN = "change.withdrawn"
    CHANGE_SUPERSEDED = "change.superseded"
    CHANGE_APPLIED = "change.applied"
    MEMBER_INVITED = "member.invited"
    MEMBER_JOINED = "member.joined"
    MEMBER_LEFT = "member.left"
    MEMBER_REMOVED = "member.removed"
    CONNECTION_WRITTEN = "connection.written"
    ROOT_ADMITTED = "root.admitted"
    DATASET_WRITTEN = "dataset.written"
    RULE_WRITTEN = "rule.written"
    TEMPLATE_WRITTEN = "template.written"
    TEMPLATE_APPROVED = "template.approved"
    TEMPLATE_APPROVAL_WITHDRAWN = "template.approval_withdrawn"
    DOCUMENT_REMOVED = "document.removed"
    QUERY_REJECTED = "query.rejected"
    QUERY_CHECKED = "query.checked"
    QUERY_APPROVED = "query.approved"
    QUERY_STARTED = "query.started"
    QUERY_RELEASED = "query.released"
    QUERY_FAILED = "query.failed"
    QUERY_CANCEL_REQUESTED = "query.cancel_requested"
    QUERY_CANCELLED = "query.cancelled"
    RESULT_FETCHED = "result.fetched"
    RESULT_EXPIRED = "result.expired"
    RESULT_SHREDDED = "result.shredded"
    SECRET_WRITTEN = "secret.written"
    SECRET_REMOVED = "secret.removed"
    KEY_ROTATED = "key.rotated"
    CLAIM_BROKEN = "claim.broken"
    QUOTA_SET = "quota.set"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `partner` and `principal` are who did it; None is the operator or the server itself.

    `datasets` decides which owners see the event, `collaboration` which members' auditors do where it is of no query.
    """

    kind: EventKind
    at: datetime.datetime
    partner: PartnerName | None = None
    principal: PrincipalId | None = None
    collaboration: CollaborationName | None = None
    query: QueryId | None = None
    datasets: tuple[DatasetName, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event in the log: its number from 0, and the canonical JSON (RFC 8785) whose hash is its leaf in the tree."""

    number: int
    canonical: bytes
    event: Event
