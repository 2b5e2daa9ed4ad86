"""A partner's folder → a source pinned to exact files. Reaches only roots that the operator admitted for that partner."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from cleanroom.domain.errors import SourceError
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import Connection, Dataset
from cleanroom.domain.ports import FileSource
from cleanroom.storage.pattern import matches

_KEY_BYTES = 32
_FORMATS = {".parquet": "parquet", ".csv": "csv"}
_UNNAMEABLE = re.compile(r"[*?\[\]{}\0\ud800-\udfff]")  # engines read the first as patterns; the last are no Unicode


class FilesConnector:
    """Connections of type `files`: Parquet and CSV below `options["root"]`.

    `admitted`: for each partner the folders (absolute) that the operator lets its connections reach.
    """

    def __init__(self, admitted: Mapping[PartnerName, tuple[str, ...]]) -> None:
        self._admitted = admitted

    def pin(self, connection: Connection, dataset: Dataset, secret: str | None) -> FileSource:
        """The files that `dataset.source` names now, each readable, regular and within the root.

        `secret` is the key under which all of them are encrypted (see `_key`). SourceError: source.secret_unusable,
        source.outside_root, source.missing (no file), source.unreadable (no permission, not a regular file,
        not one format). No message holds a path.
        """
        root = self._root(connection, dataset)
        paths = matches(root, dataset.source)
        if not paths:
            raise SourceError("A source names no files.", "source.missing")
        form = _format_of(paths)
        texts = tuple(str(path) for path in paths)
        if any(_UNNAMEABLE.search(text) for text in texts):
            raise SourceError(
                "A file's path holds characters that engines do not read as they are.", "source.unreadable"
            )
        return FileSource(dataset, form, texts, snapshot_of(texts), _key(secret, form))

    def still(self, source: FileSource) -> None:
        """Holds where the files are the very files that were pinned, unchanged. SourceError "source.changed"."""
        try:
            same = snapshot_of(source.paths) == source.snapshot
        except SourceError:
            same = False
        if not same:
            raise SourceError("A source changed while it was read.", "source.changed")

    def _root(self, connection: Connection, dataset: Dataset) -> Path:
        root = connection.options.get("root", "")
        if (
            dataset.partner != connection.partner
            or dataset.connection != connection.name
            or not Path(root).is_absolute()
        ):
            raise SourceError("A dataset reaches only its own partner's connection.", "source.outside_root")
        real = Path(os.path.realpath(root))
        admitted = (os.path.realpath(folder) for folder in self._admitted.get(connection.partner, ()))
        if not any(real.is_relative_to(folder) for folder in admitted):
            raise SourceError("The connection's root is not admitted for its partner.", "source.outside_root")
        return real


def snapshot_of(paths: tuple[str, ...]) -> str:
    """Hex SHA-256 over (path, device, inode, size, mtime_ns, ctime_ns) of every file, in order.

    The paths must be real: a link in any component is SourceError "source.outside_root". ctime is there because a
    partner can set a file's mtime back, but not its ctime; a rename moves it too.
    """
    digest = hashlib.sha256()
    for path in paths:
        with ExitStack() as opened:
            digest.update(_identity(path, opened)[1])
    return digest.hexdigest()


def opened(source: FileSource, files: ExitStack) -> FileSource:
    """The source with its files open, named by descriptors of this process: what a path leads to can change no more.

    The descriptors live as long as `files`. SourceError "source.changed" where they are not the files that were pinned.
    """
    digest = hashlib.sha256()
    names = []
    try:
        for path in source.paths:
            descriptor, identity = _identity(path, files)
            digest.update(identity)
            names.append(f"/proc/self/fd/{descriptor}")
    except SourceError:
        digest.update(b"gone")
    if digest.hexdigest() != source.snapshot:
        raise SourceError("A source changed while it was read.", "source.changed")
    return dataclasses.replace(source, paths=tuple(names))


def _identity(path: str, files: ExitStack) -> tuple[int, bytes]:
    """A descriptor of the file, closed by `files`, and what tells it from every other and from its own past."""
    if os.path.realpath(path) != path:
        raise SourceError("A source leads out of its root.", "source.outside_root")
    try:
        # A device may act on being opened, and a FIFO would wait for a writer: look first, then open without waiting.
        before = os.lstat(path)
        if not stat.S_ISREG(before.st_mode):
            raise SourceError("A source names something that is not a regular file.", "source.unreadable")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise SourceError("A file of a source is not there.", "source.missing") from None
    except OSError:
        raise SourceError("A file of a source cannot be read.", "source.unreadable") from None
    files.callback(os.close, descriptor)
    found = os.fstat(descriptor)
    # A folder of the path may have become a link since it was resolved: the kernel says where the open file lies.
    if not stat.S_ISREG(found.st_mode) or str(Path(f"/proc/self/fd/{descriptor}").readlink()) != path:
        raise SourceError("A source leads out of its root.", "source.outside_root")
    facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return descriptor, b"%d:%s:%s;" % (len(os.fsencode(path)), os.fsencode(path), repr(facts).encode())


def _key(secret: str | None, form: str) -> str | None:
    """The secret where it is the key of encrypted Parquet files: AES-256, in base64.

    Shorter keys are refused: base64 of 16 and 24 bytes is as long as a longer key is itself, and engines take it for that.
    Other files have no key to be read with, and an owner who names one believes them encrypted.
    """
    if secret is None:
        return None
    try:
        length = len(base64.b64decode(secret, validate=True))
    except ValueError:
        length = 0
    if form != "parquet" or length != _KEY_BYTES:
        raise SourceError("The secret of a connection is no key for these files.", "source.secret_unusable")
    return secret


def _format_of(paths: tuple[Path, ...]) -> str:
    formats = {_FORMATS.get(path.suffix.lower()) for path in paths}
    form = formats.pop()
    if form is None or formats:
        raise SourceError("A source must be all .parquet or all .csv files.", "source.unreadable")
    return form
