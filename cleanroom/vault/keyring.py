"""Keyring ↔ text: every master key with its id and the moment it was made, the newest last."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from cleanroom.domain.errors import OperationError

KEY_BYTES = 32  # AES-256
_ID_BYTES = 8
_FORM = "cleanroom/keyring/v1"


@dataclass(frozen=True, slots=True)
class MasterKey:
    """Wraps data keys, and does nothing else. `id` says nothing of the key."""

    id: str
    created_at: datetime.datetime
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Master keys in the order in which they were made."""

    keys: tuple[MasterKey, ...] = ()

    def find(self, key_id: str) -> MasterKey | None:
        """The key of that id, or None where the ring has none."""
        return next((key for key in self.keys if key.id == key_id), None)

    def with_key(self, key: MasterKey) -> Keyring:
        """The ring with one key more, its newest."""
        return Keyring((*self.keys, key))

    def only(self, key_ids: Collection[str]) -> Keyring:
        """The ring without the keys of other ids."""
        return Keyring(tuple(key for key in self.keys if key.id in key_ids))


def master_key(at: datetime.datetime, randomness: bytes) -> MasterKey:
    """The key of KEY_BYTES random bytes, its id of the eight that follow them."""
    if len(randomness) != KEY_BYTES + _ID_BYTES:
        raise ValueError("a master key is made of 40 random bytes")
    return MasterKey(randomness[KEY_BYTES:].hex(), at, randomness[:KEY_BYTES])


def keyring_text(ring: Keyring) -> str:
    """The ring as JSON, for a file that nobody else may read."""
    keys = [
        {"id": key.id, "created_at": key.created_at.isoformat(), "key": base64.b64encode(key.key).decode()}
        for key in ring.keys
    ]
    return json.dumps({"form": _FORM, "keys": keys}, indent=1) + "\n"


def parse_keyring(text: str) -> Keyring:
    """The ring that `keyring_text` wrote. OperationError "keys.malformed" for any other text, which it does not quote."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("form") != _FORM:
            raise ValueError
        keys = tuple(_key(item) for item in found["keys"])
        if not keys or len({key.id for key in keys}) != len(keys):
            raise ValueError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise OperationError("The file of master keys is not one that this version reads.", "keys.malformed") from None
    return Keyring(keys)


def _key(item: Mapping[str, Any]) -> MasterKey:
    made = MasterKey(
        item["id"], datetime.datetime.fromisoformat(item["created_at"]), base64.b64decode(item["key"], validate=True)
    )
    if len(bytes.fromhex(made.id)) != _ID_BYTES or len(made.key) != KEY_BYTES or made.created_at.tzinfo is None:
        raise ValueError
    return made
