"""An issuer → its public keys, kept for a while. Whoever sends tokens cannot make this server fetch more often than that."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from cleanroom.domain.errors import OperationError
from cleanroom.identity.fetching import Unfetchable, fetch_json
from cleanroom.identity.locations import discovery, fetchable

PublicKey = RSAKey | ECKey | OKPKey

_FRESH_S = 60 * 60.0
_USABLE_S = 24 * 60 * 60.0  # without a word of the issuer: then a key that it withdrew goes, too
_BETWEEN_TRIES_S = 10.0
_WAIT_S = 6.0
_MOST_KEYS = 64
_LEAST_MODULUS_CHARS = 342  # base64url of 2048 bits
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})


@dataclass(frozen=True, slots=True)
class _Known:
    """The keys as of a moment of the monotonic clock, by id; None: the one key without an id."""

    keys: Mapping[str | None, PublicKey]
    at_s: float


class IssuerKeys:
    """The keys of one issuer, for all threads of a process."""

    def __init__(
        self,
        issuer: str,
        fetch: Callable[[str], dict[str, Any]] = fetch_json,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._now_s = now_s
        self._known: _Known | None = None
        self._tried_s: float | None = None
        self._failing = False
        self._lock = threading.Lock()

    def find(self, kid: str | None) -> PublicKey | None:
        """The key of that id; None where the issuer has none. OperationError "auth.issuer_unavailable" where it does not
        answer and the key is not one that it was known to have."""
        known = self._usable()
        key = known.keys.get(kid) if known else None
        if known is None or key is None:
            return self._asked(kid)
        if self._now_s() - known.at_s >= _FRESH_S and self._lock.acquire(blocking=False):
            try:
                self._refresh()
            finally:
                self._lock.release()
            renewed = self._usable()
            return renewed.keys.get(kid) if renewed else None
        return key

    def _asked(self, kid: str | None) -> PublicKey | None:
        """The key, after the issuer was asked again, unless that was a moment ago."""
        if not self._lock.acquire(timeout=_WAIT_S):
            raise _unavailable()
        try:
            known = self._usable()
            if known is None or kid not in known.keys:
                self._refresh()
                known = self._usable()
        finally:
            self._lock.release()
        key = known.keys.get(kid) if known else None
        if known is None or (key is None and self._failing):
            raise _unavailable()
        return key

    def _usable(self) -> _Known | None:
        known = self._known
        return known if known is not None and self._now_s() - known.at_s < _USABLE_S else None

    def _refresh(self) -> None:
        """The keys are those of now, where the issuer answers; asked at most once in some seconds."""
        now_s = self._now_s()
        if self._tried_s is not None and now_s - self._tried_s < _BETWEEN_TRIES_S:
            return
        self._tried_s = now_s
        try:
            self._known = _Known(_public_keys(self._fetched()), now_s)
            self._failing = False
        except Unfetchable as error:
            self._failing = True
            structlog.get_logger().warning("issuer.unavailable", issuer=self._issuer, reason=str(error))

    def _fetched(self) -> list[Any]:
        about = self._fetch(discovery(self._issuer))
        location = about.get("jwks_uri")
        if about.get("issuer") != self._issuer:
            raise Unfetchable("OtherIssuer")
        if not isinstance(location, str) or not fetchable(location, self._issuer):
            raise Unfetchable("Location")
        keys = self._fetch(location).get("keys")
        if not isinstance(keys, list):
            raise Unfetchable("NoKeys")
        return keys[:_MOST_KEYS]


def _public_keys(listed: list[Any]) -> dict[str | None, PublicKey]:
    """Those that verify signatures, by id; one without an id counts where it is alone. What is not understood is left out."""
    read = [(item.get("kid"), key) for item in listed if isinstance(item, dict) and (key := _public_key(item))]
    found: dict[str | None, PublicKey] = {}
    for kid, key in read:
        if isinstance(kid, str):
            found.setdefault(kid, key)
    if len(read) == 1:
        found[None] = read[0][1]
    return found


def _public_key(item: dict[str, Any]) -> PublicKey | None:
    if item.get("use", "sig") != "sig" or _PRIVATE & item.keys():
        return None
    if item.get("kty") == "RSA" and len(str(item.get("n", ""))) < _LEAST_MODULUS_CHARS:
        return None
    try:
        key = JWKRegistry.import_key(item)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _unavailable() -> OperationError:
    return OperationError("The issuer of this token does not answer.", "auth.issuer_unavailable")
