"""The reference pages at /docs: one page over /openapi.json, every asset from this package, nothing from elsewhere."""

from __future__ import annotations

from flask import Blueprint, Response, current_app

from cleanroom.api.requests import PAGE_POLICY

pages = Blueprint("pages", __name__)


@pages.get("/docs")
def docs() -> Response:
    """The page. Its policy lets a browser load this server's own scripts and styles only."""
    response = current_app.send_static_file("docs.html")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response
