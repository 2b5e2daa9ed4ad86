"""Clear bytes ↔ sealed ones: AES-256-GCM under a data key of one use, which a master key wraps.

A body is sealed in chunks in the manner of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption
and its Nonce-Reuse Misuse-Resistance, CRYPTO 2015): a chunk's nonce holds its place and whether it is the last, and its
associated data says whose it is. A chunk that is changed, moved, left out or taken from elsewhere does not open.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cleanroom.domain.errors import OperationError
from cleanroom.domain.sealed import WrappedKey
from cleanroom.vault.keyring import MasterKey

CHUNK_BYTES = 256 * 1024
NONCE_BYTES = 12  # NIST SP 800-38D
_PREFIX = bytes(7)  # a data key seals one body, so that place and end alone make every nonce its own


class Damaged(OperationError):
    """What was sealed is not what is there, or not under this key, or not where it was put."""

    code = "vault.damaged"

    def __init__(self) -> None:
        super().__init__("What was sealed does not open.")


def wrap(master: MasterKey, data_key: bytes, nonce: bytes, context: tuple[str, ...]) -> WrappedKey:
    """The data key, which opens under `master` and the same `context` alone. `nonce`: NONCE_BYTES random bytes."""
    return WrappedKey(master.id, nonce + AESGCM(master.key).encrypt(nonce, data_key, _associated("key", *context)))


def unwrap(master: MasterKey, wrapped: WrappedKey, context: tuple[str, ...]) -> bytes:
    """The data key that `wrap` was given. Damaged."""
    nonce, sealed = wrapped.sealed[:NONCE_BYTES], wrapped.sealed[NONCE_BYTES:]
    return _opened(master.key, nonce, sealed, _associated("key", *context))


def seal_chunks(
    data_key: bytes, body: bytes, context: tuple[str, ...], chunk_bytes: int = CHUNK_BYTES
) -> Iterator[bytes]:
    """The body's chunks in their order, each longer than its clear bytes by a tag of 16. An empty body has one chunk.

    `data_key` is new and seals nothing else.
    """
    starts = range(0, max(1, len(body)), chunk_bytes)
    clear = memoryview(body)
    for place, start in enumerate(starts):
        last = place == len(starts) - 1
        chunk = clear[start : start + chunk_bytes]
        yield AESGCM(data_key).encrypt(_nonce(place, last=last), chunk, _associated("chunk", *context, str(place)))


def open_chunk(data_key: bytes, sealed: bytes, context: tuple[str, ...], place: int, *, last: bool) -> bytes:
    """The clear bytes of the chunk that `seal_chunks` put at that place. Damaged."""
    return _opened(data_key, _nonce(place, last=last), sealed, _associated("chunk", *context, str(place)))


def _nonce(place: int, *, last: bool) -> bytes:
    return _PREFIX + place.to_bytes(4, "big") + bytes([last])


def _associated(*words: str) -> bytes:
    """The words, written so that no other words are written the same."""
    return json.dumps(words).encode()


def _opened(key: bytes, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(nonce, sealed, associated)
    except (InvalidTag, ValueError):  # ValueError: a nonce or a tag is too short
        raise Damaged from None
