"""`cleanroom upgrade`: a home of an earlier version → one of this version."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.bootstrap import upgrade_home
from cleanroom.cli.options import database_url, home_option


@click.command()
@home_option
def upgrade(home: Path) -> None:
    """Bring the database to this version's schema, and make what keys are missing. Stop the server first.

    Running it twice changes nothing.
    """
    upgrade_home(home, database_url()).close()
    click.echo(f"The clean room in {home} is of this version.")
