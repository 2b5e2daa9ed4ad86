"""An issuer on this machine: a real HTTP server with discovery, a key set and tokens signed by joserfc."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

AUDIENCE = "https://clean.example"
DISCOVERY = "/.well-known/openid-configuration"
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
"""Made once: it takes a second."""

Answer = tuple[int, Mapping[str, str], bytes]


class RunningIssuer:
    """The server, its keys and what it answers. `answers` takes the place of what it would say at a path."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.keys: list[Any] = [RSA]
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []

    def about(self, **other: Any) -> bytes:
        return json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys", **other}).encode()

    def answer(self, path: str) -> Answer:
        self.asked.append(path)
        said = {
            DISCOVERY: self.about(),
            "/keys": json.dumps({"keys": [k.as_dict(private=False) for k in self.keys]}).encode(),
        }
        return self.answers.get(path) or (200 if path in said else 404, {}, said.get(path, b"{}"))

    def claims(self, **other: Any) -> dict[str, Any]:
        """Those of a good token, some other."""
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ruth",
            "iat": now,
            "nbf": now,
            "exp": now + 300,
            "roles": ["asks"],
        }
        return {name: value for name, value in {**told, **other}.items() if value is not None}

    def token(self, key: Any = RSA, alg: str = "RS256", header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """A token of these claims under this key."""
        told = {"alg": alg, "kid": key.kid, **(header or {})}
        return jwt.encode(told, self.claims(**claims), key, algorithms=[alg])


def by_hand(header: Mapping[str, Any] | str, payload: Mapping[str, Any] | str, signature: bytes = b"x") -> str:
    """A token of exactly these texts."""
    texts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    return ".".join(_b64(part) for part in (*(text.encode() for text in texts), signature))


def new_key(kind: str = "RSA", kid: str = "rsa-2") -> Any:
    match kind:
        case "RSA":
            return RSAKey.generate_key(2048, {"kid": kid})
        case "EC":
            return ECKey.generate_key("P-256", {"kid": kid})
        case _:
            return OKPKey.generate_key("Ed25519", {"kid": kid})


@contextmanager
def running() -> Iterator[RunningIssuer]:
    """An issuer on a free port of this machine, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    issuer = RunningIssuer(server)
    server.issuer = issuer  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status, headers, body = self.server.issuer.answer(self.path)  # type: ignore[attr-defined]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: Any) -> None:
        pass


def _b64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
