"""Where a listing begins and how long a page is."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about


class PageQuery(ma.Schema):
    """Where a listing begins and how long a page is."""

    cursor = fields.String(validate=validate.Length(max=256), metadata=about("The `next_cursor` of the page before."))
    limit = fields.Integer(strict=False, validate=validate.Range(min=1, max=200), metadata=about("Default 50."))
