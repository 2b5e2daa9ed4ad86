"""The log's signing key ↔ a file of mode 0600, its public key in a file beside it."""

from __future__ import annotations

import secrets
from pathlib import Path

from cleanroom.audit.keys import SigningKey, VerifyingKey, parse_signing_key, parse_verifying_key, signing_key
from cleanroom.domain.errors import Conflict, OperationError
from cleanroom.store.private_files import Unsafe, read_private, write_new

_SEED_BYTES = 32  # RFC 8032


def create_key(path: Path, name: str) -> SigningKey:
    """A new key is at `path` (0600) and its public half at `path` with the suffix ".pub"; Conflict where there is one.

    `name` is the log's origin, as checkpoints state it: ValueError for spaces and plus signs.
    """
    key = signing_key(name, secrets.token_bytes(_SEED_BYTES))
    if path.exists():
        raise _exists()
    public_path(path).write_text(f"{key.public}\n", encoding="utf-8")
    try:
        write_new(path, f"{key.text}\n")
    except FileExistsError as error:
        raise _exists() from error
    return key


def public_path(path: Path) -> Path:
    """Where the public half of the key at `path` lies."""
    return path.with_suffix(".pub")


def load_key(path: Path) -> SigningKey:
    """The key; OperationError "log.key_missing" where there is none, "log.key_unsafe" where others may read it."""
    try:
        return parse_signing_key(read_private(path).strip())
    except Unsafe as error:
        raise OperationError("Others than its owner may read the log's signing key.", "log.key_unsafe") from error
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError("The log's signing key cannot be read.", "log.key_missing") from error


def load_public_key(path: Path) -> VerifyingKey:
    """The public key in the file `path`; OperationError "log.key_missing", LogError "log.key_malformed"."""
    try:
        return parse_verifying_key(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError("The log's public key cannot be read.", "log.key_missing") from error


def _exists() -> Conflict:
    return Conflict("There is a key already.", "log.key_exists")
