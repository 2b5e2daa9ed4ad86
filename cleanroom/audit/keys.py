"""Key text ↔ Ed25519 keys, in the encodings of signed notes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    name: str

    def __str__(self) -> str:
        """`<name>+<key id>+<base64>`, the verifier key of a signed note."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class SigningKey:
    name: str

    @property
    def public(self) -> VerifyingKey: ...


def generate(name: str) -> SigningKey: ...
def parse_verifying_key(text: str) -> VerifyingKey: ...
