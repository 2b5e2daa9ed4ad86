"""The log's signing key ↔ a file of mode 0600, its public key in a file beside it."""

from __future__ import annotations

from pathlib import Path

from cleanroom.audit.keys import SigningKey, VerifyingKey


def create_key(path: Path, name: str) -> SigningKey:
    """A new key is at `path` (0600) and its public half at `path` with the suffix ".pub"; Conflict where there is one.

    `name` is the log's origin, as checkpoints state it: no spaces, no plus sign.
    """
    raise NotImplementedError


def load_key(path: Path) -> SigningKey:
    """OperationError "log.key_missing" where there is none, "log.key_unsafe" where others may read it."""
    raise NotImplementedError


def load_public_key(path: Path) -> VerifyingKey:
    """`path` is the public key's own file."""
    raise NotImplementedError
