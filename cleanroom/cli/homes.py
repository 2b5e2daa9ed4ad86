"""`cleanroom init` and `cleanroom token`: a folder → a clean room, a partner and roles → a token that is shown once."""

from __future__ import annotations

import datetime
from pathlib import Path

import click

from cleanroom.bootstrap import init_home
from cleanroom.cli.options import database_url, home_option, opened, output_option, partner_name
from cleanroom.cli.people import places_option
from cleanroom.cli.showing import print_json
from cleanroom.domain.identifiers import RESOURCE_NAME, CollaborationName, PartnerName
from cleanroom.domain.query import Role


@click.command()
@click.option(
    "--partner", default="operator", show_default=True, callback=partner_name, help="Whose admin the token is."
)
@home_option
@output_option
def init(partner: PartnerName, home: Path, output: str) -> None:
    """Make home, database and keys; print the first admin token, once."""
    made = init_home(home, database_url())
    try:
        with made.database.begin() as transaction:
            text, principal = made.drawers.tokens.create(transaction, partner, (Role.ADMIN,), at=made.clock.now())
    finally:
        made.close()
    if output == "json":
        print_json({"home": str(home), "token": text, "principal": principal.id})
        return
    click.echo(f"A clean room is ready in {home}.")
    click.echo(f"Admin token of {partner}, shown this once:")
    click.echo(text)


@click.group()
def token() -> None:
    """Give access to the HTTP server."""


@token.command()
@click.option("--partner", required=True, callback=partner_name, help="For whom the holder acts.")
@click.option(
    "--role", "roles", required=True, multiple=True, type=click.Choice([r.value for r in Role]), help="May be repeated."
)
@places_option
@click.option(
    "--expires-days",
    type=click.IntRange(0, 3660),
    default=90,
    show_default=True,
    help="When it ends; 0: never.",
)
@click.option("--name", help="Name the holder; events in the log carry it.")
@click.option("--replace", is_flag=True, help="Revoke the tokens that the holder of this name had.")
@home_option
@output_option
def create(
    partner: PartnerName,
    roles: tuple[str, ...],
    collaborations: tuple[CollaborationName, ...],
    expires_days: int,
    name: str | None,
    *,
    replace: bool,
    home: Path,
    output: str,
) -> None:
    """Print a new token, once. Partner and holder are made where there are none, and the holder is granted the roles."""
    if name is not None and not RESOURCE_NAME.match(name):
        raise click.BadParameter(
            "a name is of lower-case letters, digits, - and _, a letter first.", param_hint="--name"
        )
    with opened(home) as room, room.database.begin() as transaction:
        now = room.clock.now()
        text, principal = room.drawers.tokens.create(
            transaction,
            partner,
            [Role(role) for role in roles],
            at=now,
            name=name,
            collaborations=collaborations,
            expires_at=now + datetime.timedelta(days=expires_days) if expires_days else None,
            replace=replace,
        )
    if output == "json":
        print_json({"token": text, "principal": principal.id, "roles": sorted(roles)})
    else:
        click.echo(text)
