"""Event → entry of the audit log, in the transaction of the change that it announces."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from cleanroom.audit.canonical import canonical, parse
from cleanroom.audit.checkpoint import Checkpoint, read, sign
from cleanroom.audit.file import lines_of
from cleanroom.audit.keys import SigningKey
from cleanroom.audit.proofs import consistency_proof, inclusion_proof
from cleanroom.audit.tree import EMPTY_ROOT, Frontier, Node, grow, leaf_hash
from cleanroom.audit.verification import Entry, Verification, verify
from cleanroom.domain.errors import Conflict, LogError
from cleanroom.domain.events import Event, EventKind, LoggedEvent
from cleanroom.domain.identifiers import CollaborationName, PartnerName, owner_of
from cleanroom.store.database import Database, code_of
from cleanroom.store.schema import log_entry, log_head, log_node, log_sight

_HASH_BYTES = 32


@dataclass(frozen=True, slots=True)
class Sight:
    """What a reader may see: events that this partner caused, that name it (`data["partner"]`) or touch its datasets, and
    those of `collaborations` that are of no query. `within`: of its partner's, those of these collaborations alone; None: all.
    """

    partner: PartnerName | None = None
    collaborations: tuple[CollaborationName, ...] = ()
    within: tuple[CollaborationName, ...] | None = None


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """`hashes` lead from the entry's leaf to the root of `checkpoint` (RFC 9162, 2.1.3)."""

    entry: LoggedEvent
    leaf: bytes
    hashes: tuple[bytes, ...]
    checkpoint: bytes


class Log:
    """The audit log of one database, signed with one key. Every failure to write is a LogError and undoes the transaction."""

    def __init__(self, database: Database, key: SigningKey) -> None:
        self._database = database
        self._key = key
        self._public = key.public

    def create(self, at: datetime.datetime) -> LoggedEvent:
        """The log exists and holds event 0, log.created; Conflict where there is one already."""
        public_key = str(self._public)
        _, note = sign(Checkpoint(self._key.name, 0, EMPTY_ROOT), self._key)
        with self._database.begin() as connection:
            if connection.execute(select(log_head.c.id)).first() is not None:
                raise Conflict("There is an audit log already.", "log.exists")
            head = {"id": 1, "public_key": public_key, "size": 0, "frontier": b"", "checkpoint": note}
            connection.execute(insert(log_head), head)
            return self.append(connection, Event(EventKind.LOG_CREATED, at, data={"public_key": public_key}))

    def append(self, connection: Connection, event: Event) -> LoggedEvent:
        """The event is in the log as soon as `connection`'s transaction commits, and not otherwise.

        Appends follow one another: each holds the head until its transaction ends. Where it fails, the whole
        transaction is undone and takes no further statement, so that no change goes without its event.
        """
        try:
            return self._append(connection, event)
        except (SQLAlchemyError, LogError) as error:
            _undo(connection)
            if isinstance(error, LogError):
                raise
            code = code_of(error, connection.dialect.name)
            cause = type(getattr(error, "orig", error)).__name__  # its text may hold what was to be written
            structlog.get_logger().error("log.unwritable", code=code, error=type(error).__name__, cause=cause)
            raise LogError("The audit log cannot be written.", "log.unwritable") from error

    def record(self, event: Event) -> LoggedEvent:
        """`append` in a transaction of its own."""
        with self._database.begin() as connection:
            return self.append(connection, event)

    def events(self, sight: Sight | None = None, *, after: int = -1, limit: int = 100) -> tuple[LoggedEvent, ...]:
        """Events with numbers above `after`, oldest first, at most `limit`; None sees all."""
        rows = select(log_entry.c.canonical).where(log_entry.c.number > after, *_seen(sight))
        with self._database.read() as connection:
            found = connection.execute(rows.order_by(log_entry.c.number).limit(limit))
            return tuple(parse(row.canonical) for row in found)

    def event(self, number: int, sight: Sight | None = None) -> LoggedEvent | None:
        """One event; None where there is none of that number or the reader may not see it."""
        found = self.events(sight, after=number - 1, limit=1)
        return found[0] if found and found[0].number == number else None

    def size(self) -> int:
        """How many events there are."""
        with self._database.read() as connection:
            return int(_head(connection).size)

    def checkpoint(self) -> bytes:
        """The latest signed note (C2SP tlog-checkpoint)."""
        with self._database.read() as connection:
            return bytes(_head(connection).checkpoint)

    def inclusion(self, number: int) -> InclusionProof | None:
        """The proof that event `number` is in the tree of the latest checkpoint, all of one moment; None: no such event."""
        with self._database.read() as connection:
            head = _head(connection)
            if not 0 <= number < head.size:
                return None
            nodes = _Nodes(connection)
            entry = connection.execute(select(log_entry.c.canonical).where(log_entry.c.number == number)).scalar_one()
            proof = inclusion_proof(number, head.size, nodes)
            return InclusionProof(parse(entry), leaf_hash(entry), proof, head.checkpoint)

    def consistency(self, size: int) -> tuple[bytes, ...] | None:
        """The proof that the tree of the first `size` events is the beginning of the latest checkpoint's (RFC 9162, 2.1.4).

        None where there never was a tree of that size.
        """
        with self._database.read() as connection:
            latest = _head(connection).size
            return consistency_proof(size, latest, _Nodes(connection)) if 0 < size <= latest else None

    def verify(self, kept: Sequence[bytes] = ()) -> Verification:
        """The whole log against its latest checkpoint, and against checkpoints that somebody kept."""
        with self._database.read() as connection:
            return verify(_entries(connection), _head(connection).checkpoint, self._public, kept)

    def export(self) -> Iterator[bytes]:
        """The lines of a log file, as of one moment, which `audit.file.verify_file` proves offline."""
        with self._database.read() as connection:
            yield from lines_of(_entries(connection), _head(connection).checkpoint)

    def _append(self, connection: Connection, event: Event) -> LoggedEvent:
        head = _head(connection, for_update=True)
        if head.public_key != str(self._public):
            raise LogError("The signing key is not the one that the audit log was created with.", "log.key_changed")
        entry = canonical(event, head.size)
        frontier, nodes = grow(self._frontier(head), leaf_hash(entry))
        signature, note = sign(Checkpoint(self._key.name, frontier.size, frontier.root), self._key)
        _write_entry(connection, head.size, event, entry, signature)
        _write_nodes(connection, nodes)
        values = {"size": frontier.size, "frontier": b"".join(frontier.hashes), "checkpoint": note}
        moved = connection.execute(update(log_head).where(log_head.c.size == head.size).values(values))
        if moved.rowcount != 1:
            raise LogError("The audit log's head moved under a writer.", "log.unwritable")
        return LoggedEvent(head.size, entry, event)

    def _frontier(self, head: Any) -> Frontier:
        """What the head says, if it is what was signed: nothing is built on a head that somebody changed."""
        packed = bytes(head.frontier)
        hashes = tuple(packed[i : i + _HASH_BYTES] for i in range(0, len(packed), _HASH_BYTES))
        frontier = Frontier(head.size, hashes)
        signed = read(head.checkpoint, self._public)
        if signed != Checkpoint(self._key.name, head.size, frontier.root) or len(hashes) != signed.size.bit_count():
            raise LogError("The audit log's head is not the one that was signed.")
        return frontier


class _Nodes:
    """(level, index) → the stored hash of that complete subtree."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def __call__(self, level: int, index: int) -> bytes:
        at = (log_node.c.level == level, log_node.c.index == index)
        found = self._connection.execute(select(log_node.c.hash).where(*at)).scalar_one_or_none()
        if found is None:
            raise LogError("The audit log's tree is incomplete.")
        return bytes(found)


def _head(connection: Connection, *, for_update: bool = False) -> Any:
    head = select(log_head).where(log_head.c.id == 1)
    row = connection.execute(head.with_for_update() if for_update else head).first()
    if row is None:
        raise LogError("There is no audit log yet.", "log.missing")
    return row


def _write_entry(connection: Connection, number: int, event: Event, entry: bytes, signature: bytes) -> None:
    # What a member asked is between it and the owners of what it asked of: the collaboration's other members see rules only.
    shared = event.collaboration if event.query is None else None
    row = {"number": number, "canonical": entry, "signature": signature, "collaboration": shared}
    connection.execute(insert(log_entry), row)
    partners = {owner_of(name) for name in event.datasets} | {event.partner, event.data.get("partner")}
    about = {"number": number, "collaboration": event.collaboration}
    sights = [{"partner": p, **about} for p in sorted(p for p in partners if isinstance(p, str))]
    if sights:
        connection.execute(insert(log_sight), sights)


def _write_nodes(connection: Connection, nodes: Sequence[Node]) -> None:
    rows = [{"level": node.level, "index": node.index, "hash": node.hash} for node in nodes]
    connection.execute(insert(log_node), rows)


def _entries(connection: Connection) -> Iterator[Entry]:
    rows = select(log_entry.c.canonical, log_entry.c.signature).order_by(log_entry.c.number)
    with connection.execute(rows, execution_options={"yield_per": 500}) as found:
        for row in found:
            yield Entry(row.canonical, row.signature)


def _seen(sight: Sight | None) -> tuple[ColumnElement[bool], ...]:
    if sight is None:
        return ()
    own = select(log_sight.c.number).where(log_sight.c.partner == sight.partner)
    if sight.within is not None:
        own = own.where(log_sight.c.collaboration.in_(sight.within))
    return (or_(log_entry.c.number.in_(own), log_entry.c.collaboration.in_(sight.collaborations)),)


def _undo(connection: Connection) -> None:
    transaction = connection.get_transaction()
    if transaction is not None and transaction.is_active:
        with suppress(SQLAlchemyError):  # a connection that is gone has undone it already
            transaction.rollback()
