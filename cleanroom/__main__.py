"""`python -m cleanroom` → the command line."""

from __future__ import annotations

from cleanroom.cli import main

if __name__ == "__main__":
    main()
