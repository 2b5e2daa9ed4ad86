"""A handful of events → a signed log in memory, as its owner would write it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from cleanroom.audit.canonical import canonical
from cleanroom.audit.checkpoint import Checkpoint, sign
from cleanroom.audit.keys import SigningKey, signing_key
from cleanroom.audit.tree import EMPTY_ROOT, Frontier, grow, leaf_hash
from cleanroom.audit.verification import Entry
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, PrincipalId, QueryId

NOON = datetime.datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=datetime.UTC)
KEY = signing_key("clean.example/log", bytes(range(32)))


def event(number: int) -> Event:
    return Event(
        kind=EventKind.QUERY_APPROVED,
        at=NOON + datetime.timedelta(seconds=number),
        partner=PartnerName("publisher"),
        principal=PrincipalId("publisher/insights"),
        collaboration=CollaborationName("retail-media"),
        query=QueryId(f"q{number}"),
        datasets=(DatasetName("retailer.customers"),),
        data={"receivers": ["publisher"], "depth": number},
    )


def signed_log(canonicals: Sequence[bytes], key: SigningKey = KEY) -> tuple[list[Entry], list[bytes]]:
    """The entries with their signatures, and the checkpoint after each (the first: of the empty log)."""
    frontier = Frontier()
    entries, notes = [], [sign(Checkpoint(key.name, 0, EMPTY_ROOT), key)[1]]
    for entry in canonicals:
        frontier, _ = grow(frontier, leaf_hash(entry))
        signature, note = sign(Checkpoint(key.name, frontier.size, frontier.root), key)
        entries.append(Entry(entry, signature))
        notes.append(note)
    return entries, notes


def small_log(size: int = 5) -> tuple[list[Entry], list[bytes]]:
    return signed_log([canonical(event(n), n) for n in range(size)])
