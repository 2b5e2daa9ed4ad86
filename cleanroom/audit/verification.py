"""A log and its checkpoint → whether it is whole, or the first entry that is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cleanroom.audit.canonical import parse
from cleanroom.audit.checkpoint import Checkpoint, read
from cleanroom.audit.keys import VerifyingKey
from cleanroom.audit.tree import EMPTY_ROOT, Frontier, grow, leaf_hash
from cleanroom.domain.errors import LogError


class Fault(StrEnum):
    """What is wrong with a log."""

    ALTERED = "altered"  # an entry is not the one that was signed
    MALFORMED = "malformed"  # an entry is not the canonical JSON of an event
    MISNUMBERED = "misnumbered"  # an entry is missing, repeated or out of place
    TRUNCATED = "truncated"  # fewer entries than a checkpoint has
    EXTENDED = "extended"  # more entries than the checkpoint has
    FORKED = "forked"  # another history than that of a checkpoint
    CHECKPOINT = "checkpoint"  # the checkpoint is not signed by this key or cannot be read


_SENTENCES = {
    Fault.ALTERED: "Entry {entry} is not the one that was signed.",
    Fault.MALFORMED: "Entry {entry} is not an event in canonical form.",
    Fault.MISNUMBERED: "Entry {entry} is missing, repeated or out of place.",
    Fault.TRUNCATED: "The log ends before entry {entry}, which a signed checkpoint has.",
    Fault.EXTENDED: "Entry {entry} is beyond the end that the checkpoint signed.",
    Fault.FORKED: "The log up to entry {entry} has another history than a signed checkpoint.",
    Fault.CHECKPOINT: "A checkpoint is not signed by this log's key.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as stored. `signature` is over the checkpoint that the entry completed; None where it was not kept."""

    canonical: bytes
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """`size` entries were proven. `fault` None: all of them, under the checkpoint. `entry`: the first broken one's number."""

    size: int
    root: bytes
    fault: Fault | None = None
    entry: int | None = None
    message: str = ""

    @property
    def holds(self) -> bool:
        return self.fault is None


def verify(entries: Iterable[Entry], checkpoint: bytes, key: VerifyingKey, kept: Sequence[bytes] = ()) -> Verification:
    """The log is exactly what `checkpoint` signed and a continuation of every `kept` one, or the first fault in it.

    Each entry's own signature is held against the tree up to it, so a broken entry is named even where whoever
    broke it made every hash anew. Reads `entries` once; memory does not grow with the log.
    """
    try:
        latest = read(checkpoint, key)
        roots = _roots([latest, *(read(note, key) for note in kept)])
    except LogError:
        return _broken(Frontier(), Fault.CHECKPOINT, None)
    if roots is None:
        return _broken(Frontier(), Fault.FORKED, latest.size - 1)
    frontier = Frontier()
    for entry in entries:
        following, fault = _next(frontier, entry, latest, key, roots)
        if fault is not None:
            return _broken(frontier, fault, frontier.size)
        frontier = following
    if frontier.size < max(roots):
        return _broken(frontier, Fault.TRUNCATED, frontier.size)
    return Verification(frontier.size, frontier.root)


def _next(
    frontier: Frontier, entry: Entry, latest: Checkpoint, key: VerifyingKey, roots: Mapping[int, bytes]
) -> tuple[Frontier, Fault | None]:
    if frontier.size >= latest.size:
        return frontier, Fault.EXTENDED
    try:
        number = parse(entry.canonical).number
    except LogError:
        return frontier, Fault.MALFORMED
    if number != frontier.size:
        return frontier, Fault.MISNUMBERED
    following, _ = grow(frontier, leaf_hash(entry.canonical))
    body = Checkpoint(latest.origin, following.size, following.root).body
    if entry.signature is not None and not key.holds(entry.signature, body):
        return frontier, Fault.ALTERED
    if roots.get(following.size, following.root) != following.root:
        return frontier, Fault.FORKED
    return following, None


def _roots(checkpoints: Sequence[Checkpoint]) -> dict[int, bytes] | None:
    """Each size's root; None where two checkpoints sign different trees of one size."""
    roots = {0: EMPTY_ROOT}
    for checkpoint in checkpoints:
        if roots.setdefault(checkpoint.size, checkpoint.root) != checkpoint.root:
            return None
    return roots


def _broken(proven: Frontier, fault: Fault, entry: int | None) -> Verification:
    return Verification(proven.size, proven.root, fault, entry, _SENTENCES[fault].format(entry=entry))
