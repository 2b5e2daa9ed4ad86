"""Event → entry of the audit log, in the transaction of the change that it announces."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from cleanroom.audit.keys import SigningKey
from cleanroom.audit.verification import Verification
from cleanroom.domain.events import Event, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, PartnerName
from cleanroom.store.database import Database


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reader may see: events that this partner caused, that touch its datasets, or of these collaborations."""

    partner: PartnerName | None = None
    collaborations: tuple[CollaborationName, ...] = ()


class Log:
    """The audit log of one database, signed with one key. Every failure to write is a LogError and undoes the transaction."""

    def __init__(self, database: Database, key: SigningKey) -> None: ...

    def create(self, at: datetime.datetime) -> LoggedEvent:
        """The log exists and holds event 0, log.created; Conflict where there is one already."""
        raise NotImplementedError

    def append(self, connection: Connection, event: Event) -> LoggedEvent:
        """The event is in the log as soon as `connection`'s transaction commits, and not otherwise."""
        raise NotImplementedError

    def record(self, event: Event) -> LoggedEvent:
        """`append` in a transaction of its own."""
        raise NotImplementedError

    def events(self, sight: Sight | None = None, *, after: int = -1, limit: int = 100) -> tuple[LoggedEvent, ...]:
        """Events with numbers above `after`, oldest first, at most `limit`; None sees all."""
        raise NotImplementedError

    def event(self, number: int, sight: Sight | None = None) -> LoggedEvent | None: ...

    def size(self) -> int: ...

    def checkpoint(self) -> bytes:
        """The latest signed note (C2SP tlog-checkpoint)."""
        raise NotImplementedError

    def inclusion(self, number: int) -> InclusionProof | None:
        """The proof that event `number` is in the tree of the latest checkpoint, all of one moment; None: no such event."""
        raise NotImplementedError

    def consistency(self, size: int) -> tuple[bytes, ...]:
        """The proof that the first `size` events of the latest checkpoint's tree are still those of the tree of that size."""
        raise NotImplementedError

    def verify(self, kept: Sequence[bytes] = ()) -> Verification:
        """The whole log against its latest checkpoint, and against checkpoints that somebody kept."""
        raise NotImplementedError

    def export(self) -> Iterator[bytes]:
        """The lines of a log file (`audit.file`), which `audit.file.verify_file` proves offline."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """`hashes` lead from the entry's leaf to the root of `checkpoint` (RFC 9162, 2.1.3)."""

    entry: LoggedEvent
    leaf: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes
