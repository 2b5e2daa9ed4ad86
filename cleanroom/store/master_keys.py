"""The keyring's file and the row that says which key holds → data keys wrapped and unwrapped.

The file is a bag of keys; the database says which of them wraps, so that several hosts with a file each agree, and a
writer that has not heard of a rotation cannot wrap under a key that is about to go.
"""

from __future__ import annotations

import datetime
import secrets
import threading
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from cleanroom.domain.errors import OperationError
from cleanroom.domain.sealed import WrappedKey
from cleanroom.store.private_files import Unsafe, read_private, replace, write_new
from cleanroom.store.schema import master_key
from cleanroom.vault import keyring, sealing
from cleanroom.vault.keyring import Keyring, MasterKey


class MasterKeys:
    """One process' view of the master keys. Follows a rotation by itself."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring = Keyring()
        self._lock = threading.Lock()

    def begin(self, transaction: Connection, at: datetime.datetime) -> None:
        """There is a key, in the file and in force; what an interrupted start began is finished.

        OperationError "keys.missing" where the database knows a key that the file does not hold.
        """
        if in_force(transaction) is not None:
            self.require(transaction)
            return
        if not self._path.exists():
            write_new(self._path, keyring.keyring_text(Keyring((new_key(at),))))
        put_in_force(transaction, self.read().keys[-1])

    def require(self, transaction: Connection) -> None:
        """Raises OperationError "keys.missing" where the key in force is not in the file, or there is none."""
        key_id = in_force(transaction)
        if key_id is None or self.read().find(key_id) is None:
            raise missing()

    def wrap(self, transaction: Connection, data_key: bytes, context: tuple[str, ...]) -> WrappedKey:
        """The data key under the master key that is in force in this writing transaction. OperationError "keys.missing"."""
        key = self._find(in_force(transaction) or "")
        return sealing.wrap(key, data_key, secrets.token_bytes(sealing.NONCE_BYTES), context)

    def unwrap(self, wrapped: WrappedKey, context: tuple[str, ...]) -> bytes:
        """The data key. OperationError "keys.missing" where its master key is not here, "vault.damaged"."""
        return sealing.unwrap(self._find(wrapped.key_id), wrapped, context)

    def read(self) -> Keyring:
        """What the file holds now. OperationError "keys.missing", "keys.unsafe", "keys.malformed"."""
        try:
            ring = keyring.parse_keyring(read_private(self._path))
        except FileNotFoundError:
            raise missing() from None
        except Unsafe:
            raise OperationError("Others than its owner may read the master keys.", "keys.unsafe") from None
        except (OSError, UnicodeDecodeError):
            raise OperationError("The file of master keys cannot be read.", "keys.missing") from None
        with self._lock:
            self._ring = ring
        return ring

    def write(self, ring: Keyring) -> None:
        """The file holds exactly these keys. Call it in a writing transaction: those follow one another, on all hosts."""
        replace(self._path, keyring.keyring_text(ring))
        self.read()

    def _find(self, key_id: str) -> MasterKey:
        with self._lock:
            known = self._ring.find(key_id)
        found = known or self.read().find(key_id)
        if found is None:
            raise missing()
        return found


def new_key(at: datetime.datetime) -> MasterKey:
    """A key that nobody had before."""
    return keyring.master_key(at, secrets.token_bytes(40))


def in_force(transaction: Connection) -> str | None:
    """The id of the key that wraps; None in a database that never had one."""
    return transaction.execute(select(master_key.c.key_id)).scalar_one_or_none()


def put_in_force(transaction: Connection, key: MasterKey) -> None:
    """From the transaction's end on this key wraps."""
    values = {"key_id": key.id, "since": key.created_at}
    if transaction.execute(update(master_key).values(values)).rowcount == 0:
        transaction.execute(insert(master_key), {"id": 1, **values})


def missing() -> OperationError:
    return OperationError(
        "The master key is not in the home: put its master.key back, or run `cleanroom upgrade` where there never was one.",
        "keys.missing",
    )
