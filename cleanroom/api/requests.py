"""Around every request: an id, size limits, one log line without contents, and headers that keep browsers strict."""

from __future__ import annotations

import time
import uuid

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import NotAcceptable, NotFound, RequestEntityTooLarge

from cleanroom.api.context import door

_log = structlog.get_logger("cleanroom.api")

API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_OTHER_MEDIA = frozenset({None, "queries.result", "metrics.scrape", "pages.docs", "static"})


def install(app: Flask) -> None:
    """From here on every request of the app is numbered, measured, limited and logged."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.request_id = uuid.uuid4().hex
    g.began_s = time.monotonic()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if "\0" in request.path:
        raise NotFound  # no name holds it, and PostgreSQL takes no text with it, not even to look it up
    _require_answerable()
    if (request.content_length or 0) > door().settings.body_limit_bytes:
        raise RequestEntityTooLarge


def _require_answerable() -> None:
    """JSON is acceptable to the caller; files, pages and results choose their own media type."""
    if request.endpoint in _OTHER_MEDIA or not request.accept_mimetypes:
        return
    if request.accept_mimetypes.best_match(["application/json", "application/problem+json"]) is None:
        raise NotAcceptable


def _end(response: Response) -> Response:
    headers = response.headers
    headers["X-Request-Id"] = g.request_id
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers.setdefault("Content-Security-Policy", API_POLICY)
    headers.setdefault("Cache-Control", "no-store")
    who = g.get("principal")
    _log.info(
        "http.request",
        method=request.method if request.endpoint else None,
        endpoint=request.endpoint,
        status=response.status_code,
        duration_ms=round((time.monotonic() - g.began_s) * 1000),
        principal=who.id if who else None,
    )
    return response
