"""Bodies, headers and query strings as sent → checked values. Whatever is wrong has a code and a place, never a 5xx."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NoReturn, TypeVar, cast

import marshmallow as ma
from flask import Request
from flask_smorest import Blueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from cleanroom.domain.errors import InvalidInput, Problem, RequestError
from cleanroom.domain.parameters import WrittenNumber

View = TypeVar("View", bound=Callable[..., Any])

MOST_NESTING = 32
"""How deep a JSON body may nest: the deepest document of the policy folder takes a third of it."""

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]++|\\.?)*+"?|[\[\]{}]', re.DOTALL)


class StrictParser(FlaskParser):
    """Reads JSON bodies and query strings strictly: one media type, no unknown names, no repeated names."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE, "headers": ma.EXCLUDE}

    def load_json(self, req: Request, schema: ma.Schema) -> Any:  # noqa: ARG002 - the signature is webargs'
        return read_json(req)

    def load_querystring(self, req: Request, schema: ma.Schema) -> Any:
        repeated = [name for name, values in req.args.lists() if len(values) > 1]
        if repeated:
            raise InvalidInput((Problem("input.invalid", "This parameter is given more than once.", field="query"),))
        if any(not _storable(text) for text in req.args.values()):
            raise InvalidInput((Problem("input.invalid", "A parameter holds a character that no name has."),))
        return super().load_querystring(req, schema)

    def handle_error(self, error: ma.ValidationError, *given: Any, **_kwargs: Any) -> NoReturn:
        _request, schema = given
        found = _problems(cast(Mapping[str, Any], error.messages_dict))
        raise InvalidInput(tuple(_taught(problem, schema) for problem in found))


class StrictBlueprint(Blueprint):  # type: ignore[misc]
    """flask-smorest's blueprint that reads its arguments strictly; its decorators keep the types of what they decorate."""

    ARGUMENTS_PARSER = StrictParser()

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        return cast(Callable[[View], View], super().route(rule, **options))

    def arguments(self, schema: type[ma.Schema], **options: Any) -> Callable[[View], View]:
        return cast(Callable[[View], View], super().arguments(schema, **options))

    def response(
        self, status: int, schema: type[ma.Schema] | dict[str, str] | None = None, **options: Any
    ) -> Callable[[View], View]:
        return cast(Callable[[View], View], super().response(status, schema, **options))

    def alt_response(self, status: int, **options: Any) -> Callable[[View], View]:
        return cast(Callable[[View], View], super().alt_response(status, **options))

    @staticmethod
    def doc(**parts: Any) -> Callable[[View], View]:
        return cast(Callable[[View], View], Blueprint.doc(**parts))


def read_json(request: Request) -> Any:
    """The body's JSON value (RFC 8259): UTF-8, no repeated names, no NaN, no NUL, at most MOST_NESTING levels deep.

    Raises UnsupportedMediaType, RequestError (400) or InvalidInput.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        raise RequestEntityTooLarge  # sent in chunks, and cut off at the limit
    return parse_json(body)


def parse_json(body: bytes) -> Any:
    """As `read_json`, from the bytes."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise RequestError("The body is not UTF-8.", "body.not_utf8") from None
    if _depth(text) > MOST_NESTING:
        raise RequestError(f"The body nests deeper than {MOST_NESTING} levels.", "body.too_deep")
    try:
        value = json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_no_constant, parse_float=WrittenNumber)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, position {error.colno}"
        raise RequestError(f"The body is not JSON: it breaks at {place}.", "body.not_json") from None
    except ValueError:  # a number of thousands of digits
        raise RequestError("The body is not JSON that this server reads.", "body.not_json") from None
    if not _storable_tree(value):
        raise InvalidInput((Problem("input.invalid", "A text holds U+0000 or half of a surrogate pair."),))
    return value


def _depth(text: str) -> int:
    """How deep brackets nest, those inside strings left out."""
    depth = deepest = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        if match[0] in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "]}":
            depth -= 1
    return deepest


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RequestError("An object in the body has the same name twice.", "body.repeated_name")
    return found


def _no_constant(_name: str) -> NoReturn:
    raise RequestError("NaN and Infinity are not JSON.", "body.not_json")


def _storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _storable_tree(value: Any) -> bool:
    match value:
        case str():
            return _storable(value)
        case dict():
            return all(_storable(k) and _storable_tree(v) for k, v in value.items())
        case list():
            return all(_storable_tree(v) for v in value)
        case _:
            return True


def _problems(messages: Mapping[str, Any], prefix: str = "") -> list[Problem]:
    """marshmallow's nested messages, flat; the place is named in dots. `_schema` stands for the whole."""
    found: list[Problem] = []
    for key, value in messages.items():
        name = prefix if key in ("_schema", "json", "query", "headers") else f"{prefix}.{key}".strip(".")
        if isinstance(value, Mapping):
            found += _problems(value, name)
        else:
            found += [Problem("input.invalid", str(m), field=name or None) for m in _listed(value)]
    return found


def _taught(problem: Problem, schema: ma.Schema) -> Problem:
    """With the names that are known here, where it speaks of one that is not."""
    known = sorted(field.data_key or name for name, field in schema.fields.items())
    if problem.field is None or problem.field.partition(".")[0] in known:
        return problem
    return replace(problem, hint=f"Known here: {', '.join(known)}.")


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
