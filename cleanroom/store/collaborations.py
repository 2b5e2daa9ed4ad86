"""What people of members do to a collaboration → its next version, change requests and votes, each act one transaction."""

from __future__ import annotations

import datetime
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from cleanroom.audit.canonical import canonical_json
from cleanroom.domain.collaboration import (
    MOST_COLLABORATIONS,
    MOST_OPEN_CHANGES,
    Agreement,
    Change,
    ChangeRequest,
    ChangeState,
    Invite,
    Vote,
)
from cleanroom.domain.document import key_of
from cleanroom.domain.errors import Conflict, NotFound, NotPermitted
from cleanroom.domain.events import EventKind, Json
from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName
from cleanroom.domain.policy import Ability, Collaboration
from cleanroom.domain.query import Principal
from cleanroom.rules.consent import fits, founders, terms, voters, without
from cleanroom.store.change_rows import (
    KINDS,
    ChangePage,
    insert_request,
    insert_vote,
    lapse_vote,
    open_requests,
    read_page,
    read_request,
)
from cleanroom.store.consequences import about, end_request, follow
from cleanroom.store.database import Database
from cleanroom.store.departures import Act
from cleanroom.store.log import Log
from cleanroom.store.policies import PolicyBook
from cleanroom.store.schema import change_request


@dataclass(frozen=True, slots=True)
class Invitation:
    """What a partner is invited to. `terms` stands for all that it would say yes to: `terms_of`."""

    request: ChangeRequest
    agreement: Agreement
    terms: str


class Collaborations:
    """Collaborations as their members make and change them. `author` acts for its partner; its roles are judged before.

    Every act looks again, in its own transaction, at what it was called for: NotFound, NotPermitted or Conflict where that
    is not so any more.
    """

    def __init__(self, database: Database, log: Log, book: PolicyBook) -> None:
        self._database = database
        self._log = log
        self._book = book

    def agreement(self, name: CollaborationName) -> Agreement | None:
        """The collaboration, its version and what is proposed, as of one moment."""
        with self._database.read() as transaction:
            return self._agreement(transaction, name)

    def agreements(self, member: PartnerName) -> tuple[Agreement, ...]:
        """Those of the member, by name."""
        names = [c.name for c in self._book.collaborations(member)]
        return tuple(found for name in names if (found := self.agreement(name)) is not None)

    def create(self, value: Collaboration, *, author: Principal, at: datetime.datetime) -> Agreement:
        """The collaboration has one member, the author's partner; everybody else in it is invited.

        Conflict "collaboration.exists" where the name is taken, or was; "collaboration.too_many".
        """
        if len(self._book.collaborations(author.partner)) >= MOST_COLLABORATIONS:
            raise Conflict("Your partner is in as many collaborations as there may be.", "collaboration.too_many")
        alone = replace(value, members=tuple(m for m in value.members if m.partner == author.partner))
        with self._database.begin() as transaction:
            act = self._act(transaction, author, at)
            if self._book.is_taken(transaction, key_of(value)):
                raise Conflict("This name is taken.", "collaboration.exists")
            version = act.put(alone)
            act.note(EventKind.COLLABORATION_CREATED, value.name, version=version)
            for member in value.members:
                if member.partner != author.partner:
                    _propose(act, value.name, Invite(member.partner, member.abilities), founding=True)
            follow(act, alone, alone)
            return self._there(transaction, value.name)

    def propose(
        self, name: CollaborationName, change: Change, *, author: Principal, at: datetime.datetime
    ) -> ChangeRequest:
        """The change is proposed, with the yes of its proposer; where that is all it needs, it holds.

        Conflict "change.unfit" where it would change nothing, "change.duplicate", "change.too_many".
        """
        with self._database.begin() as transaction:
            act, agreement = self._act(transaction, author, at), self._of_member(transaction, name, author.partner)
            if author.partner not in voters(agreement.collaboration, change):
                raise Conflict("To take your own partner out, leave the collaboration.", "change.unfit")
            if not fits(agreement.collaboration, change):
                raise Conflict("This would change nothing, or there is nobody whom it would change.", "change.unfit")
            if any(r.change == change for r in agreement.requests):
                raise Conflict("The same change is proposed already.", "change.duplicate")
            if len(agreement.requests) >= MOST_OPEN_CHANGES:
                raise Conflict("Too many changes of this collaboration are open.", "change.too_many")
            made = _propose(act, name, change, founding=False)
            follow(act, agreement.collaboration, agreement.collaboration)
            return read_request(transaction, made)

    def vote(self, change: ChangeId, *, approves: bool, author: Principal, at: datetime.datetime) -> ChangeRequest:
        """The member's vote counts, and has had its effect. Saying the same again changes nothing. Conflict "change.ended"."""
        with self._of_open_change(change, author, at) as (act, request, agreement):
            if author.partner not in voters(agreement.collaboration, request.change):
                raise NotPermitted("You may see this change, but it is for the others to decide.")
            if not approves or author.partner not in request.approvers:
                _vote(act, request, author, approves=approves)
                follow(act, agreement.collaboration, agreement.collaboration)
            return read_request(act.transaction, change)

    def withdraw(self, change: ChangeId, *, author: Principal, at: datetime.datetime) -> ChangeRequest:
        """The proposer's partner takes it back. Conflict "change.ended"."""
        with self._of_open_change(change, author, at) as (act, request, _agreement):
            if request.proposer.partner != author.partner:
                raise NotPermitted("You may see this change, but it is for its proposer to withdraw.")
            end_request(act, request, ChangeState.WITHDRAWN)
            act.note(EventKind.CHANGE_WITHDRAWN, request.collaboration, **about(request))
            return read_request(act.transaction, change)

    def invitation(self, change: ChangeId, partner: PartnerName) -> Invitation | None:
        """What the partner is invited to under this id."""
        with self._database.read() as transaction:
            return self._invitation(transaction, change, partner)

    def invitations(
        self, partner: PartnerName, *, cursor: str | None = None, limit: int = 50
    ) -> tuple[tuple[Invitation, ...], str | None]:
        """What the partner is invited to, the newest first, and where the next page begins."""
        mine = (change_request.c.partner == partner, change_request.c.kind == KINDS[Invite])
        shown = (change_request.c.state == ChangeState.OPEN.value, change_request.c.invited_at.is_not(None))
        with self._database.read() as transaction:
            page = read_page(transaction, *mine, *shown, cursor=cursor, limit=limit)
            found = tuple(self._invited(transaction, request) for request in page.requests)
        return found, page.next_cursor

    def accept(self, change: ChangeId, seen: str, *, author: Principal, at: datetime.datetime) -> Agreement:
        """The invited partner is a member. `seen`: the terms that it was shown; Conflict "invitation.moved" where they changed.

        With a founding invitation it says yes to all who are invited with it.
        """
        with self._database.begin() as transaction:
            act, invitation = self._act(transaction, author, at), self._invitation(transaction, change, author.partner)
            if invitation is None:
                raise _no_invitation()
            if seen != invitation.terms:
                raise Conflict("What you are invited to has changed: look at it again.", "invitation.moved")
            request, agreement = invitation.request, invitation.agreement
            fellows = founders(agreement.collaboration, agreement.requests) if request.founding else ()
            for fellow in fellows:
                if fellow.id != request.id:
                    _vote(act, fellow, author, approves=True)
            _vote(act, request, author, approves=True, terms=seen)
            follow(act, agreement.collaboration, agreement.collaboration)
            return self._there(transaction, request.collaboration)

    def decline(self, change: ChangeId, *, author: Principal, at: datetime.datetime) -> None:
        """The invited partner is not to be a member."""
        with self._database.begin() as transaction:
            act, invitation = self._act(transaction, author, at), self._invitation(transaction, change, author.partner)
            if invitation is None:
                raise _no_invitation()
            _vote(act, invitation.request, author, approves=False)
            follow(act, invitation.agreement.collaboration, invitation.agreement.collaboration)

    def leave(self, name: CollaborationName, *, author: Principal, at: datetime.datetime) -> None:
        """The partner is a member no more, and takes its data with it. The last one takes the collaboration."""
        with self._database.begin() as transaction:
            act, agreement = self._act(transaction, author, at), self._of_member(transaction, name, author.partner)
            after = without(agreement.collaboration, author.partner)
            act.note(EventKind.MEMBER_LEFT, name, partner=author.partner)
            if after.members:
                act.put(after)
            else:
                act.drop(key_of(after))
            follow(act, agreement.collaboration, after)

    def change(self, name: CollaborationName, change: ChangeId) -> ChangeRequest | None:
        """The request of that id, if it is of the collaboration."""
        with self._database.read() as transaction:
            page = read_page(
                transaction, change_request.c.id == change, change_request.c.collaboration == name, limit=1
            )
        return page.requests[0] if page.requests else None

    def changes(
        self,
        name: CollaborationName,
        *,
        state: ChangeState | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ChangePage:
        """All that was ever proposed of the collaboration, the newest first; of one state where named."""
        wanted = [change_request.c.collaboration == name]
        wanted += [] if state is None else [change_request.c.state == state.value]
        with self._database.read() as transaction:
            return read_page(transaction, *wanted, cursor=cursor, limit=limit)

    @contextmanager
    def _of_open_change(
        self, change: ChangeId, author: Principal, at: datetime.datetime
    ) -> Iterator[tuple[Act, ChangeRequest, Agreement]]:
        with self._database.begin() as transaction:
            request = read_request(transaction, change)
            agreement = self._of_member(transaction, request.collaboration, author.partner)
            if request.state is not ChangeState.OPEN:
                raise Conflict("The change is decided already.", "change.ended")
            yield self._act(transaction, author, at), request, agreement

    def _act(self, transaction: Connection, author: Principal, at: datetime.datetime) -> Act:
        return Act(transaction, self._log, self._book, author, at)

    def _agreement(self, transaction: Connection, name: CollaborationName) -> Agreement | None:
        found = self._book.standing(transaction, name)
        return None if found is None else Agreement(*found, open_requests(transaction, name))

    def _there(self, transaction: Connection, name: CollaborationName) -> Agreement:
        found = self._agreement(transaction, name)
        assert found is not None
        return found

    def _of_member(self, transaction: Connection, name: CollaborationName, partner: PartnerName) -> Agreement:
        found = self._agreement(transaction, name)
        if found is None or not found.collaboration.has(partner):
            raise NotFound("There is no collaboration of that name, or it is not yours to see.")
        return found

    def _invitation(self, transaction: Connection, change: ChangeId, partner: PartnerName) -> Invitation | None:
        mine = (change_request.c.id == change, change_request.c.partner == partner)
        shown = (change_request.c.state == ChangeState.OPEN.value, change_request.c.invited_at.is_not(None))
        found = read_page(transaction, *mine, *shown, limit=1).requests
        return self._invited(transaction, found[0]) if found else None

    def _invited(self, transaction: Connection, request: ChangeRequest) -> Invitation:
        agreement = self._there(transaction, request.collaboration)
        return Invitation(request, agreement, terms_of(agreement, request))


def terms_of(agreement: Agreement, invitation: ChangeRequest) -> str:
    """ "sha256:<hex>" of the canonical form (RFC 8785) of what accepting says yes to: what for, with whom, who may do what."""
    members = terms(agreement.collaboration, agreement.requests, invitation)
    said = {
        "collaboration": agreement.collaboration.name,
        "description": agreement.collaboration.description,
        "partner": invitation.subject,
        "members": [[m.partner, [a.value for a in Ability if a in m.abilities]] for m in members],
    }
    return f"sha256:{hashlib.sha256(canonical_json(said)).hexdigest()}"


def _propose(act: Act, name: CollaborationName, change: Change, *, founding: bool) -> ChangeId:
    assert act.author is not None
    vote = Vote(act.author.partner, act.author.id, approves=True, at=act.at)
    change_id = ChangeId(secrets.token_hex(16))
    request = ChangeRequest(change_id, name, change, act.author, act.at, founding, votes=(vote,))
    data: dict[str, Json] = {"change": change_id, "kind": KINDS[type(change)], "subject": request.subject}
    insert_request(act.transaction, request, act.note(EventKind.CHANGE_PROPOSED, name, **data))
    return change_id


def _vote(act: Act, request: ChangeRequest, author: Principal, *, approves: bool, **more: Json) -> None:
    """The partner's vote counts, and no earlier one of its own."""
    lapse_vote(act.transaction, request.id, author.partner, act.at)
    vote = Vote(author.partner, author.id, approves, act.at)
    insert_vote(act.transaction, request.id, len(request.votes), vote)
    kind = EventKind.CHANGE_APPROVED if approves else EventKind.CHANGE_REJECTED
    act.note(kind, request.collaboration, **about(request), **more)


def _no_invitation() -> NotFound:
    return NotFound("There is no invitation of that name, or it is not yours to see.")
