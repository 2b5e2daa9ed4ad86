"""Result bytes (an Arrow IPC stream) ↔ rows. Written in the transaction that makes their query succeed."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.domain.identifiers import QueryId
from cleanroom.store.database import Database


@dataclass(frozen=True, slots=True)
class StoredResult:
    """`digest` is "sha256:<hex>" of `body`."""

    body: bytes
    size_bytes: int
    digest: str


class Results:
    def __init__(self, database: Database) -> None: ...

    def get(self, query: QueryId) -> StoredResult | None: ...
