"""A partner is a member no more → its queries and those over its data stop, its rules, templates and approvals hold no
more, its votes are void."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection, and_, select, update

from cleanroom.domain.collaboration import ChangeState
from cleanroom.domain.document import Document, DocumentKey, key_of
from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.identifiers import CollaborationName, PartnerName, owner_of
from cleanroom.domain.policy import Ability, Collaboration, Template
from cleanroom.domain.query import Principal, QueryState
from cleanroom.rules.consent import departed
from cleanroom.store.log import Log
from cleanroom.store.queries import stop
from cleanroom.store.query_rows import record_of
from cleanroom.store.schema import change_request, change_vote, document, document_current, queries, query_sight


class Book(Protocol):
    """Where documents are written, and nothing follows of it."""

    def put(
        self,
        transaction: Connection,
        value: Document,
        *,
        author: Principal | None,
        at: datetime.datetime,
        kind: EventKind | None = None,
    ) -> int | None: ...

    def drop(
        self, transaction: Connection, key: DocumentKey, *, author: Principal | None, at: datetime.datetime
    ) -> bool: ...

    def templates(self, transaction: Connection, collaboration: CollaborationName) -> tuple[Template, ...]: ...


@dataclass(frozen=True, slots=True)
class Act:
    """One writing transaction, and who causes what is written in it; `author` None is the operator."""

    transaction: Connection
    log: Log
    book: Book
    author: Principal | None
    at: datetime.datetime

    def put(self, value: Document, kind: EventKind | None = None) -> int | None:
        """The document is current: the number of its new version. `kind`: what its event is, where that says more."""
        return self.book.put(self.transaction, value, author=self.author, at=self.at, kind=kind)

    def drop(self, key: DocumentKey) -> None:
        """The document holds no more."""
        self.book.drop(self.transaction, key, author=self.author, at=self.at)

    def note(self, kind: EventKind, collaboration: CollaborationName, /, **data: Json) -> int:
        """The event is in the log, seen by the members and by `data["partner"]`: its number."""
        who, principal = (None, None) if self.author is None else (self.author.partner, self.author.id)
        event = Event(kind, self.at, who, principal, collaboration, data=data)
        return self.log.append(self.transaction, event).number


def take_leave(act: Act, before: Collaboration, after: Collaboration) -> None:
    """Holds once `after` does: who is in `before` alone has nothing here any more, and who contributes no more has no rule
    and approves no template. Who returns begins anew."""
    gone = departed(before, after)
    for member in before.members:
        contributed = Ability.CONTRIBUTE in member.abilities
        if contributed and not after.can(member.partner, Ability.CONTRIBUTE):
            _drop_rules(act, before.name, member.partner)
        if member.partner in gone:
            _void_votes(act, before.name, member.partner)
            _stop_queries(act, before.name, member.partner)
    if before != after:
        _take_templates(act, after)


def _drop_rules(act: Act, collaboration: CollaborationName, partner: PartnerName) -> None:
    same = [document.c[name] == document_current.c[name] for name in ("kind", "name", "version")]
    rules = select(document.c.name, document.c.dataset).join(document_current, and_(*same))
    here = (document.c.kind == "rule", document.c.collaboration == collaboration)
    for row in act.transaction.execute(rules.where(*here).order_by(document.c.name)).all():
        if owner_of(row.dataset) == partner:
            act.drop(DocumentKey("rule", row.name))


def _take_templates(act: Act, after: Collaboration) -> None:
    """Each template is a member's, and each approval that of a member that contributes."""
    for template in act.book.templates(act.transaction, after.name):
        kept = frozenset(partner for partner in template.approvals if after.can(partner, Ability.CONTRIBUTE))
        if not after.has(template.partner):
            act.drop(key_of(template))
        elif kept != template.approvals:
            act.put(replace(template, approvals=kept), EventKind.TEMPLATE_APPROVAL_WITHDRAWN)


def _void_votes(act: Act, collaboration: CollaborationName, partner: PartnerName) -> None:
    undecided = (change_request.c.collaboration == collaboration, change_request.c.state == ChangeState.OPEN.value)
    still = select(change_request.c.id).where(*undecided)
    votes = (change_vote.c.change.in_(still), change_vote.c.partner == partner, change_vote.c.lapsed_at.is_(None))
    act.transaction.execute(update(change_vote).where(*votes).values(lapsed_at=act.at))


def _stop_queries(act: Act, collaboration: CollaborationName, partner: PartnerName) -> None:
    """Those that it asked, and those over a dataset of its own. What was released before stays with its receivers."""
    parts = (query_sight.c.partner == partner, query_sight.c.relation.in_(("runner", "owner")))
    unfinished = queries.c.state.in_((QueryState.QUEUED.value, QueryState.RUNNING.value))
    mine = (queries.c.collaboration == collaboration, unfinished)
    rows = select(queries).where(*mine, queries.c.id.in_(select(query_sight.c.query).where(*parts)))
    for row in act.transaction.execute(rows.order_by(queries.c.position)).all():
        stop(act.transaction, act.log, row.id, _stopped(act, row))


def _stopped(act: Act, row: Any) -> Event:
    record = record_of(row)
    return Event(
        kind=EventKind.QUERY_CANCELLED,
        at=act.at,
        partner=None if act.author is None else act.author.partner,
        principal=None if act.author is None else act.author.id,
        collaboration=record.collaboration,
        query=record.id,
        datasets=record.datasets,
        data={"partner": record.principal.partner, "reason": "member.left"},
    )
