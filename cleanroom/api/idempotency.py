"""The Idempotency-Key header → the caller's own name for a request.

As draft-ietf-httpapi-idempotency-key-header-07 has it, a String of Structured Fields (RFC 9651, 3.3.3); a bare token too,
because most clients send one. Both spell one key.
"""

from __future__ import annotations

import re

from werkzeug.datastructures import Headers

from cleanroom.domain.errors import InvalidInput, Problem

LONGEST_KEY = 255

_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")  # printable, without the marks of structure
_ESCAPED = re.compile(r"\\(.)")


def idempotency_key(headers: Headers) -> str | None:
    """The key; None where none was sent. InvalidInput where there are several, or it is none of at most LONGEST_KEY."""
    sent = headers.getlist("Idempotency-Key")
    if not sent:
        return None
    text = sent[0].strip(" \t")
    string = _STRING.fullmatch(text)
    key = _ESCAPED.sub(r"\1", string[1]) if string else text if _BARE.fullmatch(text) else ""
    if len(sent) > 1 or not 0 < len(key) <= LONGEST_KEY:
        message = f'Write Idempotency-Key: "<key>" once, of 1 to {LONGEST_KEY} printable ASCII characters.'
        raise InvalidInput((Problem("input.invalid", message, field="Idempotency-Key"),))
    return key
