"""`Authorization: Bearer <token>` → the principal who asks, before any view. No session, no cookie, no other way in."""

from __future__ import annotations

import structlog
from flask import Flask, g, request

from cleanroom.api.context import home
from cleanroom.api.permissions import PUBLIC, admit
from cleanroom.domain.errors import NotAuthenticated
from cleanroom.domain.people import Credential

_LONGEST_TOKEN = 256
_DOTS_OF_A_JWT = 2


def install(app: Flask) -> None:
    """From here on no view of the app runs before the permission table has let its caller in."""
    app.before_request(_let_in)


def _let_in() -> None:
    if request.endpoint is None or request.endpoint in PUBLIC:
        return
    g.credential = _authenticated()
    g.principal = caller = g.credential.principal
    structlog.contextvars.bind_contextvars(principal=caller.id)
    admit(home(), caller, request.endpoint, request.view_args or {})


def _authenticated() -> Credential:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated("Send your token as Authorization: Bearer <token>.")
    if token.isascii() and token.count(".") == _DOTS_OF_A_JWT:
        vouched = home().identities.authenticate(token)
        home().drawers.people.require_active(vouched.principal)
        return vouched
    if not token.isascii() or len(token) > _LONGEST_TOKEN:
        raise NotAuthenticated("This token is not known here.", "auth.token_unknown")
    return home().drawers.tokens.authenticate(token)
