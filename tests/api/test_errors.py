"""Whatever is sent, the answer is a problem with a code: never a 5xx, a traceback, a path or a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from cleanroom.api.requests import API_POLICY
from cleanroom.domain.errors import LogError, SourceError
from tests.api.conftest import APPROVED, House

QUERIES = "/v1/collaborations/media/queries"


def sent(house: House, method: str, path: str, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {house.caller('press').token}", **options.pop("headers", {})}
    return house.app.test_client().open(path, method=method, headers=headers, **options)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "name.unknown"),
        ("GET", "/v1/queries/", 404, "name.unknown"),
        ("GET", "//v1/queries", 404, "name.unknown"),
        ("GET", "/v1/queries/%00", 404, "name.unknown"),
        ("GET", "/v1/queries/" + "a" * 3000, 404, "name.unknown"),
        ("GET", "/v1/queries/%ff%fe", 404, "name.unknown"),
        ("GET", "/v1/collaborations/..%2f..%2fetc", 404, "name.unknown"),
        ("GET", "/static/..%2fapp.py", 404, "name.unknown"),
        ("GET", "/static/../app.py", 404, "name.unknown"),
        ("DELETE", "/v1/queries", 405, "method.not_allowed"),
        ("PATCH", "/v1/datasets/shop.customers", 405, "method.not_allowed"),
        ("TRACE", "/v1/queries", 405, "method.not_allowed"),
        ("GET", QUERIES, 405, "method.not_allowed"),
        ("GET", "/v1/audit/events/-1/proof", 422, "input.invalid"),
        ("GET", "/v1/audit/events/x/proof", 422, "input.invalid"),
        ("GET", "/v1/audit/events/999999999999999999999/proof", 422, "input.invalid"),
        ("GET", "/v1/audit/events/999999999999999/proof", 404, "name.unknown"),
        ("GET", "/v1/audit/events?cursor=-5", 422, "input.invalid"),
        ("GET", "/v1/audit/events?limit=0", 422, "input.invalid"),
        ("GET", "/v1/queries?limit=1e9", 422, "input.invalid"),
        ("GET", "/v1/queries?cursor=%ff", 422, "input.invalid"),
    ],
)
def test_addresses_that_lead_nowhere(house: House, method: str, path: str, status: int, code: str) -> None:
    answer = sent(house, method, path)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    if status == 405:
        assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        (b"", None, 415, "content_type.unsupported"),
        (b"sql=SELECT", "application/x-www-form-urlencoded", 415, "content_type.unsupported"),
        (b"{}", "text/plain", 415, "content_type.unsupported"),
        (b"{}", "application/xml", 415, "content_type.unsupported"),
        (b"{}", "application/jsonish", 415, "content_type.unsupported"),
        (b"", "application/json", 400, "body.not_json"),
        (b"{", "application/json", 400, "body.not_json"),
        (b"\xff\xfe{}", "application/json", 400, "body.not_utf8"),
        (b'{"sql": "a", "sql": "b"}', "application/json", 400, "body.repeated_name"),
        (b"[" * 100_000, "application/json", 400, "body.too_deep"),
        (b'{"sql": "\\u0000"}', "application/json", 422, "input.invalid"),
        (b'{"sql": "\\ud800"}', "application/json", 422, "input.invalid"),
        (b"null", "application/json", 422, "input.invalid"),
        (b"[]", "application/json", 422, "input.invalid"),
        (b'"x"', "application/json", 422, "input.invalid"),
        (b'{"sql": "' + b"x" * 10_000_000 + b'"}', "application/json", 413, "body.too_large"),
    ],
)
@pytest.mark.parametrize("path", [QUERIES, f"{QUERIES}:check", "/v1/datasets/press.x", "/v1/connections/press-lake"])
def test_bodies_that_are_none(
    house: House, path: str, body: bytes, content_type: str | None, status: int, code: str
) -> None:
    method = "POST" if "queries" in path else "PUT"
    answer = sent(house, method, path, data=body, content_type=content_type)
    assert answer.status_code == status
    assert answer.json["code"] == code
    assert len(house.home.drawers.queries.page().records) == 0


def test_a_name_that_is_not_known_is_told_beside_those_that_are(house: House) -> None:
    (problem,) = sent(house, "POST", QUERIES, json={"sql": APPROVED, "dialekt": "duckdb"}).json["problems"]
    assert (problem["field"], problem["hint"]) == ("dialekt", "Known here: dialect, parameters, sql, template.")
    (problem,) = sent(house, "GET", "/v1/queries?cusor=1").json["problems"]
    assert problem["hint"] == "Known here: collaboration, cursor, limit, state."


def test_a_body_with_a_charset_is_read(house: House) -> None:
    body = json.dumps({"sql": APPROVED})
    assert sent(house, "POST", QUERIES, data=body, content_type="application/json; charset=utf-8").status_code == 202


@pytest.mark.parametrize("path", ["/v1/queries", "/v1/collaborations", "/healthz"])
def test_an_accept_that_leaves_no_json_is_406(house: House, path: str) -> None:
    assert sent(house, "GET", path, headers={"Accept": "text/html"}).json["code"] == "accept.unsupported"
    for accept in ("*/*", "application/*", "text/html, application/json;q=0.1", "application/problem+json"):
        assert sent(house, "GET", path, headers={"Accept": accept}).status_code == 200


def test_the_body_of_an_unauthenticated_request_is_not_even_limited_by_patience(house: House) -> None:
    answer = house.app.test_client().post(QUERIES, data=b"x" * 300_000)
    assert (answer.status_code, answer.json["code"]) == (413, "body.too_large")


def test_a_fault_of_ours_is_500_with_an_id_and_nothing_else(house: House) -> None:
    def broken() -> str:
        raise RuntimeError("secret value at /srv/data/customers.parquet")

    house = house.rebuilt()
    house.app.view_functions["health.alive"] = broken
    with capture_logs() as logs:
        answer = house.anonymous.get("/healthz")
    assert answer.status_code == 500
    assert answer.json["code"] == "internal"
    assert "secret" not in answer.text + json.dumps(logs)
    assert "/srv" not in answer.text + json.dumps(logs)
    assert [log["error"] for log in logs if log["event"] == "http.failed"] == ["RuntimeError"]


@pytest.mark.parametrize("error", [LogError("disk /srv full"), SourceError("at /srv", "source.missing")])
def test_what_the_operator_has_to_mend_is_503_with_its_code_only(house: House, error: Exception) -> None:
    def broken() -> str:
        raise error

    house = house.rebuilt()
    house.app.view_functions["health.alive"] = broken
    answer = house.anonymous.get("/healthz")
    assert answer.status_code == 503
    assert answer.json["code"] == getattr(error, "code")  # noqa: B009
    assert "/srv" not in answer.text


def test_every_answer_has_an_id_and_strict_headers(house: House) -> None:
    seen = set()
    for path in ("/healthz", "/nothing", "/v1/queries", "/v1/collaborations"):
        headers = sent(house, "GET", path).headers
        seen.add(headers["X-Request-Id"])
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == API_POLICY
        assert headers["Cache-Control"] == "no-store"
    assert len(seen) == 4


def test_a_request_id_of_the_callers_is_not_taken_over(house: House) -> None:
    assert sent(house, "GET", "/healthz", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] != "mine"


def test_the_log_tells_of_each_request_but_not_what_it_asked(house: House) -> None:
    lines: list[dict[str, Any]] = []

    def keep(_logger: object, _name: str, line: Any) -> Any:
        lines.append(dict(line))
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, keep])
    try:
        answer = sent(house, "POST", QUERIES, json={"sql": "SELECT 'Mrs Example' FROM shop.customers"})
        sent(house, "GET", "/v1/queries?cursor=secretcursor")
    finally:
        structlog.configure(**before)
    told = [line for line in lines if line["event"] == "http.request"]
    assert [line["endpoint"] for line in told] == ["queries.submit", "queries.listing"]
    assert told[0]["request_id"] == answer.headers["X-Request-Id"]
    assert told[0]["status"] == 422
    assert "Example" not in json.dumps(lines)
    assert "secretcursor" not in json.dumps(lines)
