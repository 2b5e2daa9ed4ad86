from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.domain.errors import InvalidInput, LogError, OperationError
from cleanroom.domain.events import EventKind
from cleanroom.domain.finding import Notice
from cleanroom.domain.identifiers import PartnerName, QueryId
from cleanroom.domain.query import FINAL_STATES, QueryState
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from tests.store.world import (
    AGENCY,
    CUSTOMERS,
    FINDINGS,
    IMPRESSIONS,
    PUBLISHER,
    RETAILER,
    happened,
    later,
    query,
)

STRANGER = PartnerName("stranger")


@pytest.mark.parametrize(
    "record",
    [
        query("q1"),
        query("q1", QueryState.REJECTED, findings=FINDINGS, finished_at=later(1), versions={}),
        query("q1", QueryState.SUCCEEDED, row_count=3, finished_at=later(2.5), cancel_requested=True),
        query("q1", notices=(Notice("threshold.standing", "Groups of fewer than 50 people are left out."),)),
        query("q1", QueryState.FAILED, failure="engine.deadline", datasets=(), receivers=()),
        query("q1", sql="SELECT 'ä\x01😀\n'", receivers=(PUBLISHER, AGENCY), datasets=(IMPRESSIONS, CUSTOMERS)),
    ],
)
def test_a_query_reads_back_as_it_was_submitted(queries: Queries, record: object) -> None:
    queries.submit(record, happened())  # type: ignore[arg-type]
    assert queries.get(QueryId("q1")) == record


def test_a_query_comes_with_the_event_that_announces_it(queries: Queries, log: Log) -> None:
    queries.submit(query("q1"), happened(EventKind.QUERY_APPROVED, query="q1"))
    assert [logged.event.query for logged in log.events()] == [None, "q1"]


def test_a_query_whose_event_cannot_be_written_is_not_stored(queries: Queries, log: Log) -> None:
    with pytest.raises(LogError):
        queries.submit(query("q1"), happened(data={"n": 2**60}))
    assert queries.get(QueryId("q1")) is None


def test_an_id_is_used_once(queries: Queries, log: Log) -> None:
    queries.submit(query("q1"), happened())
    with pytest.raises(OperationError):
        queries.submit(query("q1", sql="SELECT 2"), happened())
    assert log.size() == 2


@pytest.mark.parametrize(
    ("state", "partner", "sees"),
    [
        (QueryState.QUEUED, PUBLISHER, True),
        (QueryState.REJECTED, PUBLISHER, True),
        (QueryState.REJECTED, RETAILER, True),
        (QueryState.SUCCEEDED, RETAILER, True),
        (QueryState.SUCCEEDED, AGENCY, True),
        (QueryState.QUEUED, AGENCY, False),
        (QueryState.RUNNING, AGENCY, False),
        (QueryState.REJECTED, AGENCY, False),
        (QueryState.FAILED, AGENCY, False),
        (QueryState.SUCCEEDED, STRANGER, False),
        (QueryState.SUCCEEDED, PartnerName("retail"), False),
        (QueryState.SUCCEEDED, PartnerName(""), False),
        (QueryState.SUCCEEDED, None, True),
    ],
)
def test_runners_owners_and_receivers_of_results_see_a_query(
    queries: Queries, state: QueryState, partner: PartnerName | None, *, sees: bool
) -> None:
    queries.submit(query("q1", state), happened())
    assert (queries.get(QueryId("q1"), partner) is not None) is sees
    assert len(queries.page(partner).records) == int(sees)


def test_pages_go_from_the_newest_to_the_oldest(queries: Queries) -> None:
    for n in range(7):
        queries.submit(query(f"q{n}"), happened())
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = queries.page(PUBLISHER, cursor=cursor, limit=3)
        seen += [record.id for record in page.records]
        cursor, pages = page.next_cursor, pages + 1
    assert seen == [f"q{n}" for n in reversed(range(7))]
    assert pages == 3
    assert queries.page(STRANGER, limit=3).next_cursor is None


@pytest.mark.parametrize("limit", [2, 3])
def test_the_last_page_has_no_cursor(queries: Queries, limit: int) -> None:
    for n in range(2):
        queries.submit(query(f"q{n}"), happened())
    assert queries.page(limit=limit).next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "-1", "1.5", "٣", "9" * 40, "1 OR 1=1"])
def test_a_cursor_that_is_none_of_ours_is_refused(queries: Queries, cursor: str) -> None:
    with pytest.raises(InvalidInput):
        queries.page(cursor=cursor)


def test_cancelling_a_queued_query_ends_it(queries: Queries, log: Log) -> None:
    queries.submit(query("q1"), happened())
    assert (
        queries.request_cancel(QueryId("q1"), happened(EventKind.QUERY_CANCELLED, at=later(3))) is QueryState.CANCELLED
    )
    found = queries.get(QueryId("q1"))
    assert found is not None
    assert (found.state, found.finished_at) == (QueryState.CANCELLED, later(3))
    assert log.events()[-1].event.kind is EventKind.QUERY_CANCELLED


def test_cancelling_a_running_query_asks_its_executor_and_logs_who_asked_once(queries: Queries, log: Log) -> None:
    queries.submit(query("q1", QueryState.RUNNING), happened())
    assert queries.request_cancel(QueryId("q1"), happened()) is QueryState.RUNNING
    assert queries.request_cancel(QueryId("q1"), happened()) is QueryState.RUNNING
    found = queries.get(QueryId("q1"))
    assert found is not None
    assert (found.state, found.cancel_requested) == (QueryState.RUNNING, True)
    assert log.size() == 3
    asked = log.event(2)
    assert asked is not None
    assert asked.event == replace(happened(), kind=EventKind.QUERY_CANCEL_REQUESTED)


@pytest.mark.parametrize("state", sorted(FINAL_STATES))
def test_a_query_that_has_ended_is_not_cancelled(queries: Queries, log: Log, state: QueryState) -> None:
    queries.submit(query("q1", state), happened())
    assert queries.request_cancel(QueryId("q1"), happened()) is None
    assert queries.get(QueryId("q1")) == query("q1", state)
    assert log.size() == 2


def test_a_query_that_is_not_there_is_not_cancelled(queries: Queries, log: Log) -> None:
    assert queries.request_cancel(QueryId("q1"), happened()) is None
    assert log.size() == 1
