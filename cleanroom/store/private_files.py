"""A key's text ↔ a file of mode 0600, on the disk whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


class Unsafe(Exception):
    """Others than its owner may read the file."""


def read_private(path: Path) -> str:
    """The file's text. OSError, UnicodeDecodeError; Unsafe where its mode lets others read it."""
    with path.open(encoding="ascii") as file:
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise Unsafe
        return file.read()


def write_new(path: Path, text: str) -> None:
    """The whole text is at `path`, on the disk, or nothing is: a half-written key would be worth nothing.

    FileExistsError where there is a file already.
    """
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:  # made with mode 0600
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        path.hardlink_to(file.name)
    _sync_folder(path.parent)


def replace(path: Path, text: str) -> None:
    """The whole text is at `path`, on the disk, or what was there before is. One writer at a time.

    The draft has one name, so that what a writer left that was killed goes with the next.
    """
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
