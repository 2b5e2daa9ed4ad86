"""Anything that goes wrong → application/problem+json (RFC 9457) with a stable code. No value, path or foreign text."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Response, g, json
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from cleanroom.api.schemas.queries import FindingSchema
from cleanroom.domain.errors import (
    CleanroomError,
    Conflict,
    Gone,
    InvalidInput,
    Moved,
    NotAuthenticated,
    NotFound,
    NotPermitted,
    OperationError,
    Problem,
    QuotaExceeded,
    RequestError,
)

MEDIA_TYPE = "application/problem+json"

_OF_STATUS: dict[int, tuple[str, str]] = {
    400: ("request.malformed", "The request is not well-formed HTTP or JSON."),
    404: ("name.unknown", "There is nothing of that name here, or it is not yours to see."),
    405: ("method.not_allowed", "This address does not answer that method; the Allow header lists those it does."),
    406: ("accept.unsupported", "None of the media types in the Accept header can be answered here."),
    408: ("request.timeout", "The request did not arrive in time."),
    411: ("length.required", "The request needs a Content-Length header."),
    413: ("body.too_large", "The body is larger than this server reads."),
    414: ("path.too_long", "The address is longer than this server reads."),
    415: ("content_type.unsupported", "The body must be sent as Content-Type: application/json."),
    422: ("input.invalid", "The input is not what this address expects."),
    431: ("headers.too_large", "The headers are larger than this server reads."),
    500: ("internal", "Something failed on this side. The operator finds it under the request id."),
    503: ("operation.failed", "The server cannot do this at the moment. The operator finds why under the request id."),
}


class FieldProblemSchema(ma.Schema):
    """One thing wrong with an input, and where."""

    code = ma.fields.String(required=True)
    message = ma.fields.String(required=True)
    field = ma.fields.String()
    line = ma.fields.Integer()
    hint = ma.fields.String()


class ProblemSchema(ma.Schema):
    """An RFC 9457 problem. `code` is stable; `request_id` names the operator's log lines of this request."""

    type = ma.fields.String(required=True)
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    code = ma.fields.String(required=True)
    detail = ma.fields.String(required=True)
    request_id = ma.fields.String(required=True)
    problems = ma.fields.List(ma.fields.Nested(FieldProblemSchema))
    id = ma.fields.String(metadata={"description": "query.rejected: the query."})
    findings = ma.fields.List(
        ma.fields.Nested(FindingSchema), metadata={"description": "query.rejected: every reason."}
    )
    checks = ma.fields.Dict(keys=ma.fields.String(), values=ma.fields.String())
    limit = ma.fields.String(metadata={"description": "quota.exceeded: which quota is used up."})


def status_of(error: CleanroomError) -> int:
    """The HTTP status of an error of the house. What the caller cannot fix is 503 where the operator can, else 500."""
    match error:
        case InvalidInput():
            return 422
        case NotAuthenticated():
            return 401
        case NotPermitted():
            return 403
        case NotFound():
            return 404
        case Conflict():
            return 409
        case Gone():
            return 410
        case Moved():
            return 412
        case QuotaExceeded():
            return 429
        case RequestError():
            return 400
        case OperationError():
            return 503
        case _:
            return 500


def problem_response(status: int, code: str, detail: str, **members: Any) -> Response:
    """The problem as a response; `members` are extension members of RFC 9457, section 3.2."""
    g.problem_code = code
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        "request_id": g.get("request_id", ""),
        **members,
    }
    return Response(json.dumps(body), status=status, mimetype=MEDIA_TYPE)


def answer_house_error(error: CleanroomError) -> Response:
    """The problem of an error of the house. An operation's failure keeps its code but not its words."""
    status = status_of(error)
    if status >= 500:
        return problem_response(status, error.code, _OF_STATUS[status][1])
    response = problem_response(status, error.code, error.message, **_members(error))
    if isinstance(error, QuotaExceeded):
        response.headers["Retry-After"] = str(error.retry_after_s)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="cleanroom"'
    return response


def _members(error: CleanroomError) -> dict[str, Any]:
    match error:
        case InvalidInput():
            return {"problems": [_field_problem(p) for p in error.problems]}
        case QuotaExceeded():
            return {"limit": error.limit}
        case _:
            return {}


def answer_http_error(error: HTTPException) -> Response:
    """The problem of an error that Flask raised. Its own headers (Allow, Retry-After) stay, its words do not."""
    status = error.code or 500
    code, detail = _OF_STATUS.get(status, (f"http.{status}", f"{HTTPStatus(status).phrase}."))
    response = problem_response(status, code, detail)
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


class ProblemApi(Api):  # type: ignore[misc]
    """flask-smorest's Api whose errors are problems, in the answers and in the OpenAPI document."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_RESPONSE_CONTENT_TYPE: str = Api.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        return answer_http_error(error)

    def _register_responses(self) -> None:
        self.DEFAULT_RESPONSE_CONTENT_TYPE = MEDIA_TYPE
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = Api.DEFAULT_RESPONSE_CONTENT_TYPE


def _field_problem(problem: Problem) -> dict[str, Any]:
    """The problem without its absent parts. A file name never leaves: over HTTP there is one document, the body."""
    parts = {"field": problem.field, "line": problem.line, "hint": problem.hint}
    return {"code": problem.code, "message": problem.message, **{k: v for k, v in parts.items() if v is not None}}
