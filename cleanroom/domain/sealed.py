"""What is kept sealed, as values: never a key in the clear."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cleanroom.domain.identifiers import QueryId


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key under the master key of that id."""

    key_id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedResult:
    """A result that only receivers open. `digest` is "sha256:<hex>" of the clear bytes, `size_bytes` their number.

    `wrap`, called with the transaction that stores the result, wraps its data key under the master key that holds then:
    a rotation that ended in between is not missed.
    """

    query: QueryId
    chunks: tuple[bytes, ...] = field(repr=False)
    size_bytes: int
    digest: str
    expires_at: datetime.datetime
    wrap: Callable[[Any], WrappedKey] = field(repr=False, compare=False)
