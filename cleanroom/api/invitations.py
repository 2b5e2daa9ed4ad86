"""What invites the caller's partner, and its answer: nobody is a member without having accepted what it was shown."""

from __future__ import annotations

from typing import Any

from flask import Response

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.change_views import agreement_view, invitation_view
from cleanroom.api.context import door, home, principal
from cleanroom.api.schemas.catalog import CollaborationSchema
from cleanroom.api.schemas.changes import AcceptBody, InvitationPage
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.domain.identifiers import ChangeId

invitations = StrictBlueprint("invitations", __name__, url_prefix="/v1/invitations", description="Who wants you in.")


@invitations.route("")
@invitations.arguments(PageQuery, location="query")
@invitations.response(200, InvitationPage)
def listing(page: dict[str, Any]) -> dict[str, Any]:
    """Every collaboration that the caller's partner is invited to, the newest first. A page may be shorter than its limit."""
    limit = page.get("limit", door().settings.page_size)
    found, cursor = home().drawers.collaborations.invitations(
        principal().partner, cursor=page.get("cursor"), limit=limit
    )
    mine = [i for i in found if principal().roles_in(i.request.collaboration)]
    return {"invitations": [invitation_view(i) for i in mine], "next_cursor": cursor}


@invitations.route("/<invitation>:accept", methods=["POST"])
@invitations.arguments(AcceptBody)
@invitations.response(200, CollaborationSchema)
def accept(body: dict[str, Any], invitation: str) -> dict[str, Any]:
    """The caller's partner is a member, on the terms that it was shown; 409 where they have changed since."""
    change, at = ChangeId(invitation), home().clock.now()
    return agreement_view(home().drawers.collaborations.accept(change, body["terms"], author=principal(), at=at))


@invitations.route("/<invitation>:decline", methods=["POST"])
@invitations.alt_response(204, description="The partner is not to be a member.", success=True)
def decline(invitation: str) -> Response:
    """The caller's partner does not want to be a member; asked again, it may."""
    home().drawers.collaborations.decline(ChangeId(invitation), author=principal(), at=home().clock.now())
    return Response(status=204)
