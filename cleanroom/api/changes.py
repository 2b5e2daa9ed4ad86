"""Founding, changing and leaving a collaboration: what touches other members holds once all of them said yes."""

from __future__ import annotations

from typing import Any

from flask import Response

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.change_views import agreement_view, change_view
from cleanroom.api.context import door, home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.catalog import CollaborationSchema
from cleanroom.api.schemas.changes import ChangeBody, ChangePage, ChangeSchema, ChangesQuery, CollaborationBody
from cleanroom.domain.collaboration import (
    Agreement,
    Change,
    ChangeRequest,
    ChangeState,
    Describe,
    Invite,
    Remove,
    SetAbilities,
)
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName
from cleanroom.domain.policy import Ability, Collaboration, Member

changes = StrictBlueprint(
    "changes", __name__, url_prefix="/v1/collaborations", description="Who takes part, and what each may do."
)


@changes.route("", methods=["POST"])
@changes.arguments(CollaborationBody)
@changes.response(201, CollaborationSchema)
def create(body: dict[str, Any]) -> Any:
    """A new collaboration of the caller's partner alone; the others that it names are invited. 409 where the name is taken."""
    caller = principal()
    if not any(m["partner"] == caller.partner for m in body["members"]):
        raise InvalidInput((Problem("input.invalid", "Your own partner is not among them.", field="members"),))
    members = tuple(Member(PartnerName(m["partner"]), _abilities(m)) for m in body["members"])
    value = Collaboration(CollaborationName(body["name"]), body["description"], members)
    made = home().drawers.collaborations.create(value, author=caller, at=home().clock.now())
    return agreement_view(made), 201, {"Location": f"/v1/collaborations/{value.name}"}


@changes.route("/<collaboration>:leave", methods=["POST"])
@changes.alt_response(204, description="The partner is a member no more.", success=True)
def leave(collaboration: str) -> Response:
    """At once, and asking nobody: its rules here are removed, its queries and those over its datasets stop."""
    name = CollaborationName(collaboration)
    home().drawers.collaborations.leave(name, author=principal(), at=home().clock.now())
    return Response(status=204)


@changes.route("/<collaboration>/changes")
@changes.arguments(ChangesQuery, location="query")
@changes.response(200, ChangePage)
def listing(page: dict[str, Any], collaboration: str) -> dict[str, Any]:
    """All that was ever proposed of the collaboration, the newest first."""
    agreement = _agreement(collaboration)
    state = ChangeState(page["state"]) if "state" in page else None
    limit = page.get("limit", door().settings.page_size)
    found = home().drawers.collaborations.changes(
        agreement.collaboration.name, state=state, cursor=page.get("cursor"), limit=limit
    )
    return {"changes": [change_view(r, agreement) for r in found.requests], "next_cursor": found.next_cursor}


@changes.route("/<collaboration>/changes", methods=["POST"])
@changes.arguments(ChangeBody)
@changes.response(201, ChangeSchema)
def propose(body: dict[str, Any], collaboration: str) -> Any:
    """Proposed, with the yes of the caller's partner. Where nobody else is to be asked, it holds already."""
    name = CollaborationName(collaboration)
    made = home().drawers.collaborations.propose(name, _change(body), author=principal(), at=home().clock.now())
    return _view(made), 201, {"Location": f"/v1/collaborations/{name}/changes/{made.id}"}


@changes.route("/<collaboration>/changes/<change>")
@changes.response(200, ChangeSchema)
def read(collaboration: str, change: str) -> dict[str, Any]:
    """One change, and who voted when."""
    return _view(_request(collaboration, change))


@changes.route("/<collaboration>/changes/<change>:approve", methods=["POST"])
@changes.response(200, ChangeSchema)
def approve(collaboration: str, change: str) -> dict[str, Any]:
    """The yes of the caller's partner; the last one makes the change hold. 409 where it is decided."""
    return _voted(collaboration, change, approves=True)


@changes.route("/<collaboration>/changes/<change>:reject", methods=["POST"])
@changes.response(200, ChangeSchema)
def reject(collaboration: str, change: str) -> dict[str, Any]:
    """The no of the caller's partner, which ends it. 409 where it is decided."""
    return _voted(collaboration, change, approves=False)


@changes.route("/<collaboration>/changes/<change>:withdraw", methods=["POST"])
@changes.response(200, ChangeSchema)
def withdraw(collaboration: str, change: str) -> dict[str, Any]:
    """Taken back by the partner that proposed it. 409 where it is decided."""
    found = _request(collaboration, change)
    return _view(home().drawers.collaborations.withdraw(found.id, author=principal(), at=home().clock.now()))


def _voted(collaboration: str, change: str, *, approves: bool) -> dict[str, Any]:
    found, at = _request(collaboration, change), home().clock.now()
    return _view(home().drawers.collaborations.vote(found.id, approves=approves, author=principal(), at=at))


def _agreement(name: str) -> Agreement:
    found = home().drawers.collaborations.agreement(CollaborationName(name))
    if found is None:
        raise unknown("collaboration")
    return found


def _request(collaboration: str, change: str) -> ChangeRequest:
    found = home().drawers.collaborations.change(CollaborationName(collaboration), ChangeId(change))
    if found is None:
        raise unknown("change")
    return found


def _view(request: ChangeRequest) -> dict[str, Any]:
    return change_view(request, _agreement(request.collaboration))


def _change(body: dict[str, Any]) -> Change:
    match body["kind"]:
        case "invite":
            return Invite(PartnerName(body["partner"]), _abilities(body))
        case "set_abilities":
            return SetAbilities(PartnerName(body["partner"]), _abilities(body))
        case "remove":
            return Remove(PartnerName(body["partner"]))
        case "describe":
            return Describe(body["description"])
        case _:
            raise AssertionError(body["kind"])


def _abilities(body: dict[str, Any]) -> frozenset[Ability]:
    return frozenset(Ability(ability) for ability in body["abilities"])
