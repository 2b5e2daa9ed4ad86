"""Claims that held on a snapshot → not checked there again. Kept in the executor's memory alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import DatasetColumn
from cleanroom.domain.ports import Source
from cleanroom.domain.steps import Claim

MAXIMUM_CLAIMS = 100_000

# Types decide what equal and NULL mean, so the declared columns belong to what was verified.
_Verified = tuple[Claim, tuple[DatasetColumn, ...], str]


class VerifiedClaims:
    """Remembers across queries, for the threads of one executor."""

    def __init__(self) -> None:
        self._held: set[_Verified] = set()
        self._lock = threading.Lock()

    def among(self, claims: Iterable[Claim], sources: Mapping[DatasetName, Source]) -> frozenset[Claim]:
        """Those of the claims that are known to hold on these very sources."""
        with self._lock:
            return frozenset(claim for claim in claims if _key(claim, sources) in self._held)

    def add(self, claims: Iterable[Claim], sources: Mapping[DatasetName, Source]) -> None:
        with self._lock:
            if len(self._held) >= MAXIMUM_CLAIMS:
                self._held.clear()
            self._held.update(_key(claim, sources) for claim in claims)


def _key(claim: Claim, sources: Mapping[DatasetName, Source]) -> _Verified:
    source = sources[claim.dataset]
    return claim, source.dataset.columns, source.snapshot
