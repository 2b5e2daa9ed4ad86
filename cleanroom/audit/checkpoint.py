"""Tree size and root ↔ signed note (C2SP tlog-checkpoint in a C2SP signed-note, Ed25519)."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from cleanroom.audit.keys import SigningKey, VerifyingKey
from cleanroom.domain.errors import LogError

_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` entries under this root hash."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> bytes:
        """The text that is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{encode(self.root)}\n".encode()


def sign(checkpoint: Checkpoint, key: SigningKey) -> tuple[bytes, bytes]:
    """The signature over the checkpoint's body (64 bytes), and the whole note."""
    signature = key.sign(checkpoint.body)
    line = f"\n{_DASH}{key.name} {encode(key.public.id + signature)}\n"
    return signature, checkpoint.body + line.encode()


def read(note: bytes, key: VerifyingKey) -> Checkpoint:
    """The checkpoint of a note that `key` signed; LogError "log.checkpoint". Other keys' signature lines are passed over."""
    body, blank, signatures = note.rpartition(b"\n\n")
    if not blank or not note.endswith(b"\n"):
        raise _unsigned()
    body += b"\n"
    if not any(_signed(line, body, key) for line in signatures.split(b"\n")[:-1]):
        raise _unsigned()
    checkpoint = _checkpoint(body)
    if checkpoint.origin != key.name:
        raise _unsigned()
    return checkpoint


def _signed(line: bytes, body: bytes, key: VerifyingKey) -> bool:
    prefix = f"{_DASH}{key.name} ".encode()
    signature = decode(line.removeprefix(prefix)) if line.startswith(prefix) else None
    return signature is not None and signature[:4] == key.id and key.holds(signature[4:], body)


def _checkpoint(body: bytes) -> Checkpoint:
    lines = body.decode().split("\n")  # signed, hence UTF-8 of our own making
    root = decode(lines[2].encode()) if len(lines) >= 4 else None
    if root is None or len(root) != 32 or not lines[1].isascii() or not lines[1].isdigit():
        raise LogError("The note is signed but is no checkpoint.", "log.checkpoint")
    return Checkpoint(lines[0], int(lines[1]), root)


def encode(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


def decode(text: bytes) -> bytes | None:
    """What standard base64 says, or None where `text` is not exactly the way to say it: spare bits must be zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return data if base64.b64encode(data) == text else None


def _unsigned() -> LogError:
    return LogError("The checkpoint is not signed by this log's key.", "log.checkpoint")
