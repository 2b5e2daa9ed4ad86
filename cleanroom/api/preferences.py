"""The Prefer header (RFC 7240) → how long to wait for a query's end. Preferences of other names are ignored, as it says."""

from __future__ import annotations

from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.http import parse_list_header

from cleanroom.domain.errors import InvalidInput, Problem


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: int


def preferred_wait(headers: Headers, most_s: int) -> Wait | None:
    """The wait that was asked for, at most `most_s`; None where none was. InvalidInput where it is no whole number."""
    for preference in parse_list_header(",".join(headers.getlist("Prefer"))):
        name, _, rest = preference.partition("=")
        if name.strip().lower() == "wait":
            return Wait(min(_whole(rest.partition(";")[0].strip().strip('"')), most_s))
    return None


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput((Problem("input.invalid", "Write Prefer: wait=N with N in whole seconds.", field="Prefer"),))
    return int(text)
