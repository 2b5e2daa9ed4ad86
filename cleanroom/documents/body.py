"""The JSON body of a request → one document of the partner that sends it, right by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from cleanroom.documents import kinds
from cleanroom.documents.analysis_rule import with_grains
from cleanroom.documents.yaml_tree import MOST_NODES
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import PartnerName, owner_of
from cleanroom.domain.policy import AnalysisRule, Connection, Dataset, Template

WRITABLE = ("Connection", "Dataset", "AnalysisRule", "Template")


def read_document(
    kind: str,
    body: Mapping[str, object],
    *,
    partner: PartnerName,
    address: Mapping[str, str] | None = None,
    dataset: Dataset | None = None,
) -> Connection | Dataset | AnalysisRule | Template:
    """The document of this kind, the partner's own.

    `apiVersion` and `kind` may be left out. `address`: keys that the request's address already says, such as
    {"name": "retailer-lake"}; the body may leave them out or repeat them. `dataset`: the one that a rule is about, where
    it is known: then the grains of its dates are settled. A root must be an absolute path.

    Raises InvalidInput with every problem.
    """
    if _size(body) > MOST_NODES:
        raise InvalidInput((Problem("policy.too_large", f"the document has more than {MOST_NODES:,} values"),))
    said = {"apiVersion": kinds.API_VERSION, "kind": kind} | dict(address or {})
    differing = tuple(_differs(key, word) for key, word in said.items() if body.get(key, word) != word)
    reading = kinds.read({**said, **{k: v for k, v in body.items() if k not in said}})
    value = reading.value
    problems = (*differing, *(p for _, p in reading.problems))
    if not isinstance(value, Connection | Dataset | AnalysisRule | Template):
        raise InvalidInput(problems or (_not_writable(),))
    problems = (*problems, *_ownership(value, partner), *_root(value))
    if problems:
        raise InvalidInput(problems)
    match value:
        case Connection():
            return _with_normal_root(value)
        case AnalysisRule() if dataset is not None:
            return with_grains(value, dataset)
        case _:
            return value


def _size(body: Mapping[str, object]) -> int:
    """How many values the body holds, counted no further than one too many."""
    waiting: list[object] = [body]
    size = 0
    while waiting and size <= MOST_NODES:
        value = waiting.pop()
        size += 1
        if isinstance(value, Mapping):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return size


def _differs(key: str, word: str) -> Problem:
    message = f"`{key}` says something else than the address of the request"
    return Problem("policy.contradiction", message, field=key, hint=f"write {key}: {word}, or leave it out")


def _not_writable() -> Problem:
    return Problem("policy.invalid_value", "documents of this kind are not written here", field="kind")


def _ownership(value: Connection | Dataset | AnalysisRule | Template, partner: PartnerName) -> Iterator[Problem]:
    match value:
        case Connection() | Template():
            key, owner = "partner", value.partner
        case Dataset():
            key, owner = "name", value.partner
        case AnalysisRule():
            key, owner = "dataset", owner_of(value.dataset)
    if owner != partner:
        message = f"`{key}` names another partner; you write for {partner}"
        yield Problem(
            "policy.not_permitted", message, field=key, hint=f"only documents of {partner} are yours to write"
        )


def _root(value: Connection | Dataset | AnalysisRule | Template) -> Iterator[Problem]:
    if not isinstance(value, Connection):
        return
    root = PurePosixPath(value.options["root"])
    if not root.is_absolute() or ".." in root.parts:
        message = "the root of a connection must be an absolute path without .."
        hint = "write the whole path, as the operator of the server knows it"
        yield Problem("policy.invalid_value", message, field="options.root", hint=hint)


def _with_normal_root(value: Connection) -> Connection:
    """The connection with its root spelled in one way: no doubled or trailing slash, no `.`."""
    root = str(PurePosixPath(value.options["root"]))
    return replace(value, options={**value.options, "root": root})
