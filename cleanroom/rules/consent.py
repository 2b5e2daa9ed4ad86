"""What members proposed and how they voted → what holds: nobody gets an ability without the yes of everybody it touches."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from cleanroom.domain.collaboration import (
    MOST_MEMBERS,
    Change,
    ChangeRequest,
    ChangeState,
    Describe,
    Invite,
    Remove,
    SetAbilities,
)
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import Collaboration, Member


@dataclass(frozen=True, slots=True)
class Applied:
    """The change holds now: `collaboration` is the next version."""

    request: ChangeRequest
    collaboration: Collaboration


@dataclass(frozen=True, slots=True)
class Ended:
    """The change never will hold: it was rejected or superseded."""

    request: ChangeRequest
    state: ChangeState


Outcome: TypeAlias = Applied | Ended


def fits(collaboration: Collaboration, change: Change) -> bool:
    """Whether the change would change anything, and there is what it would change."""
    match change:
        case Invite(partner=partner):
            return not collaboration.has(partner) and len(collaboration.members) < MOST_MEMBERS
        case SetAbilities(partner=partner, abilities=abilities):
            return any(m.partner == partner and m.abilities != abilities for m in collaboration.members)
        case Remove(partner=partner):
            return collaboration.has(partner) and len(collaboration.members) > 1
        case Describe(description=description):
            return description != collaboration.description
        case _ as never:
            assert_never(never)


def changed(collaboration: Collaboration, change: Change) -> Collaboration:
    """The collaboration with the change, which fits it."""
    match change:
        case Invite(partner=partner, abilities=abilities):
            return replace(collaboration, members=(*collaboration.members, Member(partner, abilities)))
        case SetAbilities(partner=partner, abilities=abilities):
            members = (Member(partner, abilities) if m.partner == partner else m for m in collaboration.members)
            return replace(collaboration, members=tuple(members))
        case Remove(partner=partner):
            return without(collaboration, partner)
        case Describe(description=description):
            return replace(collaboration, description=description)
        case _ as never:
            assert_never(never)


def without(collaboration: Collaboration, partner: PartnerName) -> Collaboration:
    """The collaboration of the others."""
    return replace(collaboration, members=tuple(m for m in collaboration.members if m.partner != partner))


def voters(collaboration: Collaboration, change: Change) -> frozenset[PartnerName]:
    """Whose yes the change needs: that of all members, of an invited partner, not of the one that is removed."""
    members = frozenset(m.partner for m in collaboration.members)
    match change:
        case Invite(partner=partner):
            return members | {partner}
        case Remove(partner=partner):
            return members - {partner}
        case SetAbilities() | Describe():
            return members
        case _ as never:
            assert_never(never)


def awaited(collaboration: Collaboration, request: ChangeRequest) -> frozenset[PartnerName]:
    """Whose yes is missing."""
    return voters(collaboration, request.change) - request.approvers


def invites(collaboration: Collaboration, request: ChangeRequest) -> bool:
    """Whether nothing but the invited partner's own word is missing: before that it must not learn who would be with it."""
    return isinstance(request.change, Invite) and awaited(collaboration, request) == {request.change.partner}


def terms(
    collaboration: Collaboration, requests: Iterable[ChangeRequest], invitation: ChangeRequest
) -> tuple[Member, ...]:
    """Everybody whom the invited partner would say yes to, itself too, by name: the members and, where the invitation is a
    founding one, all who are invited with it, come or not."""
    members = {m.partner: m.abilities for m in collaboration.members}
    fellows = [invitation, *(founders(collaboration, requests) if invitation.founding else ())]
    invited = {r.change.partner: r.change.abilities for r in fellows if isinstance(r.change, Invite)}
    return tuple(Member(partner, abilities) for partner, abilities in sorted((members | invited).items()))


def founders(collaboration: Collaboration, requests: Iterable[ChangeRequest]) -> tuple[ChangeRequest, ...]:
    """The founding invitations that nothing but their partner's own word is missing to."""
    return tuple(r for r in requests if r.founding and invites(collaboration, r))


def decided(collaboration: Collaboration, request: ChangeRequest) -> Outcome | None:
    """What became of the change by the votes that count; None: it is still open."""
    if request.rejected:
        return Ended(request, ChangeState.REJECTED)
    if not fits(collaboration, request.change) or not collaboration.has(request.proposer.partner):
        return Ended(request, ChangeState.SUPERSEDED)
    if awaited(collaboration, request):
        return None
    return Applied(request, changed(collaboration, request.change))


@dataclass(frozen=True, slots=True)
class Settlement:
    """What holds, what is still open, and what became of the rest, in that order."""

    collaboration: Collaboration
    waiting: tuple[ChangeRequest, ...]
    outcomes: tuple[Outcome, ...] = ()


def settled(before: Collaboration, collaboration: Collaboration, requests: Iterable[ChangeRequest]) -> Settlement:
    """What follows of the requests once `collaboration` holds after `before`: every one that is decided has its effect, and
    that effect on the others. Whoever joined has a say in all that is open; of who is gone nothing counts."""
    found = _followed(before, Settlement(collaboration, tuple(requests)))
    while (outcome := _first(found)) is not None:
        waiting = tuple(r for r in found.waiting if r.id != outcome.request.id)
        after = outcome.collaboration if isinstance(outcome, Applied) else found.collaboration
        found = _followed(found.collaboration, Settlement(after, waiting, (*found.outcomes, outcome)))
    return found


def departed(before: Collaboration, after: Collaboration) -> frozenset[PartnerName]:
    """Who was a member and is none any more."""
    return frozenset(m.partner for m in before.members if not after.has(m.partner))


def _followed(before: Collaboration, found: Settlement) -> Settlement:
    """Requests whose ground has moved are superseded; the votes of who is gone are void, so that who returns is asked anew."""
    gone = departed(before, found.collaboration)
    moved = [r for r in found.waiting if _ground(before, r.change) != _ground(found.collaboration, r.change)]
    kept = (r for r in found.waiting if r not in moved)
    waiting = tuple(replace(r, votes=tuple(v for v in r.votes if v.partner not in gone)) for r in kept)
    ended = tuple(Ended(r, ChangeState.SUPERSEDED) for r in moved)
    return replace(found, waiting=waiting, outcomes=(*found.outcomes, *ended))


def _ground(collaboration: Collaboration, change: Change) -> object:
    """What the change would change, as it is: where that is another than its voters saw, they said yes to something else."""
    match change:
        case Remove(partner=partner):
            return collaboration.has(partner)
        case Invite(partner=partner) | SetAbilities(partner=partner):
            return next((m.abilities for m in collaboration.members if m.partner == partner), None)
        case Describe():
            return collaboration.description
        case _ as never:
            assert_never(never)


def _first(found: Settlement) -> Outcome | None:
    return next((o for r in found.waiting if (o := decided(found.collaboration, r)) is not None), None)
