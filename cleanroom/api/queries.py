"""Submit, check, follow, fetch and cancel queries. The broker judges, the executor runs, this door only asks and shows."""

from __future__ import annotations

import time
import uuid
from typing import Any

import structlog
from flask import Response, request
from werkzeug.exceptions import NotAcceptable

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import door, home, principal
from cleanroom.api.idempotency import idempotency_key
from cleanroom.api.permissions import receives_in, standings, unknown
from cleanroom.api.preferences import Wait, preferred_wait
from cleanroom.api.problems import problem_response
from cleanroom.api.results import MEDIA_TYPES, streamed, written
from cleanroom.api.schemas.queries import CheckSchema, QueryBody, QueryPage, QueryPageQuery, QuerySchema, ResultSchema
from cleanroom.api.views import check_view, query_view
from cleanroom.domain.errors import Conflict, Gone, OperationError
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.finding import shown
from cleanroom.domain.identifiers import CollaborationName, QueryId
from cleanroom.domain.query import FINAL_STATES, RELEASED_STATES, QueryRecord, QueryRequest, QueryState
from cleanroom.sql.parameters import sent_parameters

queries = StrictBlueprint("queries", __name__, url_prefix="/v1", description="Questions and their answers.")

_RETRY_AFTER_S = 1
_WAIT = {"name": "Prefer", "in": "header", "schema": {"type": "string"}, "description": "wait=N: wait up to N seconds."}


_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string"},
    "description": "The caller's own name for this request: sent again under it, the same request is the same query.",
}


@queries.route("/collaborations/<collaboration>/queries", methods=["POST"])
@queries.doc(parameters=[_WAIT, _KEY])
@queries.arguments(QueryBody)
@queries.response(201, QuerySchema, description="The query has ended; Location names it.")
@queries.alt_response(202, schema=QuerySchema, description="The query waits or runs; ask Location again.", success=True)
def submit(body: dict[str, Any], collaboration: str) -> Any:
    """Ask. A query that a rule refuses is a 422 problem, code query.rejected, with its id and findings."""
    wait = preferred_wait(request.headers, door().settings.wait_limit_s)
    key = idempotency_key(request.headers)
    asked = _request(collaboration, body)
    record = home().broker.submit(asked, key)
    structlog.contextvars.bind_contextvars(query=record.id)
    replayed = {} if record.id == asked.id else {"Idempotency-Replayed": "true"}
    if record.state is QueryState.REJECTED:
        return _rejected(record, replayed)
    receiving = receives_in(home(), principal().partner)  # before the wait, in which the store may go away
    ended = _await_end(record, wait) if wait else record
    shown_to = standings(principal(), ended, receiving)
    return (
        query_view(ended, shown_to),
        201 if ended.state in FINAL_STATES else 202,
        {**_headers(ended, wait), **replayed},
    )


@queries.route("/collaborations/<collaboration>/queries:check", methods=["POST"])
@queries.arguments(QueryBody)
@queries.response(200, CheckSchema)
def check(body: dict[str, Any], collaboration: str) -> dict[str, Any]:
    """The verdict on a query that is not run: no data is read, nothing is spent."""
    return check_view(home().broker.check(_request(collaboration, body)))


@queries.route("/queries")
@queries.arguments(QueryPageQuery, location="query")
@queries.response(200, QueryPage)
def listing(page: dict[str, Any]) -> dict[str, Any]:
    """The queries that the caller may see, newest first. A page may be shorter than its limit."""
    wanted = {"limit": door().settings.page_size, **page}
    found = home().drawers.queries.page(principal().partner, **wanted)
    receiving = receives_in(home(), principal().partner)
    held = [(r, standings(principal(), r, receiving)) for r in found.records]
    visible = [query_view(r, standing) for r, standing in held if standing]
    return {"queries": visible, "next_cursor": found.next_cursor}


@queries.route("/queries/<query>")
@queries.response(200, QuerySchema)
def read(query: str) -> Any:
    """One query: its state, and for its runner and the owners of its datasets the text and every finding."""
    record = _record(query)
    return _view(record), 200, _headers(record, None)


@queries.route("/queries/<query>/result")
@queries.response(200, ResultSchema, description="The released result, in the form that Accept asks for.")
@queries.alt_response(200, schema={"type": "string"}, content_type="text/csv", success=True)
@queries.alt_response(
    200, schema={"type": "string", "format": "binary"}, content_type="application/vnd.apache.arrow.stream", success=True
)
@queries.alt_response(
    200, schema={"type": "string", "format": "binary"}, content_type="application/vnd.apache.parquet", success=True
)
def result(query: str) -> Response:
    """The released result, for its receivers. That it was fetched is in the audit log before the first byte leaves."""
    media_type = request.accept_mimetypes.best_match(MEDIA_TYPES) if request.accept_mimetypes else MEDIA_TYPES[0]
    if media_type is None:
        raise NotAcceptable
    record = _record(query)
    stored = home().drawers.results.open(record.id) if _has_result(record) else None
    if stored is None:
        raise _no_result(record)
    body = written(stored.chunks(), media_type)
    event = _event(EventKind.RESULT_FETCHED, record, {"format": media_type, "digest": stored.digest})
    if not home().drawers.results.fetched(record.id, event):
        raise _no_result(_record(query))
    return streamed(body, media_type)


@queries.route("/queries/<query>/result", methods=["DELETE"])
@queries.response(204, description="The result is gone, for every receiver; the query is expired.")
def shred(query: str) -> None:
    """The result is not kept any longer, for nobody. 409 where there is none yet or never was, 410 where it is gone."""
    record = _record(query)
    if not home().drawers.results.shred(record.id, _event(EventKind.RESULT_SHREDDED, record, {})):
        raise _no_result(record)


@queries.route("/queries/<query>:cancel", methods=["POST"])
@queries.response(202, QuerySchema)
def cancel(query: str) -> Any:
    """A queued query is cancelled; a running one is asked to stop. 409 where it has ended."""
    record = _record(query)
    if home().drawers.queries.request_cancel(record.id, _event(EventKind.QUERY_CANCELLED, record, {})) is None:
        raise Conflict("The query has already ended.", "query.ended")
    asked = _record(query)
    return _view(asked), 202, _headers(asked, None)


def _request(collaboration: str, body: dict[str, Any]) -> QueryRequest:
    return QueryRequest(
        id=QueryId(uuid.uuid4().hex),
        collaboration=CollaborationName(collaboration),
        principal=principal(),
        sql=body.get("sql", ""),
        dialect=body.get("dialect", "duckdb"),
        submitted_at=home().clock.now(),
        parameters=sent_parameters(body.get("parameters", {})),
        template=body.get("template"),
    )


def _record(query: str) -> QueryRecord:
    record = home().drawers.queries.get(QueryId(query))
    if record is None:
        raise unknown("query")
    structlog.contextvars.bind_contextvars(query=record.id)
    return record


def _view(record: QueryRecord) -> dict[str, Any]:
    return query_view(record, standings(principal(), record, receives_in(home(), principal().partner)))


def _headers(record: QueryRecord, wait: Wait | None) -> dict[str, str]:
    location = {"Location": f"/v1/queries/{record.id}"}
    retry = {} if record.state in FINAL_STATES else {"Retry-After": str(_RETRY_AFTER_S)}
    applied = {"Preference-Applied": f"wait={wait.seconds}"} if wait else {}
    return {**location, **retry, **applied}


def _rejected(record: QueryRecord, replayed: dict[str, str]) -> Response:
    response = problem_response(
        422,
        "query.rejected",
        "A rule refuses this query; every reason is in findings.",
        id=record.id,
        findings=[shown(f) for f in record.findings],
    )
    response.headers["Location"] = f"/v1/queries/{record.id}"
    response.headers.update(replayed)
    return response


def _await_end(record: QueryRecord, wait: Wait) -> QueryRecord:
    """The record once it has ended or the time is over. Where too many wait already, or the server is to stop, it is
    answered as it is; and where the store is away, since the caller must learn the query's id."""
    if not door().waiting.acquire(blocking=False):
        return record
    try:
        until_s = time.monotonic() + wait.seconds
        while record.state not in FINAL_STATES and (left_s := until_s - time.monotonic()) > 0:
            if door().stopping.wait(min(door().settings.poll_interval_s, left_s)):
                break
            record = _record(record.id)
        return record
    except OperationError:
        return record
    finally:
        door().waiting.release()


def _event(kind: EventKind, record: QueryRecord, data: dict[str, Any]) -> Event:
    caller = principal()
    return Event(
        kind=kind,
        at=home().clock.now(),
        partner=caller.partner,
        principal=caller.id,
        collaboration=record.collaboration,
        query=record.id,
        datasets=record.datasets,
        data=data,
    )


def _has_result(record: QueryRecord) -> bool:
    """There is one, and it may still be had: what is over is refused before it is shredded."""
    kept = record.expires_at is not None and home().clock.now() < record.expires_at
    return record.state is QueryState.SUCCEEDED and kept


def _no_result(record: QueryRecord) -> Conflict | Gone:
    if record.state in RELEASED_STATES:
        return Gone("The result was kept for its time, and is gone.", "result.expired")
    if record.state in FINAL_STATES:
        return Conflict("The query ended without a result.", "result.none")
    return Conflict("The query has not ended yet.", "result.not_ready")
