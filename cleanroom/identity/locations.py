"""A URL → whether keys may be fetched from it: https, or this machine itself where the issuer is on it too."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

_LONGEST = 512


def issuer_problem(url: str) -> str | None:
    """Why the URL cannot name an issuer (OpenID Connect Discovery 1.0, section 2), as a sentence; None where it can."""
    parts = _parts(url)
    if parts is None:
        return "An issuer is a URL of plain characters, such as https://login.example/realm."
    if parts.username or parts.password or parts.query or parts.fragment or "?" in url or "#" in url:
        return "An issuer's URL has no user, query or fragment."
    if not _safe(parts):
        return "An issuer's URL begins with https://; http:// is for an issuer on this machine alone."
    return None


def fetchable(url: str, issuer: str) -> bool:
    """Whether what the issuer names may be fetched: no issuer leads from the network to this machine, or off TLS."""
    parts, home = _parts(url), _parts(issuer)
    if parts is None or home is None or parts.username or parts.password:
        return False
    return parts.scheme == "https" or (_safe(parts) and home.scheme == "http")


def discovery(issuer: str) -> str:
    """Where the issuer says what it is (section 4)."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def _parts(url: str) -> SplitResult | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or len(url) > _LONGEST:
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def _safe(parts: SplitResult) -> bool:
    return parts.scheme == "https" or _loopback(parts.hostname or "")


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
