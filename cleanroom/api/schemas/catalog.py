"""Collaborations and datasets as a member sees them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about


class MemberSchema(ma.Schema):
    partner = fields.String(required=True)
    abilities = fields.List(fields.String(), required=True)
    state = fields.String(
        required=True,
        validate=validate.OneOf(["active", "invited"]),
        metadata=about("invited: every member wants it in, and it has not answered."),
    )


class CollaborationSchema(ma.Schema):
    """`version` counts what the members agreed on, from 1."""

    name = fields.String(required=True)
    version = fields.Integer(required=True)
    description = fields.String(required=True)
    members = fields.List(fields.Nested(MemberSchema), required=True)


class CollaborationList(ma.Schema):
    collaborations = fields.List(fields.Nested(CollaborationSchema), required=True)


class ColumnUses(ma.Schema):
    """What the caller may do with a column. `group` and `filter` hold the finest grain allowed; absent means no.

    `minimum_units`: of its aggregates, where it is more than the dataset's.
    """

    join = fields.Boolean(required=True)
    group = fields.String(allow_none=True, required=True)
    filter = fields.String(allow_none=True, required=True)
    aggregate = fields.List(fields.String(), required=True)
    minimum_units = fields.Integer(allow_none=True, required=True)


class CatalogColumn(ma.Schema):
    name = fields.String(required=True)
    type = fields.String(required=True)
    nullable = fields.Boolean(required=True)
    description = fields.String(required=True)
    unit = fields.String(allow_none=True)
    values = fields.List(fields.String(), allow_none=True)
    allowed = fields.Nested(ColumnUses, required=True)


class CatalogJoin(ma.Schema):
    dataset = fields.String(required=True)
    keys = fields.Dict(keys=fields.String(), values=fields.String(), required=True)


class CatalogJoins(ma.Schema):
    required = fields.String(required=True)
    kinds = fields.List(fields.String(), required=True)
    partners = fields.List(fields.Nested(CatalogJoin), required=True, data_key="with")


class CatalogDataset(ma.Schema):
    """A dataset as a member of the collaboration sees it: never where it is kept."""

    name = fields.String(required=True)
    partner = fields.String(required=True)
    domain = fields.String(required=True)
    description = fields.String(required=True)
    owner = fields.String(required=True)
    service_level = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    privacy_units = fields.List(fields.String(), required=True)
    unique = fields.List(fields.List(fields.String()), required=True)
    minimum_units = fields.Integer(required=True)
    small_groups = fields.String(required=True, metadata=about("What becomes of groups below the minimum."))
    count_rows = fields.Boolean(required=True)
    functions = fields.List(fields.String(), required=True)
    analyses = fields.String(
        required=True,
        metadata=about("free: any query that the rule permits; templates: of those only approved templates."),
    )
    literals = fields.List(
        fields.String(),
        allow_none=True,
        required=True,
        metadata=about("The columns that may be compared with literals; null: all that may be filtered on."),
    )
    aggregate_arguments = fields.String(required=True)
    per_unit_analysis = fields.Boolean(required=True)
    joins = fields.Nested(CatalogJoins, required=True)
    may_query = fields.Boolean(required=True)
    may_receive = fields.Boolean(required=True)
    columns = fields.List(fields.Nested(CatalogColumn), required=True)


class Catalog(ma.Schema):
    collaboration = fields.String(required=True)
    datasets = fields.List(fields.Nested(CatalogDataset), required=True)
