from __future__ import annotations

import dataclasses
import datetime

import pytest

from cleanroom.audit.canonical import canonical, parse
from cleanroom.domain.errors import LogError
from cleanroom.domain.events import Event, EventKind
from tests.audit.logs import NOON, event

WRITTEN = (
    b'{"at":"2026-03-01T12:00:00.000001Z","collaboration":null,"data":{"a":[1,true,null],"\xc3\xa9":"\\t"},'
    b'"datasets":[],"kind":"log.created","number":7,"partner":null,"principal":null,"query":null}'
)


def test_an_event_has_this_form() -> None:
    told = Event(EventKind.LOG_CREATED, NOON, data={"é": "\t", "a": [1, True, None]})
    assert canonical(told, 7) == WRITTEN


@pytest.mark.parametrize("number", [0, 1, 2**53 - 1])
def test_what_was_written_reads_back_the_same(number: int) -> None:
    logged = parse(canonical(event(3), number))
    assert (logged.number, logged.event) == (number, event(3))


def test_a_moment_is_told_in_utc_whatever_its_zone() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    assert canonical(dataclasses.replace(event(0), at=NOON.astimezone(zone)), 0) == canonical(
        dataclasses.replace(event(0), at=NOON), 0
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(Event(EventKind.LOG_READ, NOON, data={"n": 2**53}), id="an integer that JSON readers round"),
        pytest.param(Event(EventKind.LOG_READ, NOON, data={"s": "\ud800"}), id="half a character"),
        pytest.param(Event(EventKind.LOG_READ, NOON.replace(tzinfo=None)), id="a moment without a zone"),
    ],
)
def test_an_event_without_a_canonical_form_is_refused(told: Event) -> None:
    with pytest.raises(LogError) as refusal:
        canonical(told, 0)
    assert refusal.value.code == "log.not_canonical"


@pytest.mark.parametrize(
    "entry",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b"{}", id="no event"),
        pytest.param(b"[" * 100_000, id="nested beyond reading"),
        pytest.param(b"\xff" + WRITTEN, id="no text"),
        pytest.param(WRITTEN + b"\n", id="a line end more"),
        pytest.param(WRITTEN.replace(b'"number":7', b'"number":7.0'), id="another spelling of the number"),
        pytest.param(WRITTEN.replace(b'"number":7', b'"number":true'), id="a number that is none"),
        pytest.param(WRITTEN.replace(b'"number":7', b'"number":7,"number":7'), id="a key twice"),
        pytest.param(WRITTEN.replace(b"\xc3\xa9", b"\\u00e9"), id="another spelling of a letter"),
        pytest.param(WRITTEN.replace(b"000001Z", b"000001+00:00"), id="another spelling of the moment"),
        pytest.param(WRITTEN.replace(b"log.created", b"log.burnt"), id="a kind that there is not"),
        pytest.param(WRITTEN.replace(b'"query":null', b'"query":null,"zeal":1'), id="a key more"),
        pytest.param(WRITTEN.replace(b'"datasets":[]', b'"datasets":""'), id="a list that is none"),
    ],
)
def test_what_is_not_the_canonical_form_is_no_entry(entry: bytes) -> None:
    with pytest.raises(LogError) as refusal:
        parse(entry)
    assert refusal.value.code == "log.malformed"
