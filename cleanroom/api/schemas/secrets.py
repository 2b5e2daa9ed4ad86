"""Secrets as they are sent, and what is shown of them: never a value."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about


class SecretBody(ma.Schema):
    """A secret's value, which is written and never shown again."""

    value = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(1, 8192, error="A secret has between 1 and 8192 characters."),
        metadata=about("The secret."),
    )


class SecretSchema(ma.Schema):
    """That there is a secret."""

    name = fields.String(required=True, metadata=about("A connection refers to it as store:<name>."))
    written_at = fields.String(required=True, metadata={"format": "date-time"})
    author = fields.String(allow_none=True, metadata=about("Who wrote it; null: the operator."))


class SecretList(ma.Schema):
    secrets = fields.List(fields.Nested(SecretSchema), required=True)
