"""What happened to a running query → the event that says so. Counts, codes and hashes; never a value, a path or a secret."""

from __future__ import annotations

import datetime

from cleanroom.domain.events import Event, EventKind, Json
from cleanroom.domain.query import QueryRecord
from cleanroom.domain.steps import Claim
from cleanroom.executor.wire import Answer
from cleanroom.store.results import result_digest


def started(record: QueryRecord, at: datetime.datetime) -> Event:
    return _event(EventKind.QUERY_STARTED, record, at, {"versions": dict(record.versions)})


def released(record: QueryRecord, answer: Answer, at: datetime.datetime) -> Event:
    """With the digest of the result's bytes, salt included, so that what a receiver holds can be held against the log.

    Owners and runner read this without receiving: it says nothing of the result that the question does not.
    """
    data: dict[str, Json] = {
        "columns": answer.column_count,
        "digest": result_digest(answer.result),
        "receivers": list(record.receivers),
    }
    return _event(EventKind.QUERY_RELEASED, record, at, data)


def failed(record: QueryRecord, code: str, at: datetime.datetime) -> Event:
    return _event(EventKind.QUERY_FAILED, record, at, {"code": code})


def cancelled(record: QueryRecord, at: datetime.datetime) -> Event:
    return _event(EventKind.QUERY_CANCELLED, record, at, {})


def claim_broken(record: QueryRecord, claim: Claim, at: datetime.datetime) -> Event:
    """For the dataset's owner alone: it names no collaboration, so that no other member's auditor sees it."""
    promise = "unique" if claim.unique else "not_null"
    data: dict[str, Json] = {"columns": list(claim.columns), "promise": promise}
    return Event(EventKind.CLAIM_BROKEN, at, query=record.id, datasets=(claim.dataset,), data=data)


def _event(kind: EventKind, record: QueryRecord, at: datetime.datetime, data: dict[str, Json]) -> Event:
    """The server's own doing, that names the runner: who asked sees what became of it."""
    data = {**data, "partner": record.principal.partner}
    return Event(kind, at, collaboration=record.collaboration, query=record.id, datasets=record.datasets, data=data)
