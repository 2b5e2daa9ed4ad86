"""A fresh worker process → one that cannot outlive its executor, dump core, or take more than its share."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from dataclasses import dataclass

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
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


def seal() -> None:
    """Holds from here to the process's end: no other process of this user reads its memory, environment or descriptors.

    A worker that data has taken over runs as the same user as the executor, whose environment holds every partner's
    secrets: a process that may not be dumped has its files in /proc owned by root, and cannot be traced (prctl(2)).
    What the process writes is its user's alone. OSError where the kernel refuses.
    """
    os.umask(0o077)
    _prctl(_PR_SET_DUMPABLE, 0)


def confine(limits: Confinement, *, executor: int) -> None:
    """Holds from here to the process's end: killed with the thread that started it, no core, no new privileges, limits set.

    `executor`: the pid that must be the parent. OSError where the kernel refuses.
    """
    os.umask(0o077)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
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


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
