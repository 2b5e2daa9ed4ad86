"""A fresh worker process → one that cannot outlive its executor, dump core, or take more than its share."""

from __future__ import annotations

import os
import resource
import signal
from dataclasses import dataclass

from cleanroom.storage.sealing import prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38  # prctl(2)


@dataclass(frozen=True, slots=True)
class Confinement:
    """`data_bytes` bounds private writable memory (RLIMIT_DATA): the engine's own limit and room for what it does not count.

    RLIMIT_AS would count address space that allocators reserve and never use, several times the engine's limit.
    """

    data_bytes: int
    cpu_s: int
    file_bytes: int
    open_files: int = 16_384


def confine(limits: Confinement, *, executor: int) -> None:
    """Holds from here to the process's end: killed with the thread that started it, no core, no new privileges, limits set.

    `executor`: the pid that must be the parent. OSError where the kernel refuses.
    """
    os.umask(0o077)
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if os.getppid() != executor:  # it died before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.open_files)
    _limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit(resource.RLIMIT_CPU, limits.cpu_s)
    _limit(resource.RLIMIT_DATA, limits.data_bytes)


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    value = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (value, value))
