"""What became of documents that were written, and the versions that there are."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about

_NUMBER = validate.Range(min=1, max=2**31 - 1)


class WrittenDocument(ma.Schema):
    """What became of a document that was put."""

    document = fields.String(required=True)
    change = fields.String(required=True, validate=validate.OneOf(["created", "replaced", "unchanged"]))
    version = fields.Integer(required=True, metadata=about("The number of the version that holds now."))


class VersionQuery(ma.Schema):
    """Which version; the current one where none is named."""

    version = fields.Integer(strict=False, validate=_NUMBER, metadata=about("Default: the current one."))


class RollbackBody(ma.Schema):
    """The version that shall hold again."""

    version = fields.Integer(required=True, strict=True, validate=_NUMBER)


class VersionSchema(ma.Schema):
    """A version of a document. `author` is a principal's id, null for the operator."""

    version = fields.Integer(required=True)
    author = fields.String(allow_none=True, required=True)
    written_at = fields.String(required=True)
    digest = fields.String(required=True)
    current = fields.Boolean(required=True)


class VersionList(ma.Schema):
    document = fields.String(required=True)
    versions = fields.List(fields.Nested(VersionSchema), required=True)
