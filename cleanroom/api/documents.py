"""PUT and DELETE of a partner's own documents: the same as in a policy folder, each write a version and an event, both or
neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request

from cleanroom.api.bodies import StrictBlueprint, read_json
from cleanroom.api.context import home, principal
from cleanroom.api.document_writes import remove, write
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.documents import WrittenDocument
from cleanroom.documents import json_schema, read_document
from cleanroom.domain.document import DocumentKey
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import AnalysisRule, Connection, Dataset, Template

documents = StrictBlueprint("documents", __name__, url_prefix="/v1", description="What owners write down.")

WRITABLE = ("Connection", "Dataset", "AnalysisRule", "Template")

_PRECONDITIONS = [
    {
        "name": "If-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": "The ETag of the version that is to be replaced; 412 where the current one is another.",
    },
    {
        "name": "If-None-Match",
        "in": "header",
        "schema": {"type": "string"},
        "description": "*: only where no document of this name holds; else 412.",
    },
]
MATCH = _PRECONDITIONS[:1]
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "The number of the version, in quotes."}}


def takes(kind: str) -> dict[str, Any]:
    """The OpenAPI description of a body; `document_schemas` has the shapes it refers to."""
    schema = {"$ref": f"#/components/schemas/{kind}Document"}
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "parameters": _PRECONDITIONS,
    }


def document_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind's body, by its name in the OpenAPI document. The address says what may be left out."""
    schemas = {f"{kind}Document": dict(json_schema(kind)) for kind in WRITABLE}
    for schema in schemas.values():
        for key in ("$schema", "required"):
            schema.pop(key, None)
    return schemas


@documents.route("/connections/<connection>", methods=["PUT"])
@documents.doc(**takes("Connection"))
@documents.response(200, WrittenDocument, headers=ETAG)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True, headers=ETAG)
def put_connection(connection: str) -> Any:
    """Where the caller's partner keeps data, within what the operator admitted for it. Never shown to others."""
    value = read_body("Connection", document_body(), {"name": connection})
    with home().database.begin() as transaction:
        return write(transaction, value)


@documents.route("/datasets/<dataset>", methods=["PUT"])
@documents.doc(**takes("Dataset"))
@documents.response(200, WrittenDocument, headers=ETAG)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True, headers=ETAG)
def put_dataset(dataset: str) -> Any:
    """A dataset of the caller's partner. Refused where a rule that is in force would no longer fit it."""
    value = read_body("Dataset", document_body(), {"name": dataset})
    with home().database.begin() as transaction:
        return write(transaction, value)


@documents.route("/collaborations/<collaboration>/rules/<dataset>", methods=["PUT"])
@documents.doc(**takes("AnalysisRule"))
@documents.response(200, WrittenDocument, headers=ETAG)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True, headers=ETAG)
def put_rule(collaboration: str, dataset: str) -> Any:
    """What the dataset's owner allows with it in this collaboration; in force from the next query on."""
    body = document_body()
    with home().database.begin() as transaction:
        return write(transaction, read_rule(body, collaboration, dataset))


@documents.route("/connections/<connection>", methods=["DELETE"])
@documents.doc(parameters=MATCH)
@documents.response(204)
def delete_connection(connection: str) -> None:
    """The connection holds no more. 409 document.in_use while a dataset of the caller's partner is on it."""
    _delete(DocumentKey("connection", connection))


@documents.route("/datasets/<dataset>", methods=["DELETE"])
@documents.doc(parameters=MATCH)
@documents.response(204)
def delete_dataset(dataset: str) -> None:
    """The dataset is registered no more. 409 document.in_use while a rule of the caller's partner is about it."""
    _delete(DocumentKey("dataset", dataset))


@documents.route("/collaborations/<collaboration>/rules/<dataset>", methods=["DELETE"])
@documents.doc(parameters=MATCH)
@documents.response(204)
def delete_rule(collaboration: str, dataset: str) -> None:
    """From the next query on, nothing may be asked of the dataset in this collaboration."""
    _delete(DocumentKey("rule", f"{collaboration}/{dataset}"))


def document_body() -> dict[str, Any]:
    """The whole body, read before any transaction begins: a slow sender holds up nobody."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput((Problem("policy.invalid_value", "A document is a JSON object."),))
    return body


def read_rule(body: Mapping[str, Any], collaboration: str, dataset: str) -> AnalysisRule:
    """The rule in the body, right by itself and for its dataset; NotFound where there is no such dataset."""
    about = home().drawers.policies.dataset(DatasetName(dataset))
    if about is None:
        raise unknown("dataset")
    value = read_body("AnalysisRule", body, {"dataset": dataset, "collaboration": collaboration}, about)
    assert isinstance(value, AnalysisRule)
    return value


def read_body(
    kind: str, body: Mapping[str, Any], address: Mapping[str, str], dataset: Dataset | None = None
) -> Connection | Dataset | AnalysisRule:
    """The document in the body, the caller's partner's own. InvalidInput with every problem."""
    value = read_document(kind, body, partner=principal().partner, address=address, dataset=dataset)
    assert not isinstance(value, Template)
    return value


def _delete(key: DocumentKey) -> None:
    with home().database.begin() as transaction:
        remove(transaction, key)
