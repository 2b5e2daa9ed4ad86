"""Connection documents ↔ where a partner keeps its data, and the name of the secret that opens it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cleanroom.documents.fields import Choice, Part, Shape, Text, resource
from cleanroom.domain.errors import Problem
from cleanroom.domain.events import Json
from cleanroom.domain.identifiers import ConnectionName, PartnerName
from cleanroom.domain.policy import Connection, ConnectionType

_FILES_ONLY = "write type: files with options: {root: …}, and put the data there as Parquet or CSV"
_SECRET = re.compile(r"env:[A-Z_][A-Z0-9_]*\Z")


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
        pattern=_SECRET,
        form="a reference to a secret, never the secret itself",
        hint="write env:CLEANROOM_SECRET_<PARTNER>_<NAME>",
        most=200,
        metadata={"description": "env:CLEANROOM_SECRET_<PARTNER>_…: the name of the variable that holds it"},
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


def secret_prefix(partner: PartnerName) -> str:
    """What the names of a partner's secrets begin with."""
    return f"env:CLEANROOM_SECRET_{partner.upper().replace('-', '_')}_"


def contradictions(value: Connection, partners: Iterable[PartnerName] = ()) -> Iterator[Problem]:
    """A secret that is not this partner's, or that one of `partners` could claim as well.

    Names are told apart by prefix alone: CLEANROOM_SECRET_A_B_KEY belongs to partner a and to partner a-b.
    """
    if value.secret is None:
        return
    mine = secret_prefix(value.partner)
    if not value.secret.startswith(mine) or value.secret == mine:
        yield _secret_problem("is not named for its partner", f"write {mine}<NAME>")
        return
    for other in sorted({*partners} - {value.partner}):
        theirs = secret_prefix(other)
        if value.secret.startswith(theirs) and len(theirs) >= len(mine):
            yield _secret_problem("could be another partner's as well", f"write another word after {mine}")


def _secret_problem(message: str, hint: str) -> Problem:
    return Problem("policy.secret", f"`secret` {message}", field="secret", hint=hint)
