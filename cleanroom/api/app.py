"""A home and settings → the Flask app: every endpoint of the door, none without an entry in the permission table."""

from __future__ import annotations

import threading
from types import TracebackType

import structlog
from flask import Flask, Response

from cleanroom import __version__
from cleanroom.api import authentication, requests
from cleanroom.api import metrics as measures
from cleanroom.api.agreements import agreements
from cleanroom.api.audit import audit
from cleanroom.api.changes import changes
from cleanroom.api.collaborations import collaborations
from cleanroom.api.context import EXTENSION, Door
from cleanroom.api.documents import document_schemas, documents
from cleanroom.api.health import health
from cleanroom.api.invitations import invitations
from cleanroom.api.pages import pages
from cleanroom.api.people import me, people
from cleanroom.api.permissions import ACCESS, PUBLIC
from cleanroom.api.problems import ProblemApi, answer_house_error
from cleanroom.api.queries import queries
from cleanroom.api.secrets import secrets
from cleanroom.api.settings import ApiSettings
from cleanroom.api.templates import templates
from cleanroom.api.tokens import tokens
from cleanroom.api.versions import versions
from cleanroom.api.what_if import what_if
from cleanroom.bootstrap import Home
from cleanroom.domain.errors import CleanroomError, OperationError

_log = structlog.get_logger("cleanroom.api")

_DESCRIPTION = (
    "Ask aggregate questions of data that stays with its owners.\n\n"
    "Errors are application/problem+json with a stable code and the id of the request."
)


def create_app(home: Home, settings: ApiSettings) -> Flask:
    """The app over this home. Make it in the process that serves it: the home's database connections do not fork."""
    app = _App("cleanroom.api", static_folder="static", static_url_path="/static")
    app.url_map.merge_slashes = False  # an address is what it says; no redirects
    app.config.update(_flask_settings(settings))
    app.extensions[EXTENSION] = Door(home, settings, threading.BoundedSemaphore(settings.most_waiting))
    app.register_error_handler(CleanroomError, _answer)
    requests.install(app)
    measures.install(app)
    authentication.install(app)
    api = ProblemApi(app, spec_kwargs=_specification())
    for name, schema in document_schemas().items():
        api.spec.components.schema(name, schema)
    for blueprint in (
        queries,
        collaborations,
        changes,
        invitations,
        agreements,
        documents,
        templates,
        versions,
        what_if,
        audit,
        health,
        secrets,
        me,
        people,
        tokens,
        measures.metrics,
    ):
        api.register_blueprint(blueprint)
    app.register_blueprint(pages)
    _require_complete(app)
    return app


class _App(Flask):
    """Flask that logs a failure as its class and places in the code: messages may hold what nobody should read."""

    def log_exception(
        self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None] | None
    ) -> None:
        error = exc_info[1] if exc_info else None
        if error is not None:
            _log.error("http.failed", **_trace(error))


def _answer(error: CleanroomError) -> Response:
    if isinstance(error, OperationError):
        _log.error("http.failed", code=error.code, **_trace(error))
    return answer_house_error(error)


def _trace(error: BaseException) -> dict[str, object]:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_qualname}:{trace.tb_lineno}")
        trace = trace.tb_next
    return {"error": type(error).__qualname__, "places": places}


def _flask_settings(settings: ApiSettings) -> dict[str, object]:
    return {
        "API_TITLE": "Clean room",
        "API_VERSION": __version__,
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/",
        "OPENAPI_JSON_PATH": "openapi.json",
        "MAX_CONTENT_LENGTH": settings.body_limit_bytes,
        "PROPAGATE_EXCEPTIONS": False,
    }


def _specification() -> dict[str, object]:
    return {
        "info": {"description": _DESCRIPTION, "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
        "security": [{"token": []}],
    }


def _require_complete(app: Flask) -> None:
    """No endpoint is without a decision, and no decision without an endpoint."""
    endpoints = {rule.endpoint for rule in app.url_map.iter_rules()}
    assert endpoints == PUBLIC | set(ACCESS), endpoints ^ (PUBLIC | set(ACCESS))
