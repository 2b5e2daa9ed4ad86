"""A log ↔ the lines of one file that a stranger can verify: the checkpoint, an empty line, then an entry on each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile

from cleanroom.audit.checkpoint import decode, encode
from cleanroom.audit.keys import VerifyingKey
from cleanroom.audit.verification import Entry, Verification, verify


def lines_of(entries: Iterable[Entry], checkpoint: bytes) -> Iterator[bytes]:
    """The file's lines: a signed note, an empty line, then `<canonical JSON> TAB <base64 signature>` for each entry.

    Canonical JSON escapes tabs and line ends, so the two separators occur nowhere else.
    """
    yield from checkpoint.splitlines(keepends=True)
    yield b"\n"
    for entry in entries:
        yield entry.canonical + b"\t" + encode(entry.signature or b"").encode() + b"\n"


def verify_file(lines: Iterable[bytes], key: VerifyingKey, kept: Sequence[bytes] = ()) -> Verification:
    """`verify` over the lines of such a file (each with its line end), read once."""
    source = iter(lines)
    body = b"".join(takewhile(lambda line: line != b"\n", source))
    signatures = b"".join(takewhile(lambda line: line != b"\n", source))
    return verify((_entry(line) for line in source), body + b"\n" + signatures, key, kept)


def _entry(line: bytes) -> Entry:
    canonical, _, signature = line.partition(b"\t")
    decoded = decode(signature.removesuffix(b"\n")) if signature.endswith(b"\n") else None
    return Entry(canonical, decoded or b"")  # an empty signature holds for nothing
