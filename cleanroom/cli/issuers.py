"""`cleanroom issuer`: which OpenID Connect issuers are believed, and for whom each speaks. The operator alone decides it."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.cli.options import home_option, opened, output_option, partner_name
from cleanroom.cli.people import collaboration_name, short, spelled
from cleanroom.cli.showing import print_listing
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.people import Issuer
from cleanroom.domain.query import Grant, Role
from cleanroom.identity import issuer_problem

_LONGEST_AUDIENCE, _LONGEST_CLAIM = 255, 128


@click.group()
def issuer() -> None:
    """OpenID Connect issuers whose tokens are taken, each for one partner."""


@issuer.command("add")
@click.option("--partner", "of", required=True, callback=partner_name, help="For whom the issuer speaks.")
@click.option("--issuer", "url", required=True, help="Its URL, exactly as its tokens say it in `iss`.")
@click.option(
    "--audience", required=True, callback=short(_LONGEST_AUDIENCE), help="What its tokens for us say in `aud`."
)
@click.option(
    "--roles-claim",
    default="roles",
    show_default=True,
    callback=short(_LONGEST_CLAIM),
    help="The claim that names what somebody does; dots lead into it.",
)
@click.option(
    "--role-map",
    "pairs",
    multiple=True,
    metavar="NAME=ROLE[@COLLABORATION]",
    help="What a name in that claim gives. May be repeated; without it nobody may do anything.",
)
@home_option
def add_issuer(of: PartnerName, url: str, audience: str, roles_claim: str, pairs: tuple[str, ...], home: Path) -> None:
    """Take the tokens of an issuer, for one partner."""
    problem = issuer_problem(url)
    if problem is not None:
        raise click.BadParameter(problem, param_hint="--issuer")
    if not audience or not roles_claim:
        raise click.BadParameter("is empty.", param_hint="--audience and --roles-claim")
    added = Issuer(url, of, audience, roles_claim, tuple(_mapped(pair) for pair in pairs))
    with opened(home) as room, room.database.begin() as transaction:
        room.drawers.issuers.add(transaction, added, at=room.clock.now())
    click.echo(f"{url} speaks for {of}.")


@issuer.command("list")
@home_option
@output_option
def list_issuers(home: Path, output: str) -> None:
    """Every issuer, for whom it speaks and what its roles give."""
    with opened(home) as room:
        found = room.drawers.issuers.list()
    rows = [
        [i.url, i.partner, i.audience, i.roles_claim, ", ".join(f"{name}={spelled((g,))}" for name, g in i.role_map)]
        for i in found
    ]
    print_listing(("issuer", "partner", "audience", "roles_claim", "role_map"), rows, output)


@issuer.command("remove")
@click.argument("url")
@home_option
def remove_issuer(url: str, home: Path) -> None:
    """Take the issuer's tokens no more."""
    with opened(home) as room, room.database.begin() as transaction:
        room.drawers.issuers.remove(transaction, url, at=room.clock.now())
    click.echo(f"{url} speaks for nobody.")


def _mapped(pair: str) -> tuple[str, Grant]:
    name, _, given = pair.rpartition("=")
    role, at, place = given.partition("@")
    if not name or role not in {r.value for r in Role}:
        text = f"write NAME=ROLE or NAME=ROLE@COLLABORATION; roles are {', '.join(r.value for r in Role)}."
        raise click.BadParameter(text, param_hint="--role-map")
    return name, Grant(Role(role), collaboration_name(place) if at else None)
