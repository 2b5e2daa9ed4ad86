"""The command line: typed words → what the house does, told in sentences, with an exit code that scripts can rely on."""

from __future__ import annotations

from cleanroom.cli.app import main

__all__ = ["main"]
