"""A value that does not fit → what is wrong with it, and what to write instead. Flaws travel through marshmallow as values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA

from cleanroom.domain.errors import Problem

MISSING = "is missing"
EMPTY = "is empty"

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with the value of a key. `message` goes on after the key's name: "must be true or false"."""

    code: str
    message: str
    hint: str | None = None


def refused(message: str, hint: str | None = None, code: str = "policy.invalid_value") -> ValidationError:
    return ValidationError([Flaw(code, message, hint)])


def not_enforced(message: str, hint: str) -> Flaw:
    return Flaw("policy.not_enforced", message, hint)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The hint for a word that is not among the known ones: the nearest, or all of them."""
    choices = sorted(set(known))
    near = difflib.get_close_matches(str(word)[:64].lower(), choices, n=1, cutoff=0.6)
    if near:
        return f"did you mean `{near[0]}`?"
    if not choices:
        return "there is none to choose from"
    return "write " + ("" if len(choices) == 1 else "one of ") + ", ".join(choices)


def spell(path: Path) -> str:
    """A path as people write it: columns.region.group, members[0].partner."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


def flatten(errors: object, path: Path = ()) -> Iterator[tuple[Path, Flaw]]:
    """Marshmallow's nested errors as (path, flaw)."""
    match errors:
        case Mapping():
            for key, inner in errors.items():
                yield from flatten(inner, path if key == SCHEMA else (*path, key))
        case list():
            for inner in errors:
                yield from flatten(inner, path)
        case Flaw():
            yield path, errors
        case _:
            yield path, Flaw("policy.missing_key" if errors == MISSING else "policy.invalid_value", str(errors))


def problem(path: Path, flaw: Flaw) -> Problem:
    """The flaw as a sentence about its key."""
    subject = f"`{_last_key(path)}`" if path else "the document"
    return Problem(flaw.code, f"{subject} {flaw.message}", field=spell(path)[:400] or None, hint=flaw.hint)


def _last_key(path: Path) -> str:
    """From the last name of the path on: kinds[1]."""
    start = max((i for i, p in enumerate(path) if isinstance(p, str)), default=0)
    return spell(path[start:])[:80]
