from __future__ import annotations

import pytest
from werkzeug.datastructures import Headers

from cleanroom.api.preferences import Wait, preferred_wait
from cleanroom.domain.errors import InvalidInput


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        (None, None),
        ("", None),
        ("respond-async", None),
        ("wait=5", Wait(5)),
        ("WAIT=5", Wait(5)),
        ('wait="5"', Wait(5)),
        ("respond-async, wait=5; strict", Wait(5)),
        ("wait=0", Wait(0)),
        ("wait=60", Wait(60)),
        ("wait=61", Wait(60)),
        ("wait=999999999", Wait(60)),
    ],
)
def test_wait_is_read_and_capped(header: str | None, wait: Wait | None) -> None:
    assert preferred_wait(Headers({"Prefer": header} if header is not None else {}), 60) == wait


@pytest.mark.parametrize("header", ["wait", "wait=", "wait=-1", "wait=1.5", "wait=ten", "wait=٣", "wait=" + "9" * 4000])
def test_a_wait_that_is_no_whole_number_is_refused(header: str) -> None:
    with pytest.raises(InvalidInput):
        preferred_wait(Headers({"Prefer": header}), 60)
