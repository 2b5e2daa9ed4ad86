"""Key text ↔ Ed25519 keys, in the encodings of signed notes (C2SP signed-note; Go's sumdb/note for the private one)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cleanroom.domain.errors import LogError

_ED25519 = b"\x01"  # the signature type identifier of signed-note
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A log's public key under its name, which is the log's origin. `key` is the 32 bytes of RFC 8032."""

    name: str
    key: bytes

    @property
    def id(self) -> bytes:
        """The four bytes by which a note's signature line names this key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.key).digest()[:4]

    def __str__(self) -> str:
        """`<name>+<key id>+<base64>`, the verifier key of a signed note."""
        return f"{self.name}+{self.id.hex()}+{_encode(_ED25519 + self.key)}"

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether this key's owner signed exactly `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A log's private key under its name."""

    name: str
    private: Ed25519PrivateKey = field(repr=False, compare=False)

    @property
    def public(self) -> VerifyingKey:
        return VerifyingKey(self.name, self.private.public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        """`PRIVATE+KEY+<name>+<key id>+<base64>`: whoever holds it signs as the log."""
        return f"{_PRIVATE}{self.name}+{self.public.id.hex()}+{_encode(_ED25519 + self.private.private_bytes_raw())}"

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message)


def signing_key(name: str, seed: bytes) -> SigningKey:
    """The key of a 32-byte random `seed`; ValueError for a name with spaces or plus signs, or an empty one."""
    if not name or "+" in name or any(c.isspace() or not c.isprintable() for c in name):
        raise ValueError("a key's name has no spaces and no plus signs")
    return SigningKey(name, Ed25519PrivateKey.from_private_bytes(seed))


def parse_signing_key(text: str) -> SigningKey:
    """The key that `SigningKey.text` wrote; LogError "log.key_malformed"."""
    if not text.startswith(_PRIVATE):
        raise _malformed()
    name, key_id, seed = _parts(text.removeprefix(_PRIVATE))
    try:
        key = signing_key(name, seed)
    except ValueError as error:
        raise _malformed() from error
    if key.public.id != key_id:
        raise _malformed()
    return key


def parse_verifying_key(text: str) -> VerifyingKey:
    """The key that `str(VerifyingKey)` wrote; LogError "log.key_malformed"."""
    name, key_id, key = _parts(text)
    verifying = VerifyingKey(name, key)
    if not name or len(key) != 32 or verifying.id != key_id:
        raise _malformed()
    return verifying


def _parts(text: str) -> tuple[str, bytes, bytes]:
    try:
        name, key_id, encoded = text.strip().split("+", 2)  # base64 may hold plus signs of its own
        decoded = base64.b64decode(encoded, validate=True)
        if decoded[:1] != _ED25519:
            raise _malformed()
        return name, bytes.fromhex(key_id), decoded[1:]
    except (ValueError, binascii.Error) as error:
        raise _malformed() from error


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _malformed() -> LogError:
    return LogError("The text is not a key of an audit log.", "log.key_malformed")
