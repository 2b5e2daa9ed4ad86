"""`python -m cleanroom.executor` → the executor of one home, until SIGTERM."""

from __future__ import annotations

import datetime
import os
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from cleanroom import broker
from cleanroom.bootstrap import Home, configure_logs, open_home
from cleanroom.domain.errors import CleanroomError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.engines.duckdb import EngineLimits
from cleanroom.executor.confinement import Confinement
from cleanroom.executor.execution import Ports
from cleanroom.executor.loop import Executor, Settings
from cleanroom.executor.pool import Pool, Warmth
from cleanroom.executor.retention import Retention
from cleanroom.executor.wire import Setup
from cleanroom.storage.sealing import seal
from cleanroom.store.opened_secrets import stored_secret
from cleanroom.store.policies import PolicyBook

_HEADROOM_BYTES = 512 * 1024**2  # interpreter, libraries, Arrow, and what an engine's own limit does not count
_SECRET = "CLEANROOM_SECRET_"
RETENTION = datetime.timedelta(days=7)


@click.command()
@click.option("--home", type=click.Path(path_type=Path), envvar="CLEANROOM_HOME", default=Path(".cleanroom"))
@click.option("--concurrency", type=click.IntRange(1, 64), default=2, help="Queries that run at once.")
@click.option("--deadline-s", type=click.FloatRange(min=0.1), default=300.0, help="The longest that one query may run.")
@click.option("--memory-mb", type=click.IntRange(64), default=2048, help="The engine's memory for one query.")
@click.option("--threads", type=click.IntRange(1, 256), default=2, help="The engine's threads for one query.")
@click.option("--spill-mb", type=click.IntRange(0), default=8192, help="Temporary files of one query.")
@click.option("--result-mb", type=click.IntRange(1), default=64, help="The largest result.")
@click.option("--grace-s", type=click.FloatRange(min=0), default=10.0, help="What running queries get after SIGTERM.")
@click.option(
    "--lease-s", type=click.FloatRange(1, 300), default=15.0, help="How long a query stays a silent executor's."
)
@click.option(
    "--queue-deadline-s", type=click.FloatRange(min=1), default=3600.0, help="The longest that one query may wait."
)
@click.option(
    "--retention-h",
    type=click.FloatRange(min=0),
    default=RETENTION / datetime.timedelta(hours=1),
    help="How long a result is kept after its release.",
)
def main(  # noqa: PLR0913, PLR0917 - one parameter an option
    home: Path,
    concurrency: int,
    deadline_s: float,
    memory_mb: int,
    threads: int,
    spill_mb: int,
    result_mb: int,
    grace_s: float,
    lease_s: float,
    queue_deadline_s: float,
    retention_h: float,
) -> None:
    """Runs the approved queries of the clean room at HOME. Options may come as CLEANROOM_EXECUTOR_<NAME> too."""
    seal()
    configure_logs()
    database_url = os.environ.get("CLEANROOM_DATABASE_URL")  # no option: other users read command lines
    engine = EngineLimits(memory_mb * 1024**2, threads, spill_mb * 1024**2)
    told = setup(engine, deadline_s, result_mb * 1024**2)
    try:
        opened = open_home(home.resolve(), database_url)
        try:
            settings = Settings(concurrency, deadline_s, lease_s, grace_s, queue_deadline_s)
            run(opened, told, settings, datetime.timedelta(hours=retention_h))
        finally:
            opened.close()
    except CleanroomError as error:
        click.echo(f"{error.code}: {error.message}", err=True)
        sys.exit(4)


def run(home: Home, told: Setup, settings: Settings, retention: datetime.timedelta) -> None:
    """Returns after SIGTERM or SIGINT, when nothing runs any more. EngineError "engine.unsafe".

    `retention`: how long results are kept.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pool = Pool(told, scratch=home.path / "scratch", warmth=Warmth(settings.concurrency))
    Executor(ports(home, os.environ, retention), pool, settings).run(stop)


def setup(engine: EngineLimits, deadline_s: float, result_bytes: int) -> Setup:
    """What every worker of this process is told."""
    confinement = Confinement(
        data_bytes=engine.memory_bytes + _HEADROOM_BYTES,
        cpu_s=int(deadline_s * engine.threads) + 60,
        file_bytes=engine.spill_bytes + 1024**2,
    )
    return Setup(os.getpid(), engine, confinement, result_bytes)


def ports(home: Home, environment: Mapping[str, str], retention: datetime.timedelta = RETENTION) -> Ports:
    """The executor's view of an open home. Of the environment it keeps the partners' secrets, nothing else.

    `retention`: how long a result is kept.
    """
    drawers = home.drawers
    return Ports(
        queue=drawers.queue,
        log=drawers.queries,
        book=drawers.policies,
        connections=drawers.policies,
        roots=drawers.roots.of,
        partners=lambda: partners(drawers.policies),
        secrets={name: value for name, value in environment.items() if name.startswith(_SECRET)},
        stored_secret=partial(stored_secret, home.database, drawers.master_keys),
        seal=lambda query, body, at: drawers.results.seal(query, body, at + retention),
        clock=home.clock,
        prepare=broker.prepare,
        executors=drawers.executors,
        idempotency=drawers.idempotency,
        retention=Retention(drawers.results),
    )


def partners(book: PolicyBook) -> frozenset[PartnerName]:
    """Every partner that a current document speaks of."""
    folder = book.folder()
    members = {member.partner for collaboration in folder.collaborations for member in collaboration.members}
    return frozenset(members | {connection.partner for connection in folder.connections})


if __name__ == "__main__":
    main(auto_envvar_prefix="CLEANROOM_EXECUTOR")
