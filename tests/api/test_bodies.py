from __future__ import annotations

import json

import pytest

from cleanroom.api.bodies import MOST_NESTING, parse_json
from cleanroom.domain.errors import InvalidInput, RequestError


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "body.not_json"),
        (b"{", "body.not_json"),
        (b"{'sql': 1}", "body.not_json"),
        (b'{"a": NaN}', "body.not_json"),
        (b'{"a": -Infinity}', "body.not_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "body.not_json"),
        (b'{"a": "\xff"}', "body.not_utf8"),
        (b"\xef\xbb\xbf{}", "body.not_json"),
        (b'{"a": 1, "a": 2}', "body.repeated_name"),
        (b'{"x": {"a": 1, "a": 2}}', "body.repeated_name"),
        (nested(MOST_NESTING + 1), "body.too_deep"),
        (nested(100_000), "body.too_deep"),
        (b'{"a":' * 50_000, "body.too_deep"),
    ],
)
def test_a_body_that_is_not_plain_json_is_refused_with_a_code(body: bytes, code: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_json(body)
    assert refused.value.code == code


@pytest.mark.parametrize("body", [rb'"\u0000"', rb'{"a": ["x\u0000"]}', rb'"\ud800"', rb'{"\udfff": 1}'])
def test_text_that_no_database_keeps_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_json(body)


@pytest.mark.parametrize("value", [None, 1, "a", [], {}, {"sql": 'SELECT "a[[[" \\ '}, {"a": "😀", "b": "[" * 200}])
def test_plain_json_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


def test_nesting_to_the_limit_is_read() -> None:
    parse_json(nested(MOST_NESTING))


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 120_000, b'"' * 250_001, b'"' + b"\\" * 250_000 + b"["])
def test_strings_that_never_end_are_refused_in_no_time(body: bytes) -> None:
    with pytest.raises(RequestError):
        parse_json(body)
