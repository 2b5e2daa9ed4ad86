"""`python -m cleanroom.api` → the HTTP server of one home, until SIGTERM."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from cleanroom.api.app import create_app
from cleanroom.api.server import Address, serve
from cleanroom.api.settings import ApiSettings
from cleanroom.bootstrap import close_to_others, configure_logs, open_home
from cleanroom.domain.errors import CleanroomError

_SECRET = "CLEANROOM_SECRET_"
_METRICS_TOKEN = "CLEANROOM_METRICS_TOKEN"
_SHORTEST_TOKEN = 16


@click.command()
@click.option("--home", type=click.Path(path_type=Path), envvar="CLEANROOM_HOME", default=Path(".cleanroom"))
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--threads", type=click.IntRange(4, 256), default=16, help="Requests that are answered at once.")
def main(home: Path, host: str, port: int, threads: int) -> None:
    """Answers HTTP for the clean room at HOME."""
    close_to_others()  # what is taken out of the environment below stays in the memory that the process began with
    for name in [name for name in os.environ if name.startswith(_SECRET)]:
        del os.environ[name]  # partners' secrets are the executor's alone
    metrics_token = os.environ.pop(_METRICS_TOKEN, "") or None
    configure_logs()
    if metrics_token is not None and len(metrics_token) < _SHORTEST_TOKEN:
        click.echo(f"metrics.token_short: {_METRICS_TOKEN} must have {_SHORTEST_TOKEN} characters or more.", err=True)
        sys.exit(4)
    database_url = os.environ.get("CLEANROOM_DATABASE_URL")  # no option: other users read command lines
    try:
        open_home(home, database_url).close()  # what is wrong with the home is said before the port is taken
    except CleanroomError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(4)
    settings = ApiSettings(most_waiting=threads - 3, metrics_token=metrics_token)
    serve(lambda: create_app(open_home(home, database_url), settings), Address(host, port), threads=threads)


if __name__ == "__main__":
    main(auto_envvar_prefix="CLEANROOM_API")
