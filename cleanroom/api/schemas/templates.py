"""Templates as they are shown and approved."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about


class ApprovalBody(ma.Schema):
    """What an owner agrees to."""

    version = fields.Integer(
        required=True,
        strict=True,
        validate=validate.Range(min=1, max=2**31 - 1),
        metadata=about("The version that was read; another that is current by now is not approved."),
    )


class TemplateSchema(ma.Schema):
    """A template as every member sees it."""

    name = fields.String(required=True)
    collaboration = fields.String(required=True)
    partner = fields.String(required=True, metadata=about("Whose template it is."))
    version = fields.Integer(required=True)
    description = fields.String(required=True)
    sql = fields.String(required=True)
    dialect = fields.String(required=True)
    parameters = fields.Dict(
        keys=fields.String(), values=fields.Dict(), required=True, metadata=about("As the document has them.")
    )
    datasets = fields.List(fields.String(), required=True, metadata=about("What it reads here."))
    approvals = fields.List(fields.String(), required=True, metadata=about("Owners that agreed to this text."))
    missing_approvals = fields.List(fields.String(), required=True, metadata=about("Owners that have not."))


class TemplateList(ma.Schema):
    templates = fields.List(fields.Nested(TemplateSchema), required=True)
