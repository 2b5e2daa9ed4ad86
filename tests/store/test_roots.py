from __future__ import annotations

from cleanroom.domain.events import EventKind
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.roots import AdmittedRoots
from tests.store.world import NOON, PUBLISHER, RETAILER


def test_a_root_is_admitted_for_one_partner_once_and_the_log_tells_no_path(database: Database, log: Log) -> None:
    roots = AdmittedRoots(database, log)
    with database.begin() as transaction:
        done = [roots.admit(transaction, RETAILER, root, at=NOON) for root in ("/data/b", "/data/a", "/data/b")]
    assert done == [True, True, False]
    assert roots.of(RETAILER) == ("/data/a", "/data/b")
    assert roots.of(PUBLISHER) == ()
    events = log.events(after=0)
    assert [logged.event.kind for logged in events] == [EventKind.ROOT_ADMITTED] * 2
    assert not any(b"/data" in logged.canonical for logged in events)
