"""A log and its checkpoint → whether it is whole, or the first entry that is not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cleanroom.audit.keys import VerifyingKey


class Fault(StrEnum):
    """What is wrong with a log."""

    ALTERED = "altered"  # an entry is not the one that was signed
    MALFORMED = "malformed"  # an entry is not the canonical JSON of an event
    MISNUMBERED = "misnumbered"  # an entry is missing, repeated or out of place
    TRUNCATED = "truncated"  # fewer entries than a checkpoint has
    EXTENDED = "extended"  # more entries than the checkpoint has
    FORKED = "forked"  # another history than that of a checkpoint
    CHECKPOINT = "checkpoint"  # the checkpoint is not signed by this key or cannot be read


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
    raise NotImplementedError
