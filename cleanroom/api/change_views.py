"""Agreements, invitations and change requests → the JSON that a member, or an invited partner, may see of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cleanroom.api.views import instant
from cleanroom.domain.collaboration import Agreement, ChangeRequest, ChangeState, Describe, Remove, Vote
from cleanroom.domain.policy import Ability
from cleanroom.rules.consent import awaited, terms
from cleanroom.store.change_rows import KINDS
from cleanroom.store.collaborations import Invitation


def agreement_view(agreement: Agreement) -> dict[str, Any]:
    """The collaboration as its members see it: who is in, and whom all of them invited."""
    collaboration = agreement.collaboration
    members = [_member(m.partner, m.abilities, "active") for m in collaboration.members]
    members += [_member(i.partner, i.abilities, "invited") for i in agreement.invited]
    about = {"name": collaboration.name, "description": collaboration.description, "version": agreement.version}
    return {**about, "members": members}


def invitation_view(invitation: Invitation) -> dict[str, Any]:
    """All that the partner would say yes to."""
    request, agreement = invitation.request, invitation.agreement
    active = {m.partner for m in agreement.collaboration.members}
    members = terms(agreement.collaboration, agreement.requests, request)
    mine = next(m.abilities for m in members if m.partner == request.subject)
    assert request.invited_at is not None
    return {
        "id": request.id,
        "collaboration": request.collaboration,
        "description": agreement.collaboration.description,
        "version": agreement.version,
        "founding": request.founding,
        "invited_by": request.proposer.partner,
        "invited_at": instant(request.invited_at),
        "abilities": _sorted(mine),
        "members": [_member(m.partner, m.abilities, "active" if m.partner in active else "invited") for m in members],
        "terms": invitation.terms,
    }


def change_view(request: ChangeRequest, agreement: Agreement) -> dict[str, Any]:
    """The request, and who is still to be heard."""
    change, decided = request.change, request.decided_at
    waiting = awaited(agreement.collaboration, request) if request.state is ChangeState.OPEN else frozenset()
    return {
        "id": request.id,
        "collaboration": request.collaboration,
        "kind": KINDS[type(change)],
        "partner": request.subject,
        "abilities": None if isinstance(change, Describe | Remove) else _sorted(change.abilities),
        "description": change.description if isinstance(change, Describe) else None,
        "state": request.state.value,
        "founding": request.founding,
        "proposer": request.proposer.id,
        "proposed_at": instant(request.proposed_at),
        "decided_at": None if decided is None else instant(decided),
        "awaiting": sorted(waiting),
        "votes": [_vote(vote) for vote in request.votes],
    }


def _member(partner: str, abilities: Iterable[Ability], state: str) -> dict[str, Any]:
    return {"partner": partner, "abilities": _sorted(abilities), "state": state}


def _sorted(abilities: Iterable[Ability]) -> list[str]:
    return sorted(ability.value for ability in abilities)


def _vote(vote: Vote) -> dict[str, Any]:
    said = "approve" if vote.approves else "reject"
    about = {"partner": vote.partner, "principal": vote.principal, "vote": said}
    return {**about, "at": instant(vote.at), "counts": vote.lapsed_at is None}
