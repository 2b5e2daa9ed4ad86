"""The kinds of documents there are: each with its schema, its value, and what contradicts itself in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from marshmallow import ValidationError

from cleanroom.documents import (
    analysis_rule,
    collaboration,
    connection,
    dataset,
    policy_test,
    rule_contradictions,
    rule_shape,
    template,
)
from cleanroom.documents.fields import JsonSchema, Shape
from cleanroom.documents.flaws import Flaw, Path, did_you_mean, flatten, problem
from cleanroom.domain.errors import Problem
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, PolicyTest, Template

API_VERSION = "cleanroom/v1"

Value: TypeAlias = Collaboration | Connection | Dataset | AnalysisRule | Template | PolicyTest


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """`shape` says what a document holds, `build` makes the value, `contradictions` says what cannot hold together."""

    shape: type[Shape]
    build: Callable[[Mapping[str, Any]], Any]
    contradictions: Callable[[Any], Iterator[Problem]]


KINDS: Mapping[str, DocumentKind] = {
    "Collaboration": DocumentKind(collaboration.CollaborationShape, collaboration.build, collaboration.contradictions),
    "Connection": DocumentKind(connection.ConnectionShape, connection.build, connection.contradictions),
    "Dataset": DocumentKind(dataset.DatasetShape, dataset.build, dataset.contradictions),
    "AnalysisRule": DocumentKind(rule_shape.AnalysisRuleShape, analysis_rule.build, rule_contradictions.contradictions),
    "Template": DocumentKind(template.TemplateShape, template.build, template.contradictions),
    "PolicyTest": DocumentKind(policy_test.PolicyTestShape, policy_test.build, lambda _: iter(())),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of one document, and its problems, each with the path of its key.

    `value` is None where the document could not be understood; one that contradicts itself has both.
    """

    value: Value | None
    problems: tuple[tuple[Path, Problem], ...]


def read(document: Mapping[str, Any]) -> Reading:
    """The document's value, checked by itself; or all that is wrong with it."""
    found = tuple(_header(document))
    kind = document.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        return Reading(None, found)
    body = {k: v for k, v in document.items() if k not in ("apiVersion", "kind")}
    try:
        value = KINDS[kind].build(_shape(kind).load(body))
    except ValidationError as error:
        flaws = tuple((path, problem(path, flaw)) for path, flaw in flatten(error.messages))
        return Reading(None, found + flaws)
    wrong = tuple((_path(p.field), p) for p in KINDS[kind].contradictions(value))
    return Reading(None if found else value, found + wrong)


def _header(document: Mapping[str, Any]) -> Iterator[tuple[Path, Problem]]:
    for key in ("apiVersion", "kind"):
        flaw = _header_flaw(key, document)
        if flaw:
            yield (key,), problem((key,), flaw)


def _header_flaw(key: str, document: Mapping[str, Any]) -> Flaw | None:
    words = (API_VERSION,) if key == "apiVersion" else tuple(KINDS)
    word = document.get(key)
    if key not in document:
        return Flaw(
            "policy.missing_key",
            "is missing",
            f"write {key}: {words[0]}" if len(words) == 1 else did_you_mean("", words),
        )
    if not isinstance(word, str) or word not in words:
        return Flaw("policy.invalid_value", "has a value that is not known", did_you_mean(word, words))
    return None


def _path(field: str | None) -> Path:
    """columns.region.group, members[0] as a path."""
    parts = (field or "").replace("[", ".").replace("]", "").split(".")
    return tuple(int(p) if p.isdigit() else p for p in parts if p)


@cache
def _shape(kind: str) -> Shape:
    return KINDS[kind].shape()


def json_schema(kind: str) -> JsonSchema:
    """The JSON Schema (draft 2020-12) of a kind's documents."""
    form = _shape(kind).json_schema()
    header: JsonSchema = {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        **form,
        "properties": header | dict(form["properties"]),  # type: ignore[arg-type]
        "required": ["apiVersion", "kind", *form.get("required", [])],  # type: ignore[misc]
    }
