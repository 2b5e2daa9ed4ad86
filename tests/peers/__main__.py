"""`python -m tests.peers` → docs/peers.md says what is judged now. Needs the folder that CLEANROOM_PEER_CORPORA names."""

from __future__ import annotations

import sys

from tests.peers.cases import VARIABLE, corpora
from tests.peers.projects import PROJECTS
from tests.peers.table import PAGE, rewrite


def main() -> int:
    folder = corpora()
    if folder is None:
        print(f"{VARIABLE} names no folder of other projects' queries", file=sys.stderr)
        return 1
    rewrite(tuple(read(folder / name) for name, read in PROJECTS.items()))
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
