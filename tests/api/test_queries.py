from __future__ import annotations

import io
import threading
import time
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.domain.identifiers import QueryId
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, REFUSED, House, rule

pytestmark = pytest.mark.databases

STANDING = {"code": "threshold.standing", "message": "Groups of fewer than 50 people are left out."}
PARAMETERS: list[dict[str, Any]] = [
    {"sql": APPROVED, "parameters": None},
    {"sql": APPROVED, "parameters": []},
    {"sql": APPROVED, "template": "reach"},
    {"template": "reach", "dialect": "duckdb"},
    {"template": 5},
    {"sql": APPROVED, "dialect": "oracle"},
    {"sql": APPROVED, "dialect": None},
    {"sql": APPROVED, "unknown": 1},
    {"sql": 5},
    {"sql": None},
    {"sql": ["SELECT 1"]},
    {},
]


def test_an_approved_query_is_queued_and_followed_to_its_result(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    submitted = press.submit()
    assert submitted.status_code == 202
    assert int(submitted.headers["Retry-After"]) > 0
    here = submitted.headers["Location"]
    assert submitted.json == press.get(here).json
    assert submitted.json["state"] == "queued"
    assert submitted.json["row_count"] is None
    assert "result" not in submitted.json["links"]
    assert press.get(f"{here}/result").status_code == 409
    house.answer(submitted.json["id"])
    ended = press.get(here).json
    assert ended["state"] == "succeeded"
    assert ended["row_count"] == 1
    assert ended["findings"] == []
    assert "finished_at" not in ended  # how long a query took may tell of what was left out
    assert submitted.json["notices"] == ended["notices"] == [STANDING]
    assert press.get(ended["links"]["result"]).json == {
        "columns": [{"name": "region", "type": "VARCHAR"}, {"name": "buyers", "type": "BIGINT"}],
        "rows": [["north", 61]],
    }


def test_a_refused_query_is_a_problem_with_its_id_and_every_finding(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    refused = press.submit(REFUSED)
    assert refused.status_code == 422
    assert refused.mimetype == "application/problem+json"
    assert refused.json["code"] == "query.rejected"
    assert refused.json["findings"]
    assert {"code", "message"} <= set(refused.json["findings"][0])
    kept = press.get(f"/v1/queries/{refused.json['id']}").json
    assert kept["state"] == "rejected"
    assert kept["findings"] == refused.json["findings"]
    assert kept["notices"] == []
    assert press.get(f"/v1/queries/{refused.json['id']}/result").json["code"] == "result.none"
    assert "query.rejected" in house.kinds()


@pytest.mark.parametrize("sql", ["", " ", "SELEC", "SELECT * FROM nowhere.x", "é" * 20_000, "(" * 3_000, "'" * 99])
def test_sql_of_any_kind_is_a_refusal_with_findings(house: House, sql: str) -> None:
    refused = house.caller("press", Role.ANALYST).submit(sql)
    assert refused.status_code == 422
    assert refused.json["code"] == "query.rejected"
    assert refused.json["findings"]


@pytest.mark.parametrize("body", PARAMETERS)
@pytest.mark.parametrize("verb", ["queries", "queries:check"])
def test_a_body_that_asks_for_what_is_not_done_is_refused(house: House, body: dict[str, Any], verb: str) -> None:
    refused = house.caller("press").post(f"/v1/collaborations/media/{verb}", body)
    assert refused.status_code == 422
    assert refused.json["code"] == "input.invalid"
    assert refused.json["problems"][0]["field"] in ("parameters", "template", "dialect", "unknown", "sql")


def test_check_tells_the_verdict_and_the_columns_and_runs_nothing(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    checked = press.post("/v1/collaborations/media/queries:check", {"sql": APPROVED})
    assert checked.status_code == 200
    assert checked.json == {
        "approved": True,
        "findings": [],
        "datasets": ["shop.customers"],
        "output_columns": [{"name": "region", "type": "VARCHAR"}, {"name": "buyers", "type": "BIGINT"}],
        "notices": [STANDING],
        "costs": [],
    }
    refused = press.post("/v1/collaborations/media/queries:check", {"sql": REFUSED})
    assert refused.status_code == 200
    assert refused.json["approved"] is False
    assert refused.json["findings"]
    assert refused.json["output_columns"] == refused.json["notices"] == []
    assert press.get("/v1/queries").json["queries"] == []
    assert house.kinds().count("query.checked") == 2


@pytest.mark.parametrize(("dialect", "approved"), [("bigquery", True), ("mysql", True), ("postgres", False)])
def test_a_query_is_read_in_the_dialect_that_it_names(house: House, dialect: str, approved: bool) -> None:
    body = {"sql": APPROVED.replace("shop.customers", "`shop`.`customers`"), "dialect": dialect}
    press = house.caller("press", Role.ANALYST)
    assert press.post("/v1/collaborations/media/queries:check", body).json["approved"] is approved
    submitted = press.post("/v1/collaborations/media/queries", body)
    assert submitted.status_code == (202 if approved else 422)
    record = house.home.drawers.queries.get(QueryId(submitted.json["id"]))
    assert record is not None
    assert record.dialect == dialect


def test_prefer_wait_answers_201_as_soon_as_the_query_has_ended(house: House) -> None:
    press = house.caller("press", Role.ANALYST)

    def execute() -> None:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            page = house.home.drawers.queries.page()
            if page.records:
                house.answer(page.records[0].id)
                return
            time.sleep(0.01)

    executor = threading.Thread(target=execute)
    executor.start()
    began = time.monotonic()
    answered = press.submit(Prefer="wait=20")
    executor.join()
    assert answered.status_code == 201
    assert answered.json["state"] == "succeeded"
    assert answered.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in answered.headers
    assert time.monotonic() - began < 15


def test_prefer_wait_answers_202_when_the_time_is_over(house: House) -> None:
    answered = house.caller("press").submit(Prefer="wait=0, respond-async")
    assert answered.status_code == 202
    assert answered.headers["Preference-Applied"] == "wait=0"


def test_a_wait_of_nonsense_asks_nothing(house: House) -> None:
    refused = house.caller("press").submit(Prefer="wait=soon")
    assert (refused.status_code, refused.json["code"]) == (422, "input.invalid")
    assert house.home.drawers.queries.page().records == ()


def test_results_come_as_csv_arrow_and_parquet(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    query = press.submit().json["id"]
    table = pa.table({"region": ["=north"], "buyers": pa.array([61], pa.int64())})
    house.answer(query, table)
    path = f"/v1/queries/{query}/result"
    assert press.get(path, Accept="text/csv").data == b'"region","buyers"\r\n"\'=north",61\r\n'
    assert press.get(path, Accept="text/csv").headers["Content-Type"] == "text/csv; charset=utf-8"
    arrow = press.get(path, Accept="application/vnd.apache.arrow.stream").data
    assert pa.ipc.open_stream(arrow).read_all().equals(table)
    parquet = press.get(path, Accept="application/vnd.apache.parquet").data
    assert pq.read_table(io.BytesIO(parquet)).equals(table)
    chosen = press.get(path, Accept="application/xml, text/csv;q=0.5, application/json;q=0.1")
    assert chosen.mimetype == "text/csv"
    assert press.get(path, Accept="*/*").mimetype == "application/json"
    assert press.get(path).headers["Cache-Control"] == "no-store"


def test_a_fetch_is_in_the_log_before_bytes_leave(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    query = press.submit().json["id"]
    house.answer(query)
    assert house.kinds().count("result.fetched") == 0
    assert press.get(f"/v1/queries/{query}/result", Accept="image/png").status_code == 406
    assert house.kinds().count("result.fetched") == 0
    assert press.get(f"/v1/queries/{query}/result").status_code == 200
    assert house.kinds().count("result.fetched") == 1


def test_cancel_ends_a_queued_query_once(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    query = press.submit().json
    cancelled = press.post(query["links"]["cancel"])
    assert (cancelled.status_code, cancelled.json["state"]) == (202, "cancelled")
    assert "cancel" not in cancelled.json["links"]
    again = press.post(query["links"]["cancel"])
    assert (again.status_code, again.json["code"]) == (409, "query.ended")
    assert house.kinds().count("query.cancelled") == 1
    assert press.get(f"/v1/queries/{query['id']}/result").json["code"] == "result.none"


def test_owner_sees_text_and_findings_but_nothing_of_the_answer(house: House) -> None:
    press, shop = house.caller("press", Role.ANALYST), house.caller("shop", Role.DATA_OWNER, Role.ANALYST)
    query = press.submit().json["id"]
    house.answer(query)
    seen = shop.get(f"/v1/queries/{query}").json
    assert seen["sql"] == APPROVED
    assert seen["row_count"] is None
    assert "result" not in seen["links"]
    assert shop.get(f"/v1/queries/{query}/result").status_code == 403
    refused = press.submit(REFUSED).json
    assert shop.get(f"/v1/queries/{refused['id']}").json["findings"] == refused["findings"]
    assert len(shop.get("/v1/queries").json["queries"]) == 2


def test_whoever_only_receives_sees_the_result_but_not_the_question(house: House) -> None:
    press, reader = house.caller("press", Role.ANALYST), house.caller("reader", Role.ANALYST)
    query = press.submit().json["id"]
    assert reader.get(f"/v1/queries/{query}").status_code == 404
    assert reader.get(f"/v1/queries/{query}/result").status_code == 404
    house.answer(query)
    seen = reader.get(f"/v1/queries/{query}").json
    assert "sql" not in seen
    assert seen["row_count"] == 1
    assert reader.get(seen["links"]["result"]).json["rows"] == [["north", 61]]
    assert reader.post(f"/v1/queries/{query}:cancel").status_code == 403
    refused = press.submit(REFUSED).json["id"]
    assert reader.get(f"/v1/queries/{refused}").status_code == 404
    assert [q["id"] for q in reader.get("/v1/queries").json["queries"]] == [query]


def test_a_runner_that_does_not_receive_sees_its_question_but_nothing_of_the_answer(house: House) -> None:
    house.write({**rule(), "result_receivers": ["reader"]})
    press = house.caller("press", Role.ANALYST)
    query = press.submit().json["id"]
    house.answer(query)
    seen = press.get(f"/v1/queries/{query}").json
    assert (seen["state"], seen["sql"], seen["row_count"]) == ("succeeded", APPROVED, None)
    assert "result" not in seen["links"]
    assert press.get(f"/v1/queries/{query}/result").status_code == 403
    assert house.caller("reader", Role.ANALYST).get(f"/v1/queries/{query}/result").status_code == 200


def test_a_stranger_cannot_tell_a_query_of_others_from_none(house: House) -> None:
    stranger = house.caller("stranger")
    query = house.caller("press").submit().json["id"]
    for path in ("", "/result"):
        theirs, none = stranger.get(f"/v1/queries/{query}{path}"), stranger.get(f"/v1/queries/nothing{path}")
        assert (theirs.status_code, none.status_code) == (404, 404)
        assert {**theirs.json, "request_id": ""} == {**none.json, "request_id": ""}
    assert stranger.submit().json["code"] == "name.unknown"
    assert stranger.get("/v1/queries").json == {"queries": [], "next_cursor": None}


def test_listing_pages_through_every_query_once_newest_first(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    asked = [press.submit().json["id"] for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = press.get(f"/v1/queries?limit=2{cursor and '&cursor=' + cursor}").json
        found += [q["id"] for q in page["queries"]]
        cursor = page["next_cursor"]
    assert found == asked[::-1]


PAGES = ["limit=0", "limit=-1", "limit=201", "limit=x", "limit=1&limit=2", "cursor=%00", "cursor=x", "page=2"]


@pytest.mark.parametrize("page", [*PAGES, "cursor=" + "a" * 3000, "limit=" + "9" * 5000])
def test_a_page_that_is_none_is_refused(house: House, page: str) -> None:
    refused = house.caller("press").get(f"/v1/queries?{page}")
    assert (refused.status_code, refused.json["code"]) == (422, "input.invalid")


def test_more_waiting_requests_than_allowed_are_answered_at_once(house: House) -> None:
    press = house.caller("press", Role.ANALYST)
    waiting = [threading.Thread(target=press.submit, kwargs={"Prefer": "wait=2"}) for _ in range(2)]
    for thread in waiting:
        thread.start()
    until = time.monotonic() + 5
    while len(house.home.drawers.queries.page().records) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    began = time.monotonic()
    assert press.submit(Prefer="wait=30").status_code == 202
    assert time.monotonic() - began < 2
    for thread in waiting:
        thread.join()


def test_no_query_is_stored_under_an_id_that_the_caller_chose(house: House) -> None:
    body = {"sql": APPROVED, "id": "mine"}
    assert house.caller("press").post("/v1/collaborations/media/queries", body).status_code == 422
    assert house.home.drawers.queries.get(QueryId("mine")) is None


@pytest.mark.parametrize("path", ["/v1/queries/a%00b", "/v1/queries/a%00b/result", "/v1/queries/%ff"])
def test_a_name_that_no_database_takes_is_unknown(house: House, path: str) -> None:
    answer = house.caller("press").get(path)
    assert (answer.status_code, answer.json["code"]) == (404, "name.unknown")
