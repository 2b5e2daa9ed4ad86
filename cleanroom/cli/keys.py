"""`cleanroom keys`: which master keys a home has, and a new one for an old one."""

from __future__ import annotations

from pathlib import Path

import click

from cleanroom.bootstrap import open_home_without_keys
from cleanroom.cli.options import database_url, home_option, opened, output_option
from cleanroom.cli.showing import print_json, rendered, table, when
from cleanroom.store.master_keys import in_force
from cleanroom.store.rotation import rotate as rotated


@click.group()
def keys() -> None:
    """The master keys under which results and secrets are sealed."""


@keys.command("list")
@home_option
@output_option
def listing(home: Path, output: str) -> None:
    """List the master keys: their ids and ages, never the keys."""
    with opened(home) as open_home:
        ring, now = open_home.drawers.master_keys.read(), open_home.clock.now()
        with open_home.database.read() as transaction:
            current = in_force(transaction)
    if output == "json":
        found = [{"id": k.id, "created_at": when(k.created_at), "in_force": k.id == current} for k in ring.keys]
        print_json(found)
        return
    rows = [
        (k.id, when(k.created_at), (now - k.created_at).days, "yes" if k.id == current else "no") for k in ring.keys
    ]
    columns = [("key", "VARCHAR"), ("created_at", "VARCHAR"), ("days", "INTEGER"), ("in force", "VARCHAR")]
    click.echo(rendered(table(columns, rows)), nl=False)


@keys.command()
@click.option("--lost", is_flag=True, help="Give up what no key opens any more: those results and secrets are gone.")
@home_option
@output_option
def rotate(*, lost: bool, home: Path, output: str) -> None:
    """Make a new master key, wrap every data key under it, and drop the old one.

    Servers that run follow by themselves. Where it was interrupted, running it again finishes.
    """
    open_home = open_home_without_keys(home, database_url())
    try:
        drawers = open_home.drawers
        done = rotated(open_home.database, drawers.log, drawers.master_keys, open_home.clock.now(), lost=lost)
    finally:
        open_home.close()
    if output == "json":
        print_json({"key": done.key_id, "results": done.results, "secrets": done.secrets, "lost": done.lost})
        return
    click.echo(f"The master key is now {done.key_id}. It seals {done.results} results and {done.secrets} secrets.")
    if done.lost:
        click.echo(f"{done.lost} that no key opened are gone.")
