"""A root folder and a pattern → the real paths of the files it names. Nothing outside the root is named or even listed."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

from cleanroom.domain.errors import SourceError

MAXIMUM_FILES = 4_000  # a worker holds every file of a query open
_MAGIC = re.compile(r"[*?\[]")
_EVERYWHERE = "**"


def parts_of(pattern: str) -> tuple[str, ...]:
    """The pattern's components. SourceError "source.outside_root" for an absolute path or any `..`.

    `**` stands for any depth of folders and may occur once; at the end it means every file below.
    """
    if pattern.startswith(("/", "~")) or "\\" in pattern or "\0" in pattern:
        raise SourceError("A source must be a relative path within its root.", "source.outside_root")
    parts = tuple(part for part in pattern.split("/") if part not in ("", "."))
    if ".." in parts:
        raise SourceError("A source must not climb out of its root.", "source.outside_root")
    if not parts:
        raise SourceError("A source must name files.", "source.missing")
    if parts.count(_EVERYWHERE) > 1:
        raise SourceError("A source may hold one ** at most.", "source.unreadable")
    return (*parts, "*") if parts[-1] == _EVERYWHERE else parts


def matches(root: Path, pattern: str) -> tuple[Path, ...]:
    """Real paths, sorted, of all that the pattern names below `root` (real itself), folders aside. May be empty.

    Links are followed where they stay in the root, except below `**`, where linked folders are passed over.
    Hidden names match no wildcard. SourceError: "source.outside_root" for a link that leaves, "source.unreadable"
    for a folder that cannot be listed or more than MAXIMUM_FILES files. Messages hold no path.
    """
    found: set[Path] = set()
    try:
        for path in _expand(root, root, parts_of(pattern)):
            found.add(path)
            if len(found) > MAXIMUM_FILES:
                raise SourceError(f"A source names more than {MAXIMUM_FILES} files.", "source.unreadable")
    except OSError:
        raise SourceError("A folder of a source cannot be listed.", "source.unreadable") from None
    return tuple(sorted(found))


def inside(root: Path, path: Path) -> Path:
    """The path with every link resolved. SourceError "source.outside_root" where it is not below `root`."""
    real = Path(os.path.realpath(path))
    if not real.is_relative_to(root):
        raise SourceError("A source leads out of its root.", "source.outside_root")
    return real


def _expand(root: Path, folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """Real paths below `folder` that match `parts`; `folder` is real and lies in `root`."""
    head, *rest = parts
    if head == _EVERYWHERE:
        yield from _expand(root, folder, tuple(rest))
        for name in _names(folder, "*"):
            below = folder / name
            if below.is_dir() and not below.is_symlink():
                yield from _expand(root, below, parts)
        return
    for name in _names(folder, head):
        real = inside(root, folder / name)
        if not real.is_dir():
            if not rest:
                yield real
        elif rest:
            yield from _expand(root, real, tuple(rest))


def _names(folder: Path, part: str) -> list[str]:
    """The names in the folder that one component of a pattern matches."""
    if not _MAGIC.search(part):
        return [part] if _exists(folder / part) else []
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    return [n for n in names if fnmatch.fnmatchcase(n, part) and (part.startswith(".") or not n.startswith("."))]


def _exists(path: Path) -> bool:
    """Whether there is anything of that name, a link to nothing included. OSError where the folder keeps it to itself."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
