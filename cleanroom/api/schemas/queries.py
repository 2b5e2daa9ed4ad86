"""Queries and results as they are sent and shown."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.api.schemas.about import about
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.domain.query import QueryState
from cleanroom.sql import DIALECTS


class QueryBody(ma.Schema):
    """What an analyst sends. `parameters` and `template` are names of the contract that this version refuses."""

    sql = fields.String(required=True, metadata=about("One SELECT statement."))
    dialect = fields.String(
        load_default="duckdb",
        validate=validate.OneOf(list(DIALECTS), error="Only these dialects are read: {choices}."),
        metadata=about("How the statement is read; it then means here what it means there, or is refused."),
    )
    parameters = fields.Raw(metadata=about("Not supported: sending it is an error."))
    template = fields.Raw(metadata=about("Not supported: sending it is an error."))

    @ma.validates_schema
    def _refuse_unsupported(self, data: dict[str, object], **_kwargs: object) -> None:
        wrong = {n: [f"{n} is not supported by this version; leave it out."] for n in _UNSUPPORTED if n in data}
        if wrong:
            raise ma.ValidationError(wrong)


_UNSUPPORTED = ("parameters", "template")


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
