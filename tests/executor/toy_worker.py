"""A worker whose answer to a job is what the job's query id says: the real process, pipes and confinement, no engine."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from cleanroom.domain.errors import EngineError
from cleanroom.executor.serving import serve
from cleanroom.executor.wire import Answer, Job, Setup


def prepare(setup: Setup) -> None:
    if "unsafe" in sys.argv:
        raise EngineError("The engine can do what it must not.", "engine.unsafe")
    if "slow" in sys.argv:
        time.sleep(60)
    if "noisy" in sys.argv:
        print("a stray line")


def answer(setup: Setup, job: Job) -> Answer:
    name, _, argument = job.query.partition(":")
    match name:
        case "say":
            return Answer(None, row_count=1, column_count=1, result=argument.encode())
        case "environment":
            return Answer(None, result=repr(sorted(os.environ.items())).encode())
        case "limits":
            names = ("RLIMIT_CORE", "RLIMIT_NOFILE", "RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE")
            return Answer(None, result=repr({n: resource.getrlimit(getattr(resource, n)) for n in names}).encode())
        case "descriptors":
            return Answer(
                None, result=repr(sorted(str(Path(f"/proc/self/fd/{n}").readlink()) for n in (0, 1, 2))).encode()
            )
        case "sleep":
            time.sleep(60)
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "child":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            time.sleep(60)
        case "spill":
            Path("spilled").write_bytes(b"x" * 1000)
            time.sleep(60)
        case "die":
            os.kill(os.getpid(), int(argument))
        case "exit":
            os._exit(0)
        case "hog":
            return Answer(None, result=bytes(1024**3)[:1])
        case "huge":
            return Answer(None, result=bytes(setup.result_bytes + 2**21))
        case "malformed":
            return Answer("engine.failed", detail=argument)
        case "code":
            return Answer(argument, broken=(0, 7))
    return Answer("engine.failed")


if __name__ == "__main__":
    serve(prepare=prepare, answer=answer)
