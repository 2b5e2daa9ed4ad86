"""`cleanroom init` and `cleanroom token`: a folder → a clean room, a partner and roles → a token that is shown once."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.bootstrap import Home, init_home
from cleanroom.cli.options import database_url, home_option, opened, output_option
from cleanroom.cli.showing import print_json
from cleanroom.domain.identifiers import RESOURCE_NAME, PartnerName
from cleanroom.domain.query import Role


def _partner(_context: click.Context, _parameter: click.Parameter, value: str) -> PartnerName:
    if not RESOURCE_NAME.match(value):
        raise click.BadParameter("a partner's name is of lower-case letters, digits, - and _, a letter first.")
    return PartnerName(value)


@click.command()
@click.option("--partner", default="operator", show_default=True, callback=_partner, help="Whose admin the token is.")
@home_option
@output_option
def init(partner: PartnerName, home: Path, output: str) -> None:
    """Make home, database and keys; print the first admin token, once."""
    made = init_home(home, database_url())
    try:
        text, principal = _issue(made, partner, (Role.ADMIN,), name=None, replace=False)
    finally:
        made.close()
    if output == "json":
        print_json({"home": str(home), "token": text, "principal": principal})
        return
    click.echo(f"A clean room is ready in {home}.")
    click.echo(f"Admin token of {partner}, shown this once:")
    click.echo(text)


@click.group()
def token() -> None:
    """Give access to the HTTP server."""


@token.command()
@click.option("--partner", required=True, callback=_partner, help="For whom the holder acts.")
@click.option(
    "--role", "roles", required=True, multiple=True, type=click.Choice([r.value for r in Role]), help="May be repeated."
)
@click.option("--name", help="Name the holder; events in the log carry it.")
@click.option("--replace", is_flag=True, help="Revoke the tokens that the holder of this name had.")
@home_option
@output_option
def create(
    partner: PartnerName, roles: tuple[str, ...], name: str | None, *, replace: bool, home: Path, output: str
) -> None:
    """Print a new token, once."""
    if name is not None and not RESOURCE_NAME.match(name):
        raise click.BadParameter(
            "a name is of lower-case letters, digits, - and _, a letter first.", param_hint="--name"
        )
    with opened(home) as open_home:
        text, principal = _issue(open_home, partner, tuple(Role(role) for role in roles), name=name, replace=replace)
    if output == "json":
        print_json({"token": text, "principal": principal, "roles": sorted(roles)})
    else:
        click.echo(text)


def _issue(
    home: Home, partner: PartnerName, roles: tuple[Role, ...], *, name: str | None, replace: bool
) -> tuple[str, str]:
    with home.database.begin() as transaction:
        text, principal = home.drawers.tokens.create(
            transaction, partner, roles, at=home.clock.now(), name=name, replace=replace
        )
    return text, principal.id
