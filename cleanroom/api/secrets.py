"""A data owner's secrets for its partner's connections: written and removed here, listed by name, shown to nobody."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.secrets import SecretBody, SecretList
from cleanroom.api.views import instant
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import RESOURCE_NAME

secrets = StrictBlueprint("secrets", __name__, url_prefix="/v1/secrets", description="What opens a partner's storage.")


@secrets.route("")
@secrets.response(200, SecretList)
def listing() -> dict[str, Any]:
    """The names of the partner's secrets, and when each was written."""
    found = home().drawers.secrets.list(principal().partner)
    return {
        "secrets": [{"name": s.name, "written_at": instant(s.written_at), "author": s.author} for s in found],
    }


@secrets.route("/<secret>", methods=["PUT"])
@secrets.arguments(SecretBody)
@secrets.response(204, description="The partner's connections may refer to it as store:<name>.")
def put(body: dict[str, Any], secret: str) -> None:
    """Keep a secret, in the place of the one of that name. No answer, log or page ever shows it again."""
    if not RESOURCE_NAME.match(secret):
        message = "A secret's name is of lower-case letters, digits, - and _, a letter first."
        raise InvalidInput((Problem("input.invalid", message, field="secret"),))
    drawer, at = home().drawers.secrets, home().clock.now()
    with home().database.begin() as transaction:
        drawer.write(transaction, principal().partner, secret, body["value"], author=principal(), at=at)


@secrets.route("/<secret>", methods=["DELETE"])
@secrets.response(204, description="There is no such secret any more.")
def remove(secret: str) -> None:
    """Forget a secret. Queries over connections that refer to it fail from then on."""
    drawer, at = home().drawers.secrets, home().clock.now()
    with home().database.begin() as transaction:
        if not drawer.remove(transaction, principal().partner, secret, author=principal(), at=at):
            raise unknown("secret")
