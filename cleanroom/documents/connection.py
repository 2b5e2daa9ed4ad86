"""Connection documents ↔ where a partner keeps its data, and the name of the secret that opens it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cleanroom.documents.fields import Choice, Part, Shape, Text, resource
from cleanroom.domain.errors import Problem
from cleanroom.domain.events import Json
from cleanroom.domain.identifiers import ConnectionName, PartnerName
from cleanroom.domain.policy import Connection, ConnectionType
from cleanroom.domain.secret_names import (
    REFERENCE,
    EnvironmentSecret,
    is_named_for,
    parse_reference,
    rivals,
    secret_prefix,
)

_FILES_ONLY = "write type: files with options: {root: …}, and put the data there as Parquet or CSV"


class OptionsShape(Shape):
    root = Text(required=True, metadata={"description": "folder of the data; in a policy folder relative to its file"})


class ConnectionShape(Shape):
    name = resource("connection", required=True, metadata={"description": "unique; datasets refer to it"})
    partner = resource("partner", required=True, metadata={"description": "whose storage it is"})
    type = Choice(
        tuple(ConnectionType),
        required=True,
        later=dict.fromkeys(("s3", "postgresql", "mysql", "iceberg", "delta"), _FILES_ONLY),
        metadata={"description": "the kind of storage"},
    )
    options = Part(OptionsShape, required=True)
    secret = Text(
        pattern=REFERENCE,
        form="a reference to a secret, never the secret itself",
        hint="write store:<NAME> or env:CLEANROOM_SECRET_<PARTNER>_<NAME>",
        most=200,
        metadata={
            "description": "store:<name>: one that `cleanroom secret set` or PUT /v1/secrets keeps; "
            "env:CLEANROOM_SECRET_<PARTNER>_…: the name of the variable that holds it"
        },
    )


def build(data: Mapping[str, Any]) -> Connection:
    return Connection(
        name=ConnectionName(data["name"]),
        partner=PartnerName(data["partner"]),
        type=ConnectionType(data["type"]),
        options=dict(data["options"]),
        secret=data.get("secret"),
    )


def write(value: Connection) -> dict[str, Json]:
    secret: dict[str, Json] = {"secret": value.secret} if value.secret else {}
    return {
        "name": value.name,
        "partner": value.partner,
        "type": value.type.value,
        "options": dict(value.options),
        **secret,
    }


def contradictions(value: Connection, partners: Iterable[PartnerName] = ()) -> Iterator[Problem]:
    """A variable that is not this partner's, or that one of `partners` could claim as well."""
    reference = None if value.secret is None else parse_reference(value.secret)
    if not isinstance(reference, EnvironmentSecret):
        return
    mine = f"env:{secret_prefix(value.partner)}"
    if not is_named_for(reference.name, value.partner):
        yield _secret_problem("is not named for its partner", f"write {mine}<NAME>")
    elif rivals(reference.name, value.partner, partners):
        yield _secret_problem("could be another partner's as well", f"write another word after {mine}")


def _secret_problem(message: str, hint: str) -> Problem:
    return Problem("policy.secret", f"`secret` {message}", field="secret", hint=hint)
