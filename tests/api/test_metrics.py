"""What a monitor sees: figures of the whole house, for the operator's token alone, and nothing of who did what."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cleanroom.api.app import create_app
from cleanroom.api.metrics import CONTENT_TYPE
from cleanroom.domain.query import Role
from tests.api.conftest import SETTINGS, Caller, House

TOKEN = "operators-own-metrics-token"
REFUSED = "SELECT notes FROM shop.customers"


@pytest.fixture
def monitored(house: House) -> House:
    app = create_app(house.home, replace(SETTINGS, metrics_token=TOKEN))
    return House(house.home, app, house.data)


def scrape(house: House) -> dict[tuple[str, tuple[str, ...]], float]:
    answer = Caller(house.app, TOKEN).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == CONTENT_TYPE
    families = text_string_to_metric_families(answer.text)
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


def value(house: House, name: str, *labels: str) -> float:
    return scrape(house)[name, labels]


def test_without_a_token_set_nobody_may_look(house: House) -> None:
    for token in (None, TOKEN, ""):
        answer = Caller(house.app, token).get("/metrics")
        assert (answer.status_code, answer.json["code"]) == (403, "metrics.no_token")


@pytest.mark.parametrize("token", [None, "", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "é"])
def test_another_token_is_refused(monitored: House, token: str | None) -> None:
    answer = Caller(monitored.app, token).get("/metrics")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "cleanroom_" not in answer.text


def test_no_partners_token_opens_it_and_the_operators_opens_nothing_else(monitored: House) -> None:
    assert monitored.caller("shop", *Role).get("/metrics").status_code == 401
    assert Caller(monitored.app, TOKEN).get("/v1/queries").status_code == 401


def test_queries_are_counted_by_state_and_the_queue_by_its_oldest(monitored: House) -> None:
    analyst = monitored.caller("press", Role.ANALYST)
    analyst.submit()
    analyst.submit(REFUSED)
    assert value(monitored, "cleanroom_queries", "queued") == 1
    assert value(monitored, "cleanroom_queries", "rejected") == 1
    assert value(monitored, "cleanroom_queue_length") == 1
    assert 0 <= value(monitored, "cleanroom_queue_oldest_wait_seconds") < 60
    assert value(monitored, "cleanroom_submissions_refused_total") == 1
    assert value(monitored, "cleanroom_log_entries") == monitored.home.drawers.log.size()


def test_an_empty_queue_has_no_wait(monitored: House) -> None:
    assert value(monitored, "cleanroom_queue_length") == 0
    assert value(monitored, "cleanroom_queue_oldest_wait_seconds") == 0


def test_executors_are_told_by_how_long_ago_they_spoke(monitored: House) -> None:
    monitored.home.drawers.executors.stamp("host-1", monitored.home.clock.now())
    found = scrape(monitored)
    assert found["cleanroom_executors", ()] == 1
    assert found["cleanroom_executor_heartbeat_age_seconds", ("0",)] < 60


def test_requests_are_counted_by_endpoint_method_and_class(monitored: House) -> None:
    monitored.anonymous.get("/v1/queries")
    monitored.caller("press", Role.ANALYST).get("/v1/queries")
    found = scrape(monitored)
    assert found["cleanroom_http_requests_total", ("queries.listing", "GET", "4xx")] == 1
    assert found["cleanroom_http_requests_total", ("queries.listing", "GET", "2xx")] == 1
    assert found["cleanroom_http_request_duration_seconds_count", ("queries.listing", "GET")] == 2


def test_what_strangers_ask_for_makes_no_new_label(monitored: House) -> None:
    client = monitored.app.test_client()
    for path, method in (("/nosuch", "GET"), ("/another", "BREW"), ("/v1/queries", "BREW")):
        client.open(path, method=method)
    labels = {labels for name, labels in scrape(monitored) if name == "cleanroom_http_requests_total"}
    assert labels == {("unknown", "any", "4xx")}


def test_no_partner_dataset_or_collaboration_is_in_it(monitored: House) -> None:
    monitored.caller("press", Role.ANALYST).submit()
    monitored.caller("shop", Role.DATA_OWNER).get("/v1/collaborations/media/readiness")
    text = Caller(monitored.app, TOKEN).get("/metrics").text
    for name in ("press", "shop", "media", "customers", "host"):
        assert name not in text


def test_a_scrape_waits_for_no_writer(monitored: House) -> None:
    with monitored.home.database.begin():
        done: list[float] = []
        looking = threading.Thread(target=lambda: done.append(value(monitored, "cleanroom_database_up")))
        looking.start()
        looking.join(timeout=15)  # a writer would wait for 20 s
        assert done == [1]


def test_a_second_look_within_seconds_asks_the_store_nothing(monitored: House) -> None:
    before = value(monitored, "cleanroom_queue_length")
    monitored.caller("press", Role.ANALYST).submit()
    assert value(monitored, "cleanroom_queue_length") == before


def test_a_database_that_is_gone_is_told_and_no_error(monitored: House) -> None:
    with monitored.home.database.begin() as transaction:
        transaction.exec_driver_sql("ALTER TABLE log_head RENAME TO elsewhere")
    assert value(monitored, "cleanroom_database_up") == 0


def test_settings_do_not_show_the_token() -> None:
    assert TOKEN not in repr(replace(SETTINGS, metrics_token=TOKEN))
