"""`cleanroom serve`: a home → the HTTP server and its executors, processes that live and end together."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from cleanroom.cli.children import Child, Family, usable_port
from cleanroom.cli.failures import Exit, Told
from cleanroom.cli.options import home_option, opened
from cleanroom.storage.sealing import seal

SECRETS = "CLEANROOM_SECRET_"
METRICS_TOKEN = "CLEANROOM_METRICS_TOKEN"
_READY_S = 60.0
_ENDING_S = 10.0
"""What a process gets to end in, beyond the grace of its queries."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many requests are answered at once, how many processes run queries, what those get at the end, and how long
    results are kept where it is said here."""

    threads: int = 16
    executors: int = 1
    grace_s: float = 10.0
    retention_h: float | None = None


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one."
)
@click.option(
    "--threads", default=16, show_default=True, type=click.IntRange(4, 256), help="Requests that are answered at once."
)
@click.option(
    "--executors", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes that run queries."
)
@click.option(
    "--grace-s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(0, 3600),
    help="What running queries get at the end.",
)
@click.option("--retention-h", type=click.FloatRange(min=0), help="How long a result is kept; 168 unless said.")
@home_option
def serve(
    host: str, port: int, threads: int, executors: int, grace_s: float, retention_h: float | None, home: Path
) -> None:
    """Run the HTTP server and its executors until Ctrl-C or SIGTERM."""
    seal()  # this environment holds the executors' secrets too
    with opened(home):
        pass  # what is wrong with the home is said once, by this process
    port = usable_port(host, port)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    sizes = Sizes(threads, executors, grace_s, retention_h)
    family = Family(children(home, host, port, os.environ, sizes), grace_s=grace_s + _ENDING_S)
    try:
        family.start()
        url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        if not family.ready(url, _READY_S):
            click.echo("error: The server did not become ready; the lines above say why. [serve.not_ready]", err=True)
            raise Told(Exit.FAILED)
        click.echo(f"Cleanroom answers at {url} (its calls are described at {url}/docs). Ctrl-C ends it.")
        name = family.watch()
        click.echo(f"error: The {name} keeps ending; the lines above say why. [serve.child_failed]", err=True)
        raise Told(Exit.FAILED)
    except _Stopped:
        click.echo("Stopping.")
    finally:
        family.stop()


def children(home: Path, host: str, port: int, environment: Mapping[str, str], sizes: Sizes) -> tuple[Child, ...]:
    """The processes. Only the executors' environment holds connection secrets, only the server's the metrics token."""
    shared = {**environment, "CLEANROOM_HOME": str(home.resolve())}
    public = {name: value for name, value in shared.items() if not name.startswith(SECRETS)}
    private = {name: value for name, value in shared.items() if name != METRICS_TOKEN}
    address = ("--host", host, "--port", str(port))
    http = (sys.executable, "-m", "cleanroom.api", *address, "--threads", str(sizes.threads))
    kept = () if sizes.retention_h is None else ("--retention-h", str(sizes.retention_h))
    work = (sys.executable, "-m", "cleanroom.executor", "--grace-s", str(sizes.grace_s), *kept)
    workers = (Child(f"executor {number}", work, private) for number in range(1, sizes.executors + 1))
    return (Child("HTTP server", http, public), *workers)


class _Stopped(BaseException):
    """Somebody asked the server to end."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise _Stopped
