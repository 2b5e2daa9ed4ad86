"""PolicyTest documents ↔ questions and the verdicts that their authors expect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import validates_schema

from cleanroom.documents.fields import (
    ByName,
    Choice,
    JsonSchema,
    OneOrSeveral,
    Part,
    Several,
    Shape,
    Text,
    json_schema_of,
    resource,
)
from cleanroom.documents.flaws import refused
from cleanroom.documents.template import ScalarValue
from cleanroom.domain.identifiers import IDENTIFIER, CollaborationName, PartnerName
from cleanroom.domain.parameters import LONGEST_NAME
from cleanroom.domain.policy import PolicyTest, PolicyTestCase
from cleanroom.sql import DIALECTS

APPROVED = "approved"
_CODE = re.compile(r"[a-z]+\.[a-z_]+\Z")


class Expectation(OneOrSeveral):
    """`approved`, or the list of the findings' codes."""

    def __init__(self) -> None:
        code = Text(
            pattern=_CODE, form="the code of a finding", hint="write approved, or codes such as [column.blocked]"
        )
        super().__init__(
            code, least=1, required=True, metadata={"description": "approved, or the codes of all findings"}
        )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> list[Any]:
        return [] if value == APPROVED else super()._deserialize(value, *args, **kwargs)

    def json_schema(self) -> JsonSchema:
        return {"anyOf": [{"const": APPROVED}, json_schema_of(self.inner), Several.json_schema(self)]}


class CaseShape(Shape):
    name = Text(required=True, most=200, metadata={"description": "what the case shows"})
    runner = resource("partner", required=True, data_key="as", metadata={"description": "the partner that asks"})
    sql = Text(most=32_768, metadata={"description": "the question; or `template`"})
    template = resource("template", metadata={"description": "the template that is asked"})
    parameters = ByName(
        Text(pattern=IDENTIFIER, form="the name of a parameter", most=LONGEST_NAME),
        ScalarValue(),
        load_default=dict,
        metadata={"description": "the values of the parameters in it"},
    )
    dialect = Choice(tuple(DIALECTS), load_default="duckdb", metadata={"description": "how `sql` is read"})
    expect = Expectation()

    @validates_schema(skip_on_field_errors=False)
    def require_one_question(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if ("sql" in data) == ("template" in data):
            raise refused("needs one of `sql` and `template`", "write the question as sql: …, or name a template")


class PolicyTestShape(Shape):
    collaboration = resource("collaboration", required=True, metadata={"description": "where the questions are asked"})
    cases = Several(Part(CaseShape), required=True, least=1)


def build(data: Mapping[str, Any]) -> PolicyTest:
    """The test, its file and lines still unset."""
    cases = tuple(_case(c) for c in data["cases"])
    return PolicyTest(CollaborationName(data["collaboration"]), cases, file="")


def _case(data: Mapping[str, Any]) -> PolicyTestCase:
    codes = tuple(sorted(data["expect"]))
    return PolicyTestCase(
        data["name"],
        PartnerName(data["runner"]),
        data.get("sql", ""),
        codes or None,
        line=0,
        dialect=data["dialect"],
        template=data.get("template"),
        parameters=data["parameters"],
    )
