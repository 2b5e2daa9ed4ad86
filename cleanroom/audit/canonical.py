"""Event ↔ canonical JSON (RFC 8785). One event has one form, and whatever has another form is no entry."""

from __future__ import annotations

import datetime
import json
from typing import Any

import rfc8785

from cleanroom.domain.errors import LogError
from cleanroom.domain.events import Event, EventKind, LoggedEvent

_KEYS = {"at", "collaboration", "data", "datasets", "kind", "number", "partner", "principal", "query"}


def canonical(event: Event, number: int) -> bytes:
    """The bytes whose hash is the event's leaf: one JSON object on one line, keys sorted, times in UTC to the microsecond.

    LogError "log.not_canonical" where `event.data` has no canonical form (an integer beyond 2**53, an unpaired surrogate).
    """
    if event.at.tzinfo is None:
        raise LogError("An event's time must know its zone.", "log.not_canonical")
    return canonical_json(_document(event, number))


def canonical_json(value: Any) -> bytes:
    """The one form of a JSON value. LogError "log.not_canonical" where it has none."""
    try:
        return rfc8785.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:
        raise LogError("An event has no canonical form.", "log.not_canonical") from error


def parse(entry: bytes) -> LoggedEvent:
    """The event and number of an entry; LogError "log.malformed" unless it is exactly what `canonical` makes of them."""
    try:
        document = json.loads(entry)
        if not isinstance(document, dict) or document.keys() != _KEYS:
            raise LogError("An entry is not an event.", "log.malformed")
        logged = LoggedEvent(document["number"], entry, _event(document))
        same = canonical(logged.event, logged.number) == entry
    except (ValueError, TypeError, AttributeError, RecursionError, OverflowError, LogError) as error:
        raise LogError("An entry is not an event in canonical form.", "log.malformed") from error
    if not same or type(logged.number) is not int:
        raise LogError("An entry is not an event in canonical form.", "log.malformed")
    return logged


def _document(event: Event, number: int) -> dict[str, Any]:
    return {
        "number": number,
        "kind": event.kind.value,
        "at": event.at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "partner": event.partner,
        "principal": event.principal,
        "collaboration": event.collaboration,
        "query": event.query,
        "datasets": list(event.datasets),
        "data": dict(event.data),
    }


def _event(document: dict[str, Any]) -> Event:
    return Event(
        kind=EventKind(document["kind"]),
        at=datetime.datetime.fromisoformat(document["at"]),
        partner=document["partner"],
        principal=document["principal"],
        collaboration=document["collaboration"],
        query=document["query"],
        datasets=tuple(document["datasets"]),
        data=dict(document["data"]),
    )
