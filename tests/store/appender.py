"""A process that appends events to a log until it is done or killed: `python -m tests.store.appender URL COUNT`."""

from __future__ import annotations

import itertools
import sys

from cleanroom.domain.events import EventKind
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from tests.store.world import KEY, happened


def main() -> None:
    log = Log(Database(sys.argv[1]), KEY)
    for n in itertools.islice(itertools.count(), int(sys.argv[2])):
        logged = log.record(happened(EventKind.LOG_READ, data={"n": n}))
        sys.stdout.write(f"{logged.number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
