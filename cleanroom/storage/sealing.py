"""A process that holds partners' secrets → one that no other process of its user can look into."""

from __future__ import annotations

import ctypes
import os

_PR_SET_DUMPABLE = 4  # prctl(2)


def seal() -> None:
    """Holds from here to the process's end: no other process of this user reads its memory, environment or descriptors.

    A worker that data has taken over runs as the same user as the executor and the server, whose environments hold
    every partner's secrets: a process that may not be dumped has its files in /proc owned by root, and cannot be
    traced (prctl(2)). What the process writes is its user's alone. OSError where the kernel refuses.
    """
    os.umask(0o077)
    prctl(_PR_SET_DUMPABLE, 0)


def prctl(option: int, value: int) -> None:
    """Sets one attribute of this process (prctl(2)). OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
