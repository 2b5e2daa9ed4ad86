"""An owner's documents as they are and as they were, for the owner alone: a rule's row filter is nobody else's matter."""

from __future__ import annotations

import json
from typing import Any

from flask import Response

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import home, principal
from cleanroom.api.document_writes import etag, write
from cleanroom.api.documents import ETAG
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.documents import RollbackBody, VersionList, VersionQuery, WrittenDocument
from cleanroom.api.views import versions_view
from cleanroom.documents import to_document
from cleanroom.documents.analysis_rule import with_grains
from cleanroom.domain.document import DocumentKey
from cleanroom.domain.policy import AnalysisRule, Collaboration, Template
from cleanroom.store.policies import DocumentVersion

versions = StrictBlueprint(
    "versions", __name__, url_prefix="/v1", description="What owners wrote down, version by version."
)

_CONNECTION = "/connections/<connection>"
_DATASET = "/datasets/<dataset>"
_RULE = "/collaborations/<collaboration>/rules/<dataset>"


def _gives(kind: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{kind}Document"}
    return {"responses": {200: {"content": {"application/json": {"schema": schema}}}}}


@versions.route(_CONNECTION)
@versions.doc(**_gives("Connection"))
@versions.arguments(VersionQuery, location="query")
@versions.response(200, headers=ETAG)
def read_connection(query: dict[str, Any], connection: str) -> Any:
    """The caller's partner's connection, as a policy folder has it. Its secret is a reference."""
    return _document(DocumentKey("connection", connection), query)


@versions.route(_DATASET)
@versions.doc(**_gives("Dataset"))
@versions.arguments(VersionQuery, location="query")
@versions.response(200, headers=ETAG)
def read_dataset(query: dict[str, Any], dataset: str) -> Any:
    """The caller's partner's dataset, as a policy folder has it."""
    return _document(DocumentKey("dataset", dataset), query)


@versions.route(_RULE)
@versions.doc(**_gives("AnalysisRule"))
@versions.arguments(VersionQuery, location="query")
@versions.response(200, headers=ETAG)
def read_rule(query: dict[str, Any], collaboration: str, dataset: str) -> Any:
    """The caller's partner's rule, as a policy folder has it, row filters and all."""
    return _document(_rule(collaboration, dataset), query)


@versions.route(f"{_CONNECTION}/versions")
@versions.response(200, VersionList)
def list_connection(connection: str) -> dict[str, Any]:
    """Every version of the connection, the newest first."""
    return _listing(DocumentKey("connection", connection))


@versions.route(f"{_DATASET}/versions")
@versions.response(200, VersionList)
def list_dataset(dataset: str) -> dict[str, Any]:
    """Every version of the dataset, the newest first."""
    return _listing(DocumentKey("dataset", dataset))


@versions.route(f"{_RULE}/versions")
@versions.response(200, VersionList)
def list_rule(collaboration: str, dataset: str) -> dict[str, Any]:
    """Every version of the rule, the newest first."""
    return _listing(_rule(collaboration, dataset))


@versions.route(f"{_CONNECTION}:rollback", methods=["POST"])
@versions.arguments(RollbackBody)
@versions.response(200, WrittenDocument, headers=ETAG)
@versions.alt_response(201, schema=WrittenDocument, description="It holds again", success=True, headers=ETAG)
def rollback_connection(body: dict[str, Any], connection: str) -> Any:
    """What an earlier version said is a new version, where it still lies within what the operator admitted."""
    return _roll_back(DocumentKey("connection", connection), body["version"])


@versions.route(f"{_DATASET}:rollback", methods=["POST"])
@versions.arguments(RollbackBody)
@versions.response(200, WrittenDocument, headers=ETAG)
@versions.alt_response(201, schema=WrittenDocument, description="It holds again", success=True, headers=ETAG)
def rollback_dataset(body: dict[str, Any], dataset: str) -> Any:
    """What an earlier version said is a new version, where rules and connection still fit it."""
    return _roll_back(DocumentKey("dataset", dataset), body["version"])


@versions.route(f"{_RULE}:rollback", methods=["POST"])
@versions.arguments(RollbackBody)
@versions.response(200, WrittenDocument, headers=ETAG)
@versions.alt_response(201, schema=WrittenDocument, description="It holds again", success=True, headers=ETAG)
def rollback_rule(body: dict[str, Any], collaboration: str, dataset: str) -> Any:
    """What an earlier version said is a new version, where it still fits the dataset and the collaboration."""
    return _roll_back(_rule(collaboration, dataset), body["version"])


def _rule(collaboration: str, dataset: str) -> DocumentKey:
    return DocumentKey("rule", f"{collaboration}/{dataset}")


def _found(key: DocumentKey, version: int | None) -> DocumentVersion:
    found = home().drawers.history.at(key, version, principal().partner)
    if found is None:
        raise unknown(key.kind if version is None else f"version {version} of a {key.kind}")
    return found


def _document(key: DocumentKey, query: dict[str, Any]) -> Response:
    """The document in its own order, which is that of a dataset's columns: what is put back is then no change."""
    found = _found(key, query.get("version"))
    text = json.dumps(to_document(found.value), ensure_ascii=False)
    return Response(text, mimetype="application/json", headers={"ETag": etag(found.version)})


def _listing(key: DocumentKey) -> dict[str, Any]:
    found = home().drawers.history.of(key, principal().partner)
    if not found:
        raise unknown(key.kind)
    return versions_view(key, found)


def _roll_back(key: DocumentKey, version: int) -> tuple[dict[str, Any], int, dict[str, str]]:
    with home().database.begin() as transaction:
        value = _found(key, version).value
        assert not isinstance(value, Collaboration | Template)
        if isinstance(value, AnalysisRule) and (about := home().drawers.policies.dataset(value.dataset)):
            value = with_grains(value, about)
        return write(transaction, value, rolled_back_to=version)
