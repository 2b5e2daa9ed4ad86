"""`python -m cleanroom.api` → the HTTP server of one home, until SIGTERM. Its environment holds no connection secret."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import Flask

from cleanroom.api.app import create_app
from cleanroom.api.server import Address, serve
from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import configure_logs, open_home
from cleanroom.domain.errors import CleanroomError


@click.command()
@click.option("--home", type=click.Path(path_type=Path), envvar="CLEANROOM_HOME", default=Path(".cleanroom"))
@click.option("--database-url", envvar="CLEANROOM_DATABASE_URL", default=None)
@click.option("--host", default="127.0.0.1")
@click.option("--port", type=click.IntRange(0, 65535), default=8000)
def main(home: Path, database_url: str | None, host: str, port: int) -> None:
    """Answers HTTP for the clean room at HOME."""
    configure_logs()

    def make_app() -> Flask:
        return create_app(open_home(home, database_url or None), ApiSettings())

    try:
        open_home(home, database_url or None).close()
    except CleanroomError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(4)
    serve(make_app, Address(host, port))


if __name__ == "__main__":
    main()
