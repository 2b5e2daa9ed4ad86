"""A partner asks for as much as its quota says, exactly, and nobody else pays for it."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable

import pytest

from cleanroom.domain.errors import QuotaExceeded
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.query import IdempotencyKey, QueryState
from cleanroom.domain.quota import Quota
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.queries import Queries
from cleanroom.store.quotas import EVERY_PARTNER, Quotas
from tests.store.world import ANALYST, NOON, PUBLISHER, RETAILER, RUTH, happened, later, query


@pytest.fixture
def quotas(database: Database, log: Log) -> Quotas:
    return Quotas(database, log)


def asked(queries: Queries, name: str, at: datetime.datetime = NOON, **about: object) -> None:
    queries.submit(query(name, submitted_at=at, **about), happened(at=at))


def checked(at: datetime.datetime = NOON) -> Event:
    return happened(EventKind.QUERY_CHECKED, partner=PUBLISHER, at=at)


def refused(ask: Callable[[], object]) -> tuple[str, int]:
    with pytest.raises(QuotaExceeded) as error:
        ask()
    return error.value.limit, error.value.retry_after_s


def test_a_partner_asks_as_often_a_minute_as_its_quota_says(queries: Queries, quotas: Quotas, log: Log) -> None:
    quotas.set(PUBLISHER, Quota(per_minute=3), NOON)
    asked(queries, "q1")
    asked(queries, "q2", later(10), state=QueryState.REJECTED)
    queries.checked(checked(later(20)))
    size = log.size()
    assert refused(lambda: asked(queries, "q3", later(20.5))) == ("per_minute", 40)
    assert refused(lambda: queries.checked(checked(later(59.5)))) == ("per_minute", 1)
    assert refused(lambda: queries.admit(ANALYST, later(59))) == ("per_minute", 1)
    assert log.size() == size
    asked(queries, "q3", later(60))
    assert refused(lambda: asked(queries, "q4", later(61))) == ("per_minute", 9)


def test_a_partner_has_as_many_unfinished_queries_as_its_quota_says(queries: Queries, quotas: Quotas) -> None:
    quotas.set(PUBLISHER, Quota(most_unfinished=2), NOON)
    asked(queries, "q1")
    asked(queries, "q2", state=QueryState.RUNNING)
    assert refused(lambda: asked(queries, "q3"))[0] == "most_unfinished"
    asked(queries, "refused", state=QueryState.REJECTED)
    queries.checked(checked())
    queries.request_cancel(query("q1").id, happened())
    asked(queries, "q3")


def test_nobody_pays_for_another_partner(queries: Queries, quotas: Quotas) -> None:
    quotas.set(EVERY_PARTNER, Quota(per_minute=1, most_unfinished=1), NOON)
    asked(queries, "q1")
    assert refused(lambda: asked(queries, "q2"))[0] == "per_minute"
    asked(queries, "q3", principal=RUTH)


def test_a_partner_of_none_a_minute_asks_nothing(queries: Queries, quotas: Quotas) -> None:
    quotas.set(PUBLISHER, Quota(per_minute=0), NOON)
    assert refused(lambda: asked(queries, "q1")) == ("per_minute", 60)


def test_what_is_replayed_does_not_count(queries: Queries, quotas: Quotas) -> None:
    key = IdempotencyKey("k", "sha256:a")
    quotas.set(PUBLISHER, Quota(per_minute=1, most_unfinished=1), NOON)
    for name in ("q1", "q2", "q3"):
        assert queries.submit(query(name), happened(), key).id == "q1"


def test_a_clock_that_was_set_back_does_not_keep_a_partner_out(queries: Queries, quotas: Quotas) -> None:
    quotas.set(PUBLISHER, Quota(per_minute=1), NOON)
    asked(queries, "q1", later(7200))
    asked(queries, "q2", later(0))
    assert refused(lambda: asked(queries, "q3", later(1))) == ("per_minute", 59)


def test_threads_at_once_do_not_get_more_than_there_is(queries: Queries, quotas: Quotas) -> None:
    quotas.set(PUBLISHER, Quota(most_unfinished=3), NOON)
    ready, stored, turned_away = threading.Barrier(8), list[str](), list[str]()

    def ask(name: str) -> None:
        ready.wait()
        try:
            asked(queries, name)
            stored.append(name)
        except QuotaExceeded:
            turned_away.append(name)

    threads = [threading.Thread(target=ask, args=(f"q{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(stored), len(turned_away)) == (3, 5)


def test_the_narrowest_word_on_a_partner_holds_and_the_log_tells_of_it(quotas: Quotas, log: Log) -> None:
    own, every = Quota(1, 2, 3), Quota(4, 5, 6)
    assert quotas.of(PUBLISHER) == Quota()
    quotas.set(EVERY_PARTNER, every, NOON)
    quotas.set(PUBLISHER, own, NOON)
    assert (quotas.of(PUBLISHER), quotas.of(RETAILER)) == (own, every)
    assert list(quotas.list()) == [EVERY_PARTNER, PUBLISHER]
    quotas.set(PUBLISHER, None, NOON)
    assert quotas.of(PUBLISHER) == every
    events = [logged.event for logged in log.events(after=0)]
    assert {event.kind for event in events} == {EventKind.QUOTA_SET}
    assert [event.data.get("partner") for event in events] == [None, PUBLISHER, PUBLISHER]
    assert events[1].data["quota"] == {"per_minute": 1, "most_unfinished": 2, "most_running": 3}
    assert events[2].data["quota"] is None
