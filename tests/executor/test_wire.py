"""What a worker that was taken over could write: nothing but well-shaped answers comes through."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.domain.errors import EngineError
from cleanroom.executor.wire import CODES, Answer, answer_bytes, frame, job_bytes, parse_answer, read_frame
from tests.executor.processes import job

HEADER = {"code": None, "detail": "", "broken": [], "row_count": 1, "column_count": 1}


def test_an_answer_survives_the_way() -> None:
    for answer in (Answer(None, "", (), 3, 2, b"arrow"), Answer("source.claim_broken", "Error", (0, 2)), Answer(None)):
        assert parse_answer(answer_bytes(answer)) == answer


def test_a_failure_carries_no_result() -> None:
    assert parse_answer(answer_bytes(Answer("engine.failed", result=b"rows"))).result == b""


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 60_000,
        *(
            json.dumps(HEADER | change).encode()
            for change in (
                {"code": 1},
                {"code": ["engine.failed"]},
                {"row_count": -1},
                {"row_count": True},
                {"row_count": 1.5},
                {"row_count": "1"},
                {"row_count": 2**70},
                {"column_count": None},
                {"broken": None},
                {"broken": [-1]},
                {"broken": ["0"]},
                {"extra": 1},
            )
        ),
    ],
)
def test_a_malformed_header_is_an_engine_failure(header: bytes) -> None:
    with pytest.raises(EngineError) as failed:
        parse_answer(frame(header) + b"rest")
    assert failed.value.code == "engine.failed"


@pytest.mark.parametrize("body", [b"", b"\0" * 7, (9).to_bytes(8, "big") + b"{}", (2**63).to_bytes(8, "big") + b"{}"])
def test_a_header_longer_than_its_frame_is_an_engine_failure(body: bytes) -> None:
    with pytest.raises(EngineError):
        parse_answer(body)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_an_engine_failure(body: bytes) -> None:
    with suppress(EngineError):
        assert isinstance(parse_answer(body), Answer)


@given(st.text(), st.text())
def test_neither_code_nor_detail_carries_free_text(code: str, detail: str) -> None:
    answer = parse_answer(answer_bytes(Answer(code, detail)))
    assert answer.code in CODES
    assert answer.detail in ("", detail)
    assert answer.detail == "" or answer.detail.isidentifier()


def test_a_frame_that_ends_early_or_is_too_long_is_none() -> None:
    whole = frame(job_bytes(job("one")))
    for maximum, data in ((10**6, whole[:5]), (10**6, whole[:-1]), (10, whole), (10**6, b"")):
        stream = memoryview(data)
        taken = 0

        def read(size: int, stream: memoryview = stream) -> bytes:
            nonlocal taken
            chunk = bytes(stream[taken : taken + size])
            taken += len(chunk)
            return chunk

        assert read_frame(read, maximum) is None
