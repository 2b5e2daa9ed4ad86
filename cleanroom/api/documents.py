"""PUT of a partner's own documents: the same as in a policy folder, each write a version and an event, both or neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from flask import request

from cleanroom.api.bodies import StrictBlueprint, read_json
from cleanroom.api.context import home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.documents import WrittenDocument
from cleanroom.documents import (
    check_connection,
    check_dataset,
    check_rule,
    json_schema,
    partners_of,
    read_document,
)
from cleanroom.domain.document import key_of
from cleanroom.domain.errors import InvalidInput, NotPermitted, Problem
from cleanroom.domain.identifiers import CollaborationName, ConnectionName, DatasetName, fold
from cleanroom.domain.policy import AnalysisRule, Collaboration, Connection, Dataset, PolicyFolder, Template
from cleanroom.sql import check_row_filter

documents = StrictBlueprint("documents", __name__, url_prefix="/v1", description="What owners write down.")

WRITABLE = ("Connection", "Dataset", "AnalysisRule")


def _takes(kind: str) -> dict[str, Any]:
    """The OpenAPI description of a body; `document_schemas` has the shapes it refers to."""
    schema = {"$ref": f"#/components/schemas/{kind}Document"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def document_schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of each kind's body, by its name in the OpenAPI document. The address says what may be left out."""
    schemas = {f"{kind}Document": dict(json_schema(kind)) for kind in WRITABLE}
    for schema in schemas.values():
        for key in ("$schema", "required"):
            schema.pop(key, None)
    return schemas


@documents.route("/connections/<connection>", methods=["PUT"])
@documents.doc(**_takes("Connection"))
@documents.response(200, WrittenDocument)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True)
def put_connection(connection: str) -> Any:
    """Where the caller's partner keeps data, within what the operator admitted for it. Never shown to others."""
    value = _read("Connection", _body(), {"name": connection})
    assert isinstance(value, Connection)
    with home().database.begin() as transaction:
        _require_own(value)
        _require(check_connection(value, partners_of(home().drawers.policies.folder())))
        _require_admitted(value)
        return _write(transaction, value)


@documents.route("/datasets/<dataset>", methods=["PUT"])
@documents.doc(**_takes("Dataset"))
@documents.response(200, WrittenDocument)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True)
def put_dataset(dataset: str) -> Any:
    """A dataset of the caller's partner. Refused where a rule that is in force would no longer fit it."""
    value = _read("Dataset", _body(), {"name": dataset})
    assert isinstance(value, Dataset)
    with home().database.begin() as transaction:
        folder = home().drawers.policies.folder()
        connection = home().drawers.policies.connection(ConnectionName(value.connection))
        _require(_spelled_otherwise(value, folder))
        _require(check_dataset(value, connection) or _rules_that_break(value, folder))
        return _write(transaction, value)


@documents.route("/collaborations/<collaboration>/rules/<dataset>", methods=["PUT"])
@documents.doc(**_takes("AnalysisRule"))
@documents.response(200, WrittenDocument)
@documents.alt_response(201, schema=WrittenDocument, description="Created", success=True)
def put_rule(collaboration: str, dataset: str) -> Any:
    """What the dataset's owner allows with it in this collaboration; in force from the next query on."""
    policies = home().drawers.policies
    body = _body()
    with home().database.begin() as transaction:
        about = policies.dataset(DatasetName(dataset))
        if about is None:
            raise unknown("dataset")
        value = _read("AnalysisRule", body, {"dataset": dataset, "collaboration": collaboration}, about)
        assert isinstance(value, AnalysisRule)
        policy = policies.policy(CollaborationName(collaboration))
        if policy is None:
            raise unknown("collaboration")
        others = tuple(policy.datasets.values())  # those the members can see anyway
        _require(check_rule(value, about, policy.collaboration, others, check_row_filter))
        return _write(transaction, value)


def _body() -> dict[str, Any]:
    """The whole body, read before any transaction begins: a slow sender holds up nobody."""
    body = read_json(request)
    if not isinstance(body, dict):
        raise InvalidInput((Problem("policy.invalid_value", "A document is a JSON object."),))
    return body


def _read(
    kind: str, body: Mapping[str, Any], address: Mapping[str, str], dataset: Dataset | None = None
) -> Connection | Dataset | AnalysisRule:
    value = read_document(kind, body, partner=principal().partner, address=address, dataset=dataset)
    assert not isinstance(value, Template)
    return value


def _require(problems: tuple[Problem, ...]) -> None:
    if problems:
        raise InvalidInput(problems)


def _require_own(connection: Connection) -> None:
    """The name is free or the partner's own. A name that another partner took is answered as any unknown one is."""
    known = home().drawers.policies.connection(connection.name)
    if known is not None and known.partner != connection.partner:
        raise unknown("connection")


def _require_admitted(connection: Connection) -> None:
    """The root lies, by its name, within what the operator admitted. Storage checks again, links followed, at every read."""
    root = PurePosixPath(connection.options["root"])
    admitted = home().drawers.roots.of(connection.partner)
    if not any(root.is_relative_to(PurePosixPath(a)) for a in admitted):
        raise NotPermitted(
            "The operator has not admitted this location for your partner; ask for it to be admitted.",
            "connection.not_admitted",
        )


def _spelled_otherwise(dataset: Dataset, folder: PolicyFolder) -> tuple[Problem, ...]:
    """Engines tell names apart without regard to case: two datasets whose names differ in nothing else are one too many."""
    others = (d.name for d in folder.datasets if d.name != dataset.name)
    if fold(dataset.name) not in {fold(name) for name in others}:
        return ()
    return (Problem("policy.duplicate", "You have a dataset of this name in other letters' case.", field="name"),)


def _rules_that_break(dataset: Dataset, folder: PolicyFolder) -> tuple[Problem, ...]:
    """What would be wrong with the owner's rules over the dataset as it would be."""
    rules = [rule for rule in folder.rules if rule.dataset == dataset.name]
    named: dict[str, Collaboration] = {c.name: c for c in folder.collaborations}
    return tuple(
        Problem(p.code, f"The rule of {rule.collaboration} would not fit: {p.message}", hint=p.hint)
        for rule in rules
        if rule.collaboration in named
        for p in check_rule(rule, dataset, named[rule.collaboration], (), check_row_filter)
    )


def _write(transaction: Any, value: Connection | Dataset | AnalysisRule) -> tuple[dict[str, Any], int]:
    """The document is current once the transaction commits; answers what became of it, and the status."""
    key = key_of(value)
    policies = home().drawers.policies
    before = policies.version(key)
    changed = policies.write(transaction, value, author=principal(), at=home().clock.now())
    change = "unchanged" if not changed else "replaced" if before else "created"
    return {"document": str(key), "change": change}, 201 if change == "created" else 200
