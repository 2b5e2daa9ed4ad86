"""Values ↔ the JSON that the store keeps: the same documents that people write, with every default spelled out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from cleanroom.documents import analysis_rule, collaboration, connection, dataset, kinds, template
from cleanroom.domain.document import Document
from cleanroom.domain.errors import OperationError
from cleanroom.domain.events import Json
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, PolicyTest, Template


def to_document(value: Document) -> dict[str, Json]:
    """The document of a value. `from_document` makes an equal value of it."""
    match value:
        case Collaboration():
            return _with_header("Collaboration", collaboration.write(value))
        case Connection():
            return _with_header("Connection", connection.write(value))
        case Dataset():
            return _with_header("Dataset", dataset.write(value))
        case AnalysisRule():
            return _with_header("AnalysisRule", analysis_rule.write(value))
        case Template():
            return _with_header("Template", template.write(value))
        case _:
            assert_never(value)


def _with_header(kind: str, body: dict[str, Json]) -> dict[str, Json]:
    return {"apiVersion": kinds.API_VERSION, "kind": kind, **body}


def from_document(body: Mapping[str, Any]) -> Document:
    """The value of a stored document. OperationError "store.document_unreadable" where this version cannot enforce it."""
    reading = kinds.read(body)
    if reading.problems or reading.value is None or isinstance(reading.value, PolicyTest):
        raise OperationError("A stored document cannot be read by this version.", "store.document_unreadable")
    return reading.value
