"""The text of a JWT → its header and claims; checked against a key and what the operator trusts the issuer for."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from typing import Any, NoReturn

from joserfc import jws
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import urlsafe_b64decode

from cleanroom.domain.errors import NotAuthenticated
from cleanroom.domain.people import Grants, Issuer
from cleanroom.identity.keys import PublicKey

LONGEST_JWT = 8 * 1024
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures under a key that only the issuer has: no `none`, nothing under a shared secret."""

_TYPES = frozenset({"jwt", "at+jwt"})
_LEEWAY_S = 60
_LONGEST_SUBJECT = 128
_LONGEST_ID = 191
_MOST_ROLES = 256


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says before anything of it is proven: which issuer's key to look for."""

    issuer: str
    kid: str | None


@dataclass(frozen=True, slots=True)
class Verified:
    """What the issuer says, and only it can have said."""

    subject: str
    grants: Grants
    expires_at: datetime.datetime


class _Algorithms(JWSRegistry):
    """The allow-list itself, by which alone an algorithm is chosen."""

    max_header_length = 2048

    def get_alg(self, name: str) -> Any:
        if name not in ALGORITHMS:
            raise JoseError
        return self.algorithms[name]


def glance(text: str) -> Unverified:
    """Whose token it says it is. NotAuthenticated where it has not the form of one, or a header that nobody here heeds."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > LONGEST_JWT:
        raise unknown()
    header, claims = _object(parts[0]), _object(parts[1])
    kid, issuer = header.get("kid"), claims.get("iss")
    kind = header.get("typ", "JWT")
    heeded = isinstance(kind, str) and kind.lower().removeprefix("application/") in _TYPES
    if not heeded or header.get("alg") not in ALGORITHMS or "crit" in header or "b64" in header:
        raise unknown()
    if not isinstance(issuer, str) or not (kid is None or isinstance(kid, str)):
        raise unknown()
    return Unverified(issuer, kid)


def verify(text: str, key: PublicKey, issuer: Issuer, now: datetime.datetime) -> Verified:
    """What the issuer says. NotAuthenticated "auth.token_expired" where the key is right and the time over, else
    "auth.token_unknown". A key in the token's own header (jwk, jku, x5c, x5u) is never looked at."""
    try:
        signed = jws.deserialize_compact(text, key, registry=_Algorithms(strict_check_header=False))
        claims = _parsed(signed.payload or b"")
        _registry(issuer, now).validate(claims)
        expires_at = datetime.datetime.fromtimestamp(claims["exp"], datetime.UTC)
    except ExpiredTokenError:
        raise NotAuthenticated("This token has expired.", "auth.token_expired") from None
    except (JoseError, ValueError, TypeError, OverflowError, OSError, RecursionError):
        raise unknown() from None
    return Verified(_subject(claims["sub"], issuer), _grants(claims, issuer), expires_at)


def unknown() -> NotAuthenticated:
    """The one answer for whatever is not a token that is taken here."""
    return NotAuthenticated("This token is not known here.", "auth.token_unknown")


def _registry(issuer: Issuer, now: datetime.datetime) -> JWTClaimsRegistry:
    return JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=_LEEWAY_S,
        iss={"essential": True, "value": issuer.url},
        aud={"essential": True, "value": issuer.audience},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
    )


def _subject(subject: str, issuer: Issuer) -> str:
    whole = len(f"{issuer.partner}/oidc:{subject}")
    plain = subject.isascii() and subject.isprintable() and subject == subject.strip()
    if not plain or not 1 <= len(subject) <= _LONGEST_SUBJECT or whole > _LONGEST_ID:
        raise unknown()
    return subject


def _grants(claims: dict[str, Any], issuer: Issuer) -> Grants:
    """What the operator's map says of the names in the claim; a name that it does not say anything of gives nothing."""
    named = _claim(claims, issuer.roles_claim)
    names = {named} if isinstance(named, str) else set(named[:_MOST_ROLES]) if _texts(named) else set()
    return frozenset(grant for name, grant in issuer.role_map if name in names)


def _claim(claims: dict[str, Any], path: str) -> Any:
    """The claim of that name, or, where there is none, what its dots lead to: realm_access.roles."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _object(segment: str) -> dict[str, Any]:
    try:
        return _parsed(urlsafe_b64decode(segment.encode("ascii")))
    except (ValueError, RecursionError):
        raise unknown() from None


def _parsed(text: bytes) -> dict[str, Any]:
    """The JSON object; ValueError where it is none, or says the same name twice."""
    found = json.loads(text.decode("utf-8"), object_pairs_hook=_unrepeated, parse_constant=_no_constant)
    if not isinstance(found, dict):
        raise ValueError
    return found


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _no_constant(_name: str) -> NoReturn:
    raise ValueError
