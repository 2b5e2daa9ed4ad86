"""What became of documents that were written."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate


class WrittenDocument(ma.Schema):
    """What became of a document that was put."""

    document = fields.String(required=True)
    change = fields.String(required=True, validate=validate.OneOf(["created", "replaced", "unchanged"]))
