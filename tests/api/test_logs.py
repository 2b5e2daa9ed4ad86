"""What the operator's log says: which request, query and principal; and nothing of what was asked or sent."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog
from structlog.testing import LogCapture

from cleanroom.domain.query import Role
from tests.api.conftest import House, rule

PLANTED = "planted-6f1c"
ASKED = f"SELECT region, COUNT(*) AS n FROM shop.customers WHERE region = '{PLANTED}' GROUP BY region"
REFUSED = f"SELECT notes FROM shop.customers WHERE notes = '{PLANTED}'"
BROKEN = f"SELECT '{PLANTED} FROM"


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    """What is logged meanwhile, as fields."""
    capture = LogCapture()
    before = structlog.get_config()
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture], cache_logger_on_first_use=False)
    yield capture.entries  # type: ignore[misc]
    structlog.configure(**before)


def test_a_line_names_request_query_and_principal(house: House, lines: list[dict[str, object]]) -> None:
    answer = house.caller("press", Role.ANALYST).submit()
    line = next(line for line in lines if line["event"] == "http.request")
    assert line["request_id"] == answer.headers["X-Request-Id"]
    assert line["query"] == answer.json["id"]
    assert str(line["principal"]).startswith("press/")


@pytest.mark.parametrize("path", ["/v1/queries/{}", "/v1/queries/{}/result", "/v1/queries/{}:cancel"])
def test_a_query_that_is_asked_for_by_its_address_is_named(
    house: House, lines: list[dict[str, object]], path: str
) -> None:
    caller = house.caller("press", Role.ANALYST)
    query = caller.submit().json["id"]
    caller.ask("POST" if path.endswith("cancel") else "GET", path.format(query))
    assert lines[-1]["query"] == query


def test_what_an_address_says_is_not_logged(house: House, lines: list[dict[str, object]]) -> None:
    caller = house.caller("press", Role.ANALYST)
    for path in (
        f"/v1/queries/{PLANTED}",
        f"/{PLANTED}",
        f"/v1/queries?cursor={PLANTED}",
        f"/v1/collaborations/{PLANTED}",
    ):
        assert caller.get(path).status_code >= 400
    assert PLANTED not in json.dumps(lines, default=str)


def test_one_request_s_query_is_not_on_the_next_line(house: House, lines: list[dict[str, object]]) -> None:
    caller = house.caller("press", Role.ANALYST)
    caller.submit()
    caller.get("/v1/queries")
    assert "query" not in lines[-1]


def test_no_text_literal_body_or_token_is_in_any_line(house: House, lines: list[dict[str, object]]) -> None:
    analyst, owner = house.caller("press", Role.ANALYST), house.caller("shop", Role.DATA_OWNER)
    for sql in (ASKED, REFUSED, BROKEN):
        analyst.submit(sql)
        analyst.post("/v1/collaborations/media/queries:check", {"sql": sql})
    analyst.post("/v1/collaborations/media/queries", {"sql": "SELECT 1", "parameters": {PLANTED: PLANTED}})
    analyst.post("/v1/collaborations/media/queries", {PLANTED: PLANTED})
    owner.put("/v1/collaborations/media/rules/shop.customers", {**rule(), "row_filter": f"region = '{PLANTED}'"})
    owner.put("/v1/collaborations/media/rules/shop.customers", {**rule(), PLANTED: 1})
    analyst.ask("GET", "/v1/queries", **{"X-Planted": PLANTED, "Accept": PLANTED, "Idempotency_Key": PLANTED})
    written = json.dumps(lines, default=str)
    assert len(lines) >= 11
    assert PLANTED not in written
    for token in (analyst.token, owner.token):
        assert token is not None
        assert token not in written


def test_a_database_that_fails_is_logged_without_what_was_to_be_written(
    house: House, lines: list[dict[str, object]]
) -> None:
    analyst = house.caller("press", Role.ANALYST)
    with house.home.database.begin() as transaction:
        transaction.exec_driver_sql("CREATE TRIGGER no BEFORE INSERT ON log_entry BEGIN SELECT RAISE(ABORT, 'no'); END")
    assert analyst.submit(ASKED).status_code == 503
    assert any(line["event"] in ("log.unwritable", "store.failed") for line in lines)
    assert PLANTED not in json.dumps(lines, default=str)
    assert "INSERT" not in json.dumps(lines, default=str)
