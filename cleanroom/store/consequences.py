"""A new version of a collaboration → all that follows of it in the same transaction: who goes, what is decided by that."""

from __future__ import annotations

from cleanroom.domain.collaboration import ChangeRequest, ChangeState, Invite, Remove
from cleanroom.domain.events import EventKind, Json
from cleanroom.domain.policy import Collaboration
from cleanroom.rules.consent import Applied, Outcome, departed, invites, settled
from cleanroom.store.change_rows import open_requests, set_request
from cleanroom.store.departures import Act, take_leave


def follow(act: Act, before: Collaboration, after: Collaboration) -> Collaboration:
    """Holds: who is in `before` alone has left, and every change that `after` decides is decided. Returns what holds then.

    `after` is current; without members, it is no more.
    """
    take_leave(act, before, after)
    settlement = settled(before, after, open_requests(act.transaction, after.name))
    standing = after
    for outcome in settlement.outcomes:
        standing = _carry_out(act, standing, outcome)
    for request in settlement.waiting:
        _show(act, standing, request)
    return standing


def _carry_out(act: Act, standing: Collaboration, outcome: Outcome) -> Collaboration:
    request = outcome.request
    if not isinstance(outcome, Applied):
        end_request(act, request, outcome.state)
        if outcome.state is ChangeState.SUPERSEDED:
            act.note(EventKind.CHANGE_SUPERSEDED, request.collaboration, **about(request))
        return standing
    version = act.put(outcome.collaboration)
    end_request(act, request, ChangeState.APPLIED)
    act.note(EventKind.CHANGE_APPLIED, request.collaboration, change=request.id, version=version)
    if isinstance(request.change, Invite):
        joined = request.change.partner
        act.note(EventKind.MEMBER_JOINED, request.collaboration, partner=joined, version=version)
    if isinstance(request.change, Remove):
        removed = request.change.partner
        act.note(EventKind.MEMBER_REMOVED, request.collaboration, partner=removed, version=version)
    take_leave(act, standing, outcome.collaboration)
    return outcome.collaboration


def end_request(act: Act, request: ChangeRequest, state: ChangeState) -> None:
    """The request is decided, so."""
    set_request(act.transaction, request.id, state=state.value, decided_at=act.at)


def about(request: ChangeRequest) -> dict[str, Json]:
    """What an event says of a request: an invited partner sees the event where it has seen the invitation."""
    seen = request.subject if request.invited_at is not None else None
    return {"change": request.id, "partner": seen}


def _show(act: Act, standing: Collaboration, request: ChangeRequest) -> None:
    """The partner that it names sees the invitation exactly while every member approves it."""
    invited = invites(standing, request)
    if invited == (request.invited_at is not None):
        return
    set_request(act.transaction, request.id, invited_at=act.at if invited else None)
    if invited:
        act.note(EventKind.MEMBER_INVITED, request.collaboration, change=request.id, partner=request.subject)


def removed_by_operator(act: Act, before: Collaboration, after: Collaboration) -> None:
    """The log says who is a member no more because the operator wrote so."""
    for partner in sorted(departed(before, after)):
        act.note(EventKind.MEMBER_REMOVED, before.name, partner=partner)
