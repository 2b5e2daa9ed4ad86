"""What a change of rules would have meant for queries that were asked."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about
from cleanroom.replay import MOST_QUERIES


class WhatIfQuery(ma.Schema):
    """How far back."""

    last = fields.Integer(
        strict=False,
        validate=validate.Range(min=1, max=MOST_QUERIES),
        metadata=about("How many of the last queries over the dataset. Default 100."),
    )


class ReplayedSchema(ma.Schema):
    """A query over the dataset that would be decided otherwise. `codes`: of the findings where it is refused."""

    id = fields.String(required=True)
    runner = fields.String(required=True)
    submitted_at = fields.String(required=True)
    sql = fields.String(required=True)
    codes = fields.List(fields.String(), required=True)


class ReplaySchema(ma.Schema):
    asked = fields.Integer(required=True, metadata=about("How many queries there were to replay."))
    replayed = fields.Integer(required=True, metadata=about("How many were judged before time ran out."))
    complete = fields.Boolean(required=True)
    unchanged = fields.Integer(required=True)
    newly_refused = fields.List(fields.Nested(ReplayedSchema), required=True)
    newly_accepted = fields.List(fields.Nested(ReplayedSchema), required=True)
