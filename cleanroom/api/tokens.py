"""Tokens of a partner's people: made by its admins, shown once; ended by them, or by whoever holds them."""

from __future__ import annotations

import datetime
from typing import Any

from flask import Response

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.people import grants_view, known, read_grants
from cleanroom.api.permissions import require_may_give
from cleanroom.api.schemas.people import IssuedToken, NewToken, TokenList
from cleanroom.api.views import instant, moment
from cleanroom.domain.errors import Conflict, InvalidInput, Problem
from cleanroom.domain.people import Grants, covers, in_reach
from cleanroom.store.tokens import TokenRecord

tokens = StrictBlueprint("tokens", __name__, url_prefix="/v1", description="What your partner's people show.")


@tokens.route("/principals/<principal_name>/tokens")
@tokens.response(200, TokenList)
def listing(principal_name: str) -> dict[str, Any]:
    """Every token that the principal ever had and the caller could have made, the oldest first; never a secret."""
    found = home().drawers.tokens.list(holder=known(principal_name).id)
    return {"tokens": [_view(token) for token in found if in_reach(principal(), token.scopes) == token.scopes]}


@tokens.route("/principals/<principal_name>/tokens", methods=["POST"])
@tokens.arguments(NewToken)
@tokens.response(201, IssuedToken)
def create(body: dict[str, Any], principal_name: str) -> Any:
    """A new token of the principal. Its text is in this answer and nowhere else, ever."""
    caller, now = principal(), home().clock.now()
    wanted = read_grants(body["scopes"]) if "scopes" in body else None
    require_may_give(caller, wanted or ())
    expires_at = now + datetime.timedelta(seconds=body["expires_in"])
    with home().database.begin() as transaction:
        holder = known(principal_name)
        scopes = in_reach(caller, holder.grants) if wanted is None else wanted
        _require_held(holder.grants, scopes)
        drawer = home().drawers.tokens
        text = drawer.mint(transaction, holder, scopes, at=now, expires_at=expires_at, author=caller)
    made = home().drawers.tokens.get(text.split("_")[1])
    assert made is not None
    return {**_view(made), "token": text}, 201, {"Location": f"/v1/tokens/{made.id}"}


@tokens.route("/tokens/<token>", methods=["DELETE"])
@tokens.alt_response(204, description="It opens nothing any more.", success=True)
def revoke(token: str) -> Response:
    """The token opens nothing any more. One's own, or as an admin one of the partner's people."""
    with home().database.begin() as transaction:
        home().drawers.tokens.revoke(transaction, token, at=home().clock.now(), author=principal())
    return Response(status=204)


def _require_held(held: Grants, scopes: Grants) -> None:
    if not scopes:
        raise Conflict("The token would carry nothing: the principal has no grant that you may give.", "token.empty")
    if not all(covers(held, scope) for scope in scopes):
        text = "A scope is more than the principal is granted: grant it first, or leave it out."
        raise InvalidInput((Problem("token.scope_beyond_grants", text, field="scopes"),))


def _view(token: TokenRecord) -> dict[str, Any]:
    return {
        "id": token.id,
        "principal": token.principal,
        "scopes": grants_view(token.scopes),
        "created_at": instant(token.created_at),
        "expires_at": moment(token.expires_at),
        "last_used_at": moment(token.last_used_at),
        "revoked_at": moment(token.revoked_at),
    }
