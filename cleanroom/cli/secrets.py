"""`cleanroom secret`: a partner's secrets in the store, written and removed by the operator, listed by name."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cleanroom.cli.options import home_option, opened, output_option, partner_option
from cleanroom.cli.showing import print_listing, when
from cleanroom.domain.errors import NotFound
from cleanroom.domain.identifiers import RESOURCE_NAME, PartnerName

_MOST = 8192


def _name(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not RESOURCE_NAME.match(value):
        raise click.BadParameter("a secret's name is of lower-case letters, digits, - and _, a letter first.")
    return value


@click.group()
def secret() -> None:
    """What opens the partners' storage. Values are written, and never shown."""


@secret.command("set")
@partner_option
@click.argument("name", callback=_name)
@home_option
def write(partner: PartnerName, name: str, home: Path) -> None:
    """Keep a secret for the connections of a partner, which refer to it as store:NAME.

    The value is read from standard input, or asked for without echo: others see a command line.
    """
    value = _value()
    with opened(home) as open_home, open_home.database.begin() as transaction:
        at = open_home.clock.now()
        open_home.drawers.secrets.write(transaction, partner, name, value, author=None, at=at)
    click.echo(f"Kept {name} for {partner}.")


@secret.command("list")
@home_option
@output_option
def listing(home: Path, output: str) -> None:
    """List the secrets by partner and name."""
    with opened(home) as open_home:
        found = open_home.drawers.secrets.list()
    rows = [(s.partner, s.name, when(s.written_at)) for s in found]
    print_listing(("partner", "name", "written_at"), rows, output)


@secret.command()
@partner_option
@click.argument("name", callback=_name)
@home_option
def remove(partner: PartnerName, name: str, home: Path) -> None:
    """Forget a secret. Queries over connections that refer to it fail from then on."""
    with opened(home) as open_home, open_home.database.begin() as transaction:
        at = open_home.clock.now()
        if not open_home.drawers.secrets.remove(transaction, partner, name, author=None, at=at):
            raise NotFound(f"{partner} keeps no secret of that name.")
    click.echo(f"Forgot {name} of {partner}.")


def _value() -> str:
    """The secret, without the line break that ends it."""
    if sys.stdin.isatty():
        value: str = click.prompt("Secret", hide_input=True, confirmation_prompt=True)
    else:
        value = _read()
    if not 0 < len(value) <= _MOST or "\0" in value:
        raise click.UsageError(f"A secret has between 1 and {_MOST} characters.")
    return value


def _read() -> str:
    try:
        return sys.stdin.read(_MOST + 2).removesuffix("\n")
    except UnicodeDecodeError:
        raise click.UsageError("The secret is not UTF-8 text.") from None
