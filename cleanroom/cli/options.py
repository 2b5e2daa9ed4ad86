"""Options that several commands share, and the home that they name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import click

from cleanroom.bootstrap import Home, open_home
from cleanroom.domain.identifiers import RESOURCE_NAME, PartnerName
from cleanroom.sql import DIALECTS

Command = TypeVar("Command", bound=Callable[..., object])


def home_option(command: Command) -> Command:
    """The command takes `home`: its own --home, else that of `cleanroom`, else CLEANROOM_HOME, else ./.cleanroom."""
    option = click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        callback=lambda context, _parameter, value: value or context.find_root().obj,
        help="Where the server keeps its state.",
    )
    return option(command)


def partner_option(command: Command) -> Command:
    """The command takes `partner`: a partner's name."""
    return click.option("--partner", required=True, callback=partner_name, help="Whose.")(command)


def partner_name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> PartnerName | None:
    """The value, where it may name a partner; None where none was given."""
    if value is not None and not RESOURCE_NAME.match(value):
        raise click.BadParameter("a partner's name is of lower-case letters, digits, - and _, a letter first.")
    return None if value is None else PartnerName(value)


def output_option(command: Command) -> Command:
    """The command takes `output`: text or json."""
    kind = click.Choice(["text", "json"])
    return click.option("--output", type=kind, default="text", show_default=True, help="How to print.")(command)


def dialect_option(command: Command) -> Command:
    """The command takes `dialect`: a known one."""
    kind = click.Choice(list(DIALECTS))
    return click.option("--dialect", type=kind, default="duckdb", show_default=True, help="How --sql is read.")(command)


def folder_argument(command: Command) -> Command:
    """The command takes `folder`: a policy folder that exists."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.argument("folder", metavar="DIR", type=kind)(command)


def database_url() -> str | None:
    """What CLEANROOM_DATABASE_URL says; None: the SQLite file in the home."""
    return os.environ.get("CLEANROOM_DATABASE_URL") or None


@contextmanager
def opened(path: Path) -> Iterator[Home]:
    """The home at `path` for the length of a block."""
    home = open_home(path, database_url())
    try:
        yield home
    finally:
        home.close()
