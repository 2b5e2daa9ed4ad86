"""What holds in a collaboration, and which datasets are ready, as a member sees them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from cleanroom.api.schemas.about import about

_ASKABLE = "The runners for whom not every query is refused; of others' datasets at most the caller's own partner."


class ColumnsByUse(ma.Schema):
    """Column names by use; `group` and `filter` with the finest grain."""

    join = fields.List(fields.String(), required=True)
    group = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    filter = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    aggregate = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    minimum_units = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class EffectiveDatasetSchema(ma.Schema):
    """What holds of a dataset once every owner's rule is counted in."""

    name = fields.String(required=True)
    runners = fields.List(fields.String(), required=True)
    receivers = fields.List(fields.String(), required=True)
    askable = fields.List(fields.String(), required=True, metadata=about(_ASKABLE))
    alone = fields.Boolean(required=True)
    required = fields.String(required=True)
    minimum_units = fields.Integer(required=True)
    small_groups = fields.String(required=True)
    count_rows = fields.Boolean(required=True)
    expressions = fields.Boolean(required=True)
    templates_only = fields.Boolean(required=True)
    functions = fields.List(fields.String(), required=True)
    columns = fields.Nested(ColumnsByUse, required=True)


class EffectiveJoinSchema(ma.Schema):
    """A join that both owners allow. `keys`: pairs of columns, of the first dataset and of the second."""

    datasets = fields.List(fields.String(), required=True)
    keys = fields.List(fields.List(fields.String()), required=True)
    kinds = fields.List(fields.String(), required=True)
    runners = fields.List(fields.String(), required=True)
    receivers = fields.List(fields.String(), required=True)
    sufficient = fields.Boolean(required=True, metadata=about("It meets what both owners require by itself."))
    minimum_units = fields.Integer(required=True)
    small_groups = fields.String(required=True)
    count_rows = fields.Boolean(required=True)
    expressions = fields.Boolean(required=True)
    functions = fields.List(fields.String(), required=True)


class ContradictionSchema(ma.Schema):
    """What in the rules cannot hold together. `by`: whose rule would change; null: what all members agreed on."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    datasets = fields.List(fields.String(), required=True)
    by = fields.String(required=True, allow_none=True)
    blocks = fields.Boolean(required=True)
    column = fields.String()
    hint = fields.String()


class EffectiveSchema(ma.Schema):
    collaboration = fields.String(required=True)
    datasets = fields.List(fields.Nested(EffectiveDatasetSchema), required=True)
    joins = fields.List(fields.Nested(EffectiveJoinSchema), required=True)
    contradictions = fields.List(fields.Nested(ContradictionSchema), required=True)


class ReasonSchema(ma.Schema):
    """`who` has to act: owner, partner (`by`), members (together) or operator. Not `blocks`: only a part is void."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    blocks = fields.Boolean(required=True)
    who = fields.String(required=True)
    by = fields.String()
    hint = fields.String()


class DatasetReadinessSchema(ma.Schema):
    dataset = fields.String(required=True)
    ready = fields.Boolean(required=True)
    askable = fields.List(fields.String(), required=True, metadata=about(_ASKABLE))
    reasons = fields.List(fields.Nested(ReasonSchema), required=True)


class DatasetsReadinessSchema(ma.Schema):
    collaboration = fields.String(required=True)
    datasets = fields.List(fields.Nested(DatasetReadinessSchema), required=True)
