"""A URL → the JSON object there, within limits of size and time; over verified TLS, following nothing."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any

import httpx

_LIMIT_S = 5.0
_LIMIT_BYTES = 256 * 1024


class Unfetchable(Exception):
    """There is no such object there, or it did not come in time. Says nothing of what came."""


def fetch_json(url: str, *, limit_s: float = _LIMIT_S) -> dict[str, Any]:
    """The object. Unfetchable after `limit_s` in all, at a redirect, an error, more than 256 KiB or no JSON object."""
    try:
        body = asyncio.run(_body(url, limit_s))
        found = json.loads(body)
    except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, OSError, ValueError, RecursionError) as error:
        raise Unfetchable(type(error).__name__) from None
    if not isinstance(found, dict):
        raise Unfetchable("NoObject")
    return found


async def _body(url: str, limit_s: float) -> bytes:
    """The bytes at the URL. One limit for everything: a sender of a byte a second comes to an end, too."""
    async with (
        asyncio.timeout(limit_s),
        httpx.AsyncClient(
            verify=ssl.create_default_context(), trust_env=False, follow_redirects=False, timeout=limit_s
        ) as client,
        client.stream("GET", url, headers={"Accept": "application/json", "Accept-Encoding": "identity"}) as response,
    ):
        if response.status_code != httpx.codes.OK or "content-encoding" in response.headers:
            raise Unfetchable("Status")
        received = bytearray()
        async for part in response.aiter_raw():
            received += part
            if len(received) > _LIMIT_BYTES:
                raise Unfetchable("Size")
        return bytes(received)
