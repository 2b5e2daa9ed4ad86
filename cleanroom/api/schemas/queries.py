"""Queries and results as they are sent and shown."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.domain.query import QueryState
from cleanroom.sql import DIALECTS


class QueryBody(ma.Schema):
    """What an analyst asks: a statement or a template, and the value of each `:name` in it."""

    sql = fields.String(metadata=about("One SELECT statement; or `template`."))
    template = fields.String(metadata=about("The name of a template of the collaboration; or `sql`."))
    dialect = fields.String(
        validate=validate.OneOf(list(DIALECTS), error="Only these dialects are read: {choices}."),
        metadata={
            **about("How `sql` is read; it then means here what it means there, or is refused."),
            "default": "duckdb",
        },
    )
    parameters = fields.Dict(
        keys=fields.String(),
        values=fields.Raw(allow_none=True),
        metadata=about("Text, whole numbers, numbers, true and false, by the names in the text."),
    )

    @ma.validates_schema
    def _require_one_question(self, data: dict[str, object], **_kwargs: object) -> None:
        if ("sql" in data) == ("template" in data):
            raise ma.ValidationError({"sql": ["Send either sql or template."]})
        if "template" in data and "dialect" in data:
            raise ma.ValidationError({"dialect": ["A template has its own dialect; leave it out."]})


class ParameterSchema(ma.Schema):
    """The value of a parameter, as text."""

    type = fields.String(required=True)
    value = fields.String(required=True)


class FindingSchema(ma.Schema):
    """One reason for a refusal. `code` is stable, `hint` says what would be accepted; line and position count from 1."""

    code = fields.String(required=True)
    message = fields.String(required=True)
    dataset = fields.String()
    column = fields.String()
    line = fields.Integer()
    position = fields.Integer()
    hint = fields.String()
    rewrite = fields.String(metadata=about("The whole query changed a little, so that the rules accept it."))


class NoticeSchema(ma.Schema):
    """What the answer may lack, told of the question and the rules alone: the same whether it lacks something or not."""

    code = fields.String(required=True)
    message = fields.String(required=True)


class QueryLinks(ma.Schema):
    self = fields.String(required=True)
    result = fields.String(metadata=about("Present once there is a result that the caller receives."))
    cancel = fields.String(metadata=about("Present while the caller can cancel the query."))


class QuerySchema(ma.Schema):
    """A query as the caller may see it."""

    id = fields.String(required=True)
    state = fields.Enum(QueryState, by_value=True, required=True)
    collaboration = fields.String(required=True)
    runner = fields.String(required=True, metadata=about("The partner that asked."))
    submitted_at = fields.String(required=True, metadata={"format": "date-time"})
    sql = fields.String(metadata=about("For the runner and the owners of the datasets."))
    parameters = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(ParameterSchema),
        metadata=about("With `sql`: what was asked with it."),
    )
    template = fields.String(allow_none=True, metadata=about("With `sql`: the template that it is the text of."))
    datasets = fields.List(fields.String())
    findings = fields.List(fields.Nested(FindingSchema), required=True)
    failure = fields.String(allow_none=True, metadata=about("A stable code where the state is failed."))
    row_count = fields.Integer(allow_none=True, metadata=about("Rows of the result, for its receivers."))
    notices = fields.List(fields.Nested(NoticeSchema), required=True)
    expires_at = fields.String(
        allow_none=True,
        metadata={"format": "date-time", **about("Until when the result is kept, for its receivers.")},
    )
    links = fields.Nested(QueryLinks, required=True)


class OutputColumn(ma.Schema):
    name = fields.String(required=True)
    type = fields.String(required=True)


class CheckSchema(ma.Schema):
    """The verdict on a query that was not run."""

    approved = fields.Boolean(required=True)
    findings = fields.List(fields.Nested(FindingSchema), required=True)
    datasets = fields.List(fields.String(), required=True)
    output_columns = fields.List(fields.Nested(OutputColumn), required=True)
    notices = fields.List(fields.Nested(NoticeSchema), required=True)
    costs = fields.List(
        fields.Raw(), required=True, metadata=about("What the query would spend: nothing yet is spent.")
    )


class ResultSchema(ma.Schema):
    """A released result. Integers of 2^53 and more, decimals, NaN and infinities are strings; moments are ISO 8601."""

    columns = fields.List(fields.Nested(OutputColumn), required=True)
    rows = fields.List(fields.List(fields.Raw(allow_none=True)), required=True)


class QueryPageQuery(PageQuery):
    """Which queries a listing is of, where it begins and how long a page is."""

    state = fields.Enum(QueryState, by_value=True, metadata=about("Those in this state alone."))
    collaboration = fields.String(validate=validate.Length(max=63), metadata=about("Those of this one alone."))


class QueryPage(ma.Schema):
    queries = fields.List(fields.Nested(QuerySchema), required=True)
    next_cursor = fields.String(allow_none=True, required=True)
