"""The log's signing key ↔ a file of mode 0600, its public key in a file beside it."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

from cleanroom.audit.keys import SigningKey, VerifyingKey, parse_signing_key, parse_verifying_key, signing_key
from cleanroom.domain.errors import Conflict, OperationError

_SEED_BYTES = 32  # RFC 8032


def create_key(path: Path, name: str) -> SigningKey:
    """A new key is at `path` (0600) and its public half at `path` with the suffix ".pub"; Conflict where there is one.

    `name` is the log's origin, as checkpoints state it: ValueError for spaces and plus signs.
    """
    key = signing_key(name, secrets.token_bytes(_SEED_BYTES))
    if path.exists():
        raise _exists()
    public_path(path).write_text(f"{key.public}\n", encoding="utf-8")
    _write_new(path, f"{key.text}\n")
    return key


def public_path(path: Path) -> Path:
    """Where the public half of the key at `path` lies."""
    return path.with_suffix(".pub")


def load_key(path: Path) -> SigningKey:
    """The key; OperationError "log.key_missing" where there is none, "log.key_unsafe" where others may read it."""
    try:
        with path.open(encoding="ascii") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise OperationError("Others than its owner may read the log's signing key.", "log.key_unsafe")
            return parse_signing_key(file.read().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError("The log's signing key cannot be read.", "log.key_missing") from error


def load_public_key(path: Path) -> VerifyingKey:
    """The public key in the file `path`; OperationError "log.key_missing", LogError "log.key_malformed"."""
    try:
        return parse_verifying_key(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError("The log's public key cannot be read.", "log.key_missing") from error


def _write_new(path: Path, text: str) -> None:
    """The whole text is at `path`, on the disk, or nothing is: a half-written key would be worth nothing."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8") as file:  # made with mode 0600
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
        try:
            path.hardlink_to(file.name)
        except FileExistsError as error:
            raise _exists() from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _exists() -> Conflict:
    return Conflict("There is a key already.", "log.key_exists")
