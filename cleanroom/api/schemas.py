"""The shapes of bodies and answers, for checking what comes in and for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from cleanroom.domain.query import QueryState
from cleanroom.sql import DIALECTS


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class QueryBody(ma.Schema):
    """What an analyst sends. `parameters` and `template` are names of the contract that this version refuses."""

    sql = fields.String(required=True, metadata=_about("One SELECT statement."))
    dialect = fields.String(
        load_default="duckdb",
        validate=validate.OneOf(list(DIALECTS), error="Only these dialects are read: {choices}."),
        metadata=_about("How the statement is read; it then means here what it means there, or is refused."),
    )
    parameters = fields.Raw(metadata=_about("Not supported: sending it is an error."))
    template = fields.Raw(metadata=_about("Not supported: sending it is an error."))

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
    rewrite = fields.String(metadata=_about("The whole query changed a little, so that the rules accept it."))


class NoticeSchema(ma.Schema):
    """What the answer may lack, told of the question and the rules alone: the same whether it lacks something or not."""

    code = fields.String(required=True)
    message = fields.String(required=True)


class QueryLinks(ma.Schema):
    self = fields.String(required=True)
    result = fields.String(metadata=_about("Present once there is a result that the caller receives."))
    cancel = fields.String(metadata=_about("Present while the caller can cancel the query."))


class QuerySchema(ma.Schema):
    """A query as the caller may see it."""

    id = fields.String(required=True)
    state = fields.Enum(QueryState, by_value=True, required=True)
    collaboration = fields.String(required=True)
    runner = fields.String(required=True, metadata=_about("The partner that asked."))
    submitted_at = fields.String(required=True, metadata={"format": "date-time"})
    sql = fields.String(metadata=_about("For the runner and the owners of the datasets."))
    datasets = fields.List(fields.String())
    findings = fields.List(fields.Nested(FindingSchema), required=True)
    failure = fields.String(allow_none=True, metadata=_about("A stable code where the state is failed."))
    row_count = fields.Integer(allow_none=True, metadata=_about("Rows of the result, for its receivers."))
    notices = fields.List(fields.Nested(NoticeSchema), required=True)
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
        fields.Raw(), required=True, metadata=_about("What the query would spend: nothing yet is spent.")
    )


class ResultSchema(ma.Schema):
    """A released result. Integers of 2^53 and more, decimals, NaN and infinities are strings; moments are ISO 8601."""

    columns = fields.List(fields.Nested(OutputColumn), required=True)
    rows = fields.List(fields.List(fields.Raw(allow_none=True)), required=True)


class PageQuery(ma.Schema):
    """Where a listing begins and how long a page is."""

    cursor = fields.String(validate=validate.Length(max=256), metadata=_about("The `next_cursor` of the page before."))
    limit = fields.Integer(strict=False, validate=validate.Range(min=1, max=200), metadata=_about("Default 50."))


class QueryPage(ma.Schema):
    queries = fields.List(fields.Nested(QuerySchema), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class MemberSchema(ma.Schema):
    partner = fields.String(required=True)
    abilities = fields.List(fields.String(), required=True)


class CollaborationSchema(ma.Schema):
    name = fields.String(required=True)
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
    small_groups = fields.String(required=True, metadata=_about("What becomes of groups below the minimum."))
    count_rows = fields.Boolean(required=True)
    functions = fields.List(fields.String(), required=True)
    literals = fields.List(
        fields.String(),
        allow_none=True,
        required=True,
        metadata=_about("The columns that may be compared with literals; null: all that may be filtered on."),
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


class WrittenDocument(ma.Schema):
    """What became of a document that was put."""

    document = fields.String(required=True)
    change = fields.String(required=True, validate=validate.OneOf(["created", "replaced", "unchanged"]))


class AuditEvent(ma.Schema):
    """One entry of the log. `canonical` is the exact text whose hash is the leaf."""

    number = fields.Integer(required=True)
    kind = fields.String(required=True)
    at = fields.String(required=True, metadata={"format": "date-time"})
    canonical = fields.String(required=True)


class AuditPage(ma.Schema):
    events = fields.List(fields.Nested(AuditEvent), required=True)
    next_cursor = fields.String(allow_none=True, required=True)


class CheckpointSchema(ma.Schema):
    checkpoint = fields.String(required=True)
    key = fields.String(required=True)


class ProofSchema(ma.Schema):
    """An inclusion proof: `hashes` lead from `leaf`, the hash of `canonical`, to the root of `checkpoint`."""

    number = fields.Integer(required=True)
    canonical = fields.String(required=True)
    leaf = fields.String(required=True)
    hashes = fields.List(fields.String(), required=True)
    checkpoint = fields.String(required=True)


class HealthSchema(ma.Schema):
    status = fields.String(required=True)


class ReadinessSchema(ma.Schema):
    status = fields.String(required=True)
    checks = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
