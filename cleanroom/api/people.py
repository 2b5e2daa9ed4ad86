"""A partner's admins look after its people: who there is, what each may do and where. Nobody gives what it may not give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import credential, door, home, principal
from cleanroom.api.permissions import require_may_give, unknown
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.api.schemas.people import MeSchema, NewPrincipal, PrincipalChange, PrincipalPage, PrincipalSchema
from cleanroom.api.views import instant, moment
from cleanroom.domain.errors import Conflict, InvalidInput, NotPermitted, Problem
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.people import Grants, Person, in_reach, principal_id
from cleanroom.domain.query import Grant, Role

me = StrictBlueprint("me", __name__, url_prefix="/v1/me", description="Who is asking.")
people = StrictBlueprint("people", __name__, url_prefix="/v1/principals", description="Your partner's people.")


@me.route("")
@me.response(200, MeSchema)
def read() -> dict[str, Any]:
    """Who asks, and what the credential that was sent carries."""
    shown = credential()
    return {
        "principal": shown.principal.id,
        "partner": shown.principal.partner,
        "grants": grants_view(shown.principal.grants),
        "token": shown.token,
        "expires_at": moment(shown.expires_at),
    }


@people.route("")
@people.arguments(PageQuery, location="query")
@people.response(200, PrincipalPage)
def listing(page: dict[str, Any]) -> dict[str, Any]:
    """The principals of the caller's partner, by name."""
    limit = page.get("limit", door().settings.page_size)
    after = principal_id(principal().partner, page.get("cursor", ""))
    found = home().drawers.people.list(principal().partner, after=after, limit=limit + 1)
    shown = [_view(person) for person in found[:limit]]
    return {"principals": shown, "next_cursor": found[limit - 1].name if len(found) > limit else None}


@people.route("", methods=["POST"])
@people.arguments(NewPrincipal)
@people.response(201, PrincipalSchema)
def create(body: dict[str, Any]) -> Any:
    """A principal of the caller's partner. It opens nothing before it has a token."""
    caller, now = principal(), home().clock.now()
    grants = read_grants(body["grants"])
    require_may_give(caller, grants)
    made = Person(principal_id(caller.partner, body["name"]), caller.partner, body["title"], grants, now)
    with home().database.begin() as transaction:
        _require_member(grants)
        home().drawers.people.create(transaction, made, author=caller)
    return _view(made), 201, {"Location": f"/v1/principals/{made.name}"}


@people.route("/<principal_name>")
@people.response(200, PrincipalSchema)
def one(principal_name: str) -> dict[str, Any]:
    """One principal of the caller's partner."""
    return _view(known(principal_name))


@people.route("/<principal_name>", methods=["PATCH"])
@people.arguments(PrincipalChange)
@people.response(200, PrincipalSchema)
def change(body: dict[str, Any], principal_name: str) -> dict[str, Any]:
    """What is sent holds from now on, for every token that the principal has. 409: disabling oneself, giving up one's last
    admin role."""
    caller, now = principal(), home().clock.now()
    with home().database.begin() as transaction:
        of = known(principal_name)
        if "grants" in body:
            _regrant(transaction, of, read_grants(body["grants"]))
        if body.keys() & {"title", "disabled"}:
            _require_whole()
        if "title" in body:
            home().drawers.people.retitle(transaction, of, body["title"], at=now, author=caller)
        if "disabled" in body:
            if body["disabled"] and of.id == caller.id:
                raise Conflict("Nobody disables itself; another admin can.", "principal.self")
            home().drawers.people.disable(transaction, of, disabled=body["disabled"], at=now, author=caller)
    return _view(known(principal_name))


def known(name: str) -> Person:
    """The principal of the caller's partner of that name; NotFound."""
    found = home().drawers.people.get(principal_id(principal().partner, name))
    if found is None:
        raise unknown("principal")
    return found


def grants_view(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Roles and where they hold, in order."""
    shown = [{"role": grant.role, "collaboration": grant.collaboration} for grant in grants]
    return sorted(shown, key=lambda g: (g["role"], g["collaboration"] or ""))


def read_grants(shown: Iterable[dict[str, Any]]) -> Grants:
    """What was sent, as grants."""
    return frozenset(Grant(item["role"], item["collaboration"]) for item in shown)


def _view(person: Person) -> dict[str, Any]:
    return {
        "id": person.id,
        "name": person.name,
        "title": person.title,
        "grants": grants_view(in_reach(principal(), person.grants)),
        "created_at": instant(person.created_at),
        "disabled_at": moment(person.disabled_at),
    }


def _regrant(transaction: Any, of: Person, wanted: Grants) -> None:
    """Of what the caller may give, the principal has exactly what is wanted."""
    caller, now, drawer = principal(), home().clock.now(), home().drawers.people
    require_may_give(caller, wanted)
    _require_member(wanted - of.grants)
    taken = in_reach(caller, of.grants) - wanted
    left = (of.grants - taken) | wanted
    if of.id == caller.id and not any(grant.role is Role.ADMIN for grant in left):
        raise Conflict("Nobody gives up its own last admin role; another admin can take it.", "principal.last_admin")
    drawer.revoke(transaction, of, taken, at=now, author=caller)
    drawer.grant(transaction, of, wanted, at=now, author=caller)


def _require_whole() -> None:
    """What holds everywhere is changed by whoever is an admin everywhere."""
    if Role.ADMIN not in principal().roles_in(None):
        raise NotPermitted("Titles and disabling are for admins of the whole partner.")


def _require_member(grants: Grants) -> None:
    """The caller's partner is a member wherever a grant is to hold; elsewhere is as unknown as what there is not."""
    mine = {c.name for c in home().drawers.policies.collaborations(principal().partner)}
    named = {CollaborationName(grant.collaboration) for grant in grants if grant.collaboration is not None}
    if named - mine:
        text = "You grant a role in a collaboration that there is not, or that is not yours to see."
        raise InvalidInput((Problem("name.unknown", text, field="grants"),))
