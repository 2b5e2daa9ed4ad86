from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from cleanroom.audit.canonical import canonical
from cleanroom.audit.file import lines_of, verify_file
from cleanroom.audit.keys import signing_key
from cleanroom.audit.verification import Entry, Fault, verify
from tests.audit.logs import KEY, event, signed_log, small_log

ENTRIES, NOTES = small_log()
LATEST = NOTES[-1]
OTHERS = [canonical(dataclasses.replace(event(n), data={"depth": 99}), n) for n in range(5)]


def _forged(at: int) -> list[Entry]:
    """An entry replaced by a well-formed one of its number."""
    return [dataclasses.replace(e, canonical=OTHERS[n]) if n == at else e for n, e in enumerate(ENTRIES)]


@pytest.mark.parametrize("size", range(6))
def test_a_whole_log_holds(size: int) -> None:
    found = verify(ENTRIES[:size], NOTES[size], KEY.public, kept=NOTES[: size + 1])
    assert (found.holds, found.size, found.entry, found.message) == (True, size, None, "")


def test_a_log_without_signatures_of_its_entries_holds_too() -> None:
    assert verify([Entry(e.canonical) for e in ENTRIES], LATEST, KEY.public).holds


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize(
    ("fault", "change"),
    [
        pytest.param(Fault.ALTERED, _forged, id="replaced"),
        pytest.param(Fault.MISNUMBERED, lambda at: [*ENTRIES[:at], ENTRIES[at - 1], *ENTRIES[at:]], id="inserted"),
        pytest.param(Fault.ALTERED, lambda at: ENTRIES[:at] + _forged(at)[at:], id="rewritten"),
        pytest.param(Fault.TRUNCATED, lambda at: ENTRIES[:at], id="cut off"),
        pytest.param(Fault.MALFORMED, lambda at: [*ENTRIES[:at], Entry(b"{}"), *ENTRIES[at:]], id="no event"),
    ],
)
def test_a_broken_log_names_its_first_broken_entry(fault: Fault, change: Callable[[int], list[Entry]], at: int) -> None:
    found = verify(change(at), LATEST, KEY.public)
    assert (found.fault, found.entry, found.size) == (fault, at, at)
    assert str(at) in found.message


@pytest.mark.parametrize("at", range(4))
def test_a_dropped_entry_is_named(at: int) -> None:
    found = verify(ENTRIES[:at] + ENTRIES[at + 1 :], LATEST, KEY.public)
    assert (found.fault, found.entry) == (Fault.MISNUMBERED, at)


@pytest.mark.parametrize("at", range(4))
def test_entries_that_changed_places_are_named(at: int) -> None:
    swapped = [*ENTRIES[:at], ENTRIES[at + 1], ENTRIES[at], *ENTRIES[at + 2 :]]
    found = verify(swapped, LATEST, KEY.public)
    assert (found.fault, found.entry) == (Fault.MISNUMBERED, at)


def test_an_entry_beyond_the_checkpoint_is_named() -> None:
    found = verify(ENTRIES, NOTES[3], KEY.public)
    assert (found.fault, found.entry) == (Fault.EXTENDED, 3)


def test_a_log_cut_back_together_with_its_checkpoint_is_caught_by_a_kept_one() -> None:
    assert verify(ENTRIES[:3], NOTES[3], KEY.public).holds
    found = verify(ENTRIES[:3], NOTES[3], KEY.public, kept=[NOTES[5]])
    assert (found.fault, found.entry) == (Fault.TRUNCATED, 3)


def test_a_second_history_under_the_same_key_is_caught_by_a_kept_checkpoint() -> None:
    entries, notes = signed_log([e.canonical for e in ENTRIES[:2]] + OTHERS[2:])
    assert verify(entries, notes[5], KEY.public, kept=NOTES[:3]).holds
    found = verify(entries, notes[5], KEY.public, kept=[NOTES[4]])
    assert (found.fault, found.entry) == (Fault.FORKED, 3)
    assert verify(entries, notes[5], KEY.public, kept=[NOTES[5]]).fault is Fault.FORKED


def test_without_signatures_of_entries_an_altered_log_is_still_found() -> None:
    found = verify([Entry(e.canonical) for e in _forged(1)], LATEST, KEY.public)
    assert (found.fault, found.entry) == (Fault.FORKED, 4)


@pytest.mark.parametrize("kept", [[], [LATEST]])
def test_a_checkpoint_of_another_key_proves_nothing(kept: list[bytes]) -> None:
    stranger = signing_key(KEY.name, bytes(32))
    _, notes = signed_log([e.canonical for e in ENTRIES], stranger)
    assert verify(ENTRIES, notes[5], KEY.public, kept).fault is Fault.CHECKPOINT
    assert verify(ENTRIES, LATEST, KEY.public, [notes[3]]).fault is Fault.CHECKPOINT


def test_a_log_file_holds() -> None:
    assert verify_file(lines_of(ENTRIES, LATEST), KEY.public).holds


@pytest.mark.parametrize("file", [b"", b"\n\n\n", b"nonsense", b"\xff\n\n\xff\n\n{}\n"])
def test_what_is_no_log_file_is_no_log(file: bytes) -> None:
    assert verify_file(file.splitlines(keepends=True), KEY.public).fault is Fault.CHECKPOINT


def test_every_bit_of_a_log_file_counts_and_the_entry_is_named() -> None:
    entries, notes = small_log(2)
    lines = list(lines_of(entries, notes[2]))
    head = len(lines) - 2
    for at, line in enumerate(lines):
        for bit in range(len(line) * 8):
            flipped = bytearray(line)
            flipped[bit // 8] ^= 1 << bit % 8
            file = b"".join([*lines[:at], bytes(flipped), *lines[at + 1 :]])
            found = verify_file(_lines(file), KEY.public)
            assert not found.holds
            assert at < head or found.entry == at - head


def _lines(file: bytes) -> list[bytes]:
    """As a binary file gives them: only a line feed ends a line."""
    parts = file.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
