"""`cleanroom partner`, `principal` and the rest of `token`: who may act here, as the operator decides it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from cleanroom.bootstrap import Home
from cleanroom.cli.options import home_option, opened, output_option, partner_name
from cleanroom.cli.showing import print_listing, when
from cleanroom.domain.errors import NotFound
from cleanroom.domain.identifiers import RESOURCE_NAME, CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.people import Person
from cleanroom.domain.query import Grant, Role

_LONGEST_TITLE, _LONGEST_CONTACT, _LONGEST_ID = 200, 320, 191
_OF_ISSUER = "oidc:"
_Check = Callable[[click.Context, click.Parameter, Any], Any]


def short(most: int) -> _Check:
    """A check that the value is one line of so many characters at most."""

    def check(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
        if len(value) > most or not value.isprintable():
            raise click.BadParameter(f"at most {most} characters, on one line.")
        return value

    return check


def collaboration_names(
    _context: click.Context, _parameter: click.Parameter, value: Iterable[str]
) -> tuple[CollaborationName, ...]:
    """The values, where each may name a collaboration."""
    return tuple(collaboration_name(name) for name in value)


def collaboration_name(name: str) -> CollaborationName:
    """The text, where it may name a collaboration."""
    if not RESOURCE_NAME.match(name):
        raise click.BadParameter("a collaboration's name is of lower-case letters, digits, - and _, a letter first.")
    return CollaborationName(name)


def _principal(_context: click.Context, _parameter: click.Parameter, value: str) -> PrincipalId:
    partner, slash, name = value.partition("/")
    vouched = name.removeprefix(_OF_ISSUER)
    plain = vouched.isascii() and vouched.isprintable() and vouched == vouched.strip() and len(value) <= _LONGEST_ID
    of_issuer = name.startswith(_OF_ISSUER) and vouched and plain
    if not slash or not RESOURCE_NAME.match(partner) or not (RESOURCE_NAME.match(name) or _token_id(name) or of_issuer):
        raise click.BadParameter("write <partner>/<name>, such as retailer/insights.")
    return PrincipalId(value)


def _token_id(name: str) -> bool:
    """Whoever was not named goes by the id of its token."""
    return len(name) == 16 and all(c in "0123456789abcdef" for c in name)


@click.group()
def partner() -> None:
    """The organisations that take part."""


@partner.command("add")
@click.argument("name", callback=partner_name)
@click.option("--title", default="", callback=short(_LONGEST_TITLE), help="Its name in full.")
@click.option("--contact", default="", callback=short(_LONGEST_CONTACT), help="Whom the operator turns to.")
@home_option
def add_partner(name: PartnerName, title: str, contact: str, home: Path) -> None:
    """Make a partner known. `token create` does so by itself, without title and contact."""
    with opened(home) as room, room.database.begin() as transaction:
        room.drawers.partners.add(transaction, name, title=title, contact=contact, at=room.clock.now())
    click.echo(f"{name} is a partner.")


@partner.command("list")
@home_option
@output_option
def list_partners(home: Path, output: str) -> None:
    """Every partner, and whether it is suspended."""
    with opened(home) as room:
        found = room.drawers.partners.list()
    rows = [[p.name, p.title, p.contact, when(p.created_at), when(p.suspended_at)] for p in found]
    print_listing(("name", "title", "contact", "created_at", "suspended_at"), rows, output)


@partner.command("suspend")
@click.argument("name", callback=partner_name)
@home_option
def suspend_partner(name: PartnerName, home: Path) -> None:
    """From now on nobody acts for the partner. Its data and rules stay as they are."""
    with opened(home) as room, room.database.begin() as transaction:
        changed = room.drawers.partners.suspend(transaction, name, at=room.clock.now())
    click.echo(f"{name} is suspended." if changed else f"{name} was suspended already.")


@partner.command("resume")
@click.argument("name", callback=partner_name)
@home_option
def resume_partner(name: PartnerName, home: Path) -> None:
    """The partner's people act for it again."""
    with opened(home) as room, room.database.begin() as transaction:
        changed = room.drawers.partners.resume(transaction, name, at=room.clock.now())
    click.echo(f"{name} takes part again." if changed else f"{name} was not suspended.")


@click.group()
def principal() -> None:
    """The people and programs that act for partners."""


@principal.command("list")
@click.option("--partner", "of", callback=partner_name, help="Only of this partner.")
@home_option
@output_option
def list_principals(of: PartnerName | None, home: Path, output: str) -> None:
    """Every principal, what it may do and where."""
    with opened(home) as room:
        found = room.drawers.people.list(of)
    rows = [[p.id, p.title, spelled(p.grants), when(p.created_at), when(p.disabled_at)] for p in found]
    print_listing(("id", "title", "grants", "created_at", "disabled_at"), rows, output)


@principal.command("disable")
@click.argument("name", metavar="PARTNER/NAME", callback=_principal)
@home_option
def disable(name: PrincipalId, home: Path) -> None:
    """From now on nothing opens for the principal; of an issuer's (PARTNER/oidc:SUBJECT) neither."""
    with opened(home) as room, room.database.begin() as transaction:
        of = _known(room, transaction, name)
        changed = room.drawers.people.disable(transaction, of, disabled=True, at=room.clock.now())
    click.echo(f"{name} is disabled." if changed else f"{name} was disabled already.")


@principal.command("enable")
@click.argument("name", metavar="PARTNER/NAME", callback=_principal)
@home_option
def enable(name: PrincipalId, home: Path) -> None:
    """What the principal holds opens again."""
    with opened(home) as room, room.database.begin() as transaction:
        of = _existing(room, name)
        changed = room.drawers.people.disable(transaction, of, disabled=False, at=room.clock.now())
    click.echo(f"{name} is enabled." if changed else f"{name} was not disabled.")


_role = click.option(
    "--role", "roles", required=True, multiple=True, type=click.Choice([r.value for r in Role]), help="May be repeated."
)
places_option = click.option(
    "--collaboration",
    "collaborations",
    multiple=True,
    callback=collaboration_names,
    help="Where the roles hold; without it, in all that is the partner's. May be repeated.",
)


@principal.command("grant")
@click.argument("name", metavar="PARTNER/NAME", callback=_principal)
@_role
@places_option
@home_option
def grant(name: PrincipalId, roles: tuple[str, ...], collaborations: tuple[CollaborationName, ...], home: Path) -> None:
    """The principal may do this too. Its tokens carry it where their scopes do."""
    with opened(home) as room, room.database.begin() as transaction:
        given = grants_of(roles, collaborations)
        room.drawers.people.grant(transaction, _existing(room, name), given, at=room.clock.now())
    click.echo(f"{name}: + {spelled(given)}")


@principal.command("revoke")
@click.argument("name", metavar="PARTNER/NAME", callback=_principal)
@_role
@places_option
@home_option
def revoke(
    name: PrincipalId, roles: tuple[str, ...], collaborations: tuple[CollaborationName, ...], home: Path
) -> None:
    """The principal may not do this any more, with any token."""
    with opened(home) as room, room.database.begin() as transaction:
        taken = grants_of(roles, collaborations)
        gone = room.drawers.people.revoke(transaction, _existing(room, name), taken, at=room.clock.now())
    click.echo(f"{name}: - {spelled(gone)}" if gone else f"{name} had nothing of this.")


@click.command("list")
@click.option("--partner", "of", callback=partner_name, help="Only of this partner.")
@home_option
@output_option
def list_tokens(of: PartnerName | None, home: Path, output: str) -> None:
    """Every token there ever was; never a secret."""
    with opened(home) as room:
        found = room.drawers.tokens.list(of)
    rows = [
        [
            t.id,
            t.principal,
            spelled(t.scopes),
            when(t.created_at),
            when(t.expires_at),
            when(t.last_used_at),
            when(t.revoked_at),
        ]
        for t in found
    ]
    print_listing(("id", "principal", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at"), rows, output)


@click.command("revoke")
@click.argument("token")
@home_option
def revoke_token(token: str, home: Path) -> None:
    """The token of this id opens nothing any more."""
    with opened(home) as room, room.database.begin() as transaction:
        if room.drawers.tokens.get(token) is None:
            raise NotFound("There is no token of that id; `cleanroom token list` shows them.")
        changed = room.drawers.tokens.revoke(transaction, token, at=room.clock.now())
    click.echo("It opens nothing any more." if changed else "It was revoked already.")


def _existing(room: Home, name: PrincipalId) -> Person:
    found = room.drawers.people.get(name)
    if found is None:
        raise NotFound("There is no principal of that name; `cleanroom principal list` shows them.")
    return found


def _known(room: Home, transaction: Any, name: PrincipalId) -> Person:
    """The principal; one that an issuer vouches for is written down only now, to be disabled."""
    of, _, own = name.partition("/")
    if room.drawers.people.get(name) is None and own.startswith(_OF_ISSUER):
        if room.drawers.partners.get(PartnerName(of)) is None:
            raise NotFound("There is no partner of that name; `cleanroom partner list` shows them.")
        made = Person(name, PartnerName(of), "", frozenset(), room.clock.now())
        return room.drawers.people.create(transaction, made)
    return _existing(room, name)


def grants_of(roles: Iterable[str], collaborations: Iterable[CollaborationName]) -> frozenset[Grant]:
    """Each role in each collaboration; everywhere where none is named."""
    places = tuple(collaborations) or (None,)
    return frozenset(Grant(Role(role), place) for role in roles for place in places)


def spelled(grants: Iterable[Grant]) -> str:
    """The grants as people write them: analyst, admin@retail-media."""
    return ", ".join(sorted(g.role.value + (f"@{g.collaboration}" if g.collaboration else "") for g in grants))
