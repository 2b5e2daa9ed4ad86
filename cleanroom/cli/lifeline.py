"""A parent's process id and a command → this process becomes that command, and gets SIGTERM when the parent ends.

Run by path, as a script: `python -I lifeline.py PID COMMAND…`. What prctl(2) sets here survives the exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Never returns."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(parent):  # it ended before the kernel was asked
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - the parent's own command


if __name__ == "__main__":
    main(sys.argv[1:])
