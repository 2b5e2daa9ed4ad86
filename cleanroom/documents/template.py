"""Template documents ↔ a query of a collaboration, with the type of each of its parameters and who agreed to it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError, fields

from cleanroom.documents.dataset import TypeName
from cleanroom.documents.fields import ByName, Choice, JsonSchema, Part, Several, Shape, Strict, Text, kind_of, resource
from cleanroom.documents.flaws import Flaw, refused
from cleanroom.domain.errors import Problem
from cleanroom.domain.events import Json
from cleanroom.domain.expression import Literal, Value
from cleanroom.domain.identifiers import IDENTIFIER, CollaborationName, PartnerName, TemplateName, owner_of
from cleanroom.domain.parameters import LONGEST_NAME, MOST_PARAMETERS
from cleanroom.domain.policy import Policy, Template, TemplateParameter
from cleanroom.domain.types import DataType, Kind
from cleanroom.sql import DIALECTS
from cleanroom.sql.parameters import PARAMETER_KINDS, as_declared, at_most, sent
from cleanroom.sql.template_text import reads, template_datasets, template_findings, template_names

_TYPES_HINT = f"write one of {', '.join(kind.value for kind in PARAMETER_KINDS)}, DECIMAL as DECIMAL(12,2)"
_BOUNDED = frozenset({Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMP})


class ParameterType(TypeName):
    """The name of a type that a parameter can have, loaded as the type."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        found = super()._deserialize(value, *args, **kwargs)
        if found.kind not in PARAMETER_KINDS:
            raise refused("is not a type that a parameter can have", _TYPES_HINT)
        return found

    def json_schema(self) -> JsonSchema:
        plain: list[Json] = [kind.value for kind in PARAMETER_KINDS if kind is not Kind.DECIMAL]
        return {"type": "string", "examples": [*plain, "DECIMAL(12,2)"]}


class ScalarValue(Strict, fields.Field[Any]):
    """Text, a number, true or false, loaded as a literal."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Literal:
        found = sent(value)
        if found is None:
            raise refused(f"must be text, a number, true or false, not {kind_of(value)}")
        return found

    def json_schema(self) -> JsonSchema:
        return {"type": ["string", "number", "boolean"]}


class ParameterShape(Shape):
    type = ParameterType(required=True, form="the name of a type", most=40)
    description = Text(load_default="", metadata={"description": "what the parameter chooses"})
    values = Several(ScalarValue(), least=1, metadata={"description": "a closed list of what it may be"})
    minimum = ScalarValue(metadata={"description": "the least that it may be"})
    maximum = ScalarValue(metadata={"description": "the most that it may be"})


class TemplateShape(Shape):
    name = resource("template", required=True, metadata={"description": "unique in its collaboration"})
    collaboration = resource("collaboration", required=True, metadata={"description": "where it may be asked"})
    partner = resource("partner", required=True, metadata={"description": "the member whose template it is"})
    description = Text(load_default="", metadata={"description": "what it answers"})
    sql = Text(required=True, most=32_768, metadata={"description": "one SELECT statement, with :name parameters"})
    dialect = Choice(tuple(DIALECTS), load_default="duckdb", metadata={"description": "how `sql` is read"})
    parameters = ByName(
        Text(pattern=IDENTIFIER, form="the name of a parameter", most=LONGEST_NAME),
        Part(ParameterShape),
        load_default=dict,
        metadata={"description": "every :name of the text and what may stand in its place"},
    )
    approvals = Several(
        resource("partner"),
        load_default=list,
        metadata={"description": "the partners that agreed to exactly this text; over HTTP each approves by itself"},
    )


def build(data: Mapping[str, Any]) -> Template:
    """ValidationError where a value of a parameter is none of its type."""
    parameters = tuple(_parameter(name, p) for name, p in data["parameters"].items())
    return Template(
        name=TemplateName(data["name"]),
        collaboration=CollaborationName(data["collaboration"]),
        partner=PartnerName(data["partner"]),
        sql=data["sql"],
        dialect=data["dialect"],
        description=data["description"],
        parameters=parameters,
        approvals=frozenset(PartnerName(p) for p in data["approvals"]),
    )


def _parameter(name: str, data: Mapping[str, Any]) -> TemplateParameter:
    wanted: DataType = data["type"]
    values = data.get("values")
    wrong: dict[str, Any] = {}
    listed = []
    for i, literal in enumerate(values or ()):
        typed = as_declared(literal, wanted)
        if typed is None:
            wrong.setdefault("values", {})[i] = [_not_of(wanted)]
        else:
            listed.append(typed.value)
    bounds: dict[str, Value] = {}
    for key in ("minimum", "maximum"):
        typed = as_declared(data[key], wanted) if key in data else None
        if key in data and typed is None:
            wrong[key] = [_not_of(wanted)]
        bounds[key] = None if typed is None else typed.value
    if wrong:
        raise ValidationError({"parameters": {name: wrong}})
    closed = None if values is None else tuple(listed)
    return TemplateParameter(name, wanted, data["description"], closed, bounds["minimum"], bounds["maximum"])


def _not_of(wanted: DataType) -> Flaw:
    return Flaw("policy.invalid_value", f"is not a {wanted}", f"write a value of the type {wanted}")


def write(value: Template) -> dict[str, Json]:
    text: dict[str, Json] = {"description": value.description} if value.description else {}
    return {
        "name": value.name,
        "collaboration": value.collaboration,
        "partner": value.partner,
        **text,
        "sql": value.sql,
        "dialect": value.dialect,
        "parameters": write_parameters(value),
        "approvals": [str(partner) for partner in sorted(value.approvals)],
    }


def write_parameters(value: Template) -> dict[str, Json]:
    """The parameters as a document has them."""
    return {parameter.name: _write_parameter(parameter) for parameter in value.parameters}


def _write_parameter(parameter: TemplateParameter) -> Json:
    written: dict[str, Json] = {"type": str(parameter.type)}
    if parameter.description:
        written["description"] = parameter.description
    if parameter.values is not None:
        written["values"] = [_write_value(v) for v in parameter.values]
    for key, bound in (("minimum", parameter.minimum), ("maximum", parameter.maximum)):
        if bound is not None:
            written[key] = _write_value(bound)
    return written


def _write_value(value: Value) -> Any:
    """A moment and a DECIMAL are text, so that nothing of them is lost."""
    match value:
        case datetime.date():
            return value.isoformat()
        case Decimal():
            return str(value)
    return value


def contradictions(value: Template) -> Iterator[Problem]:
    """What can be told from the template without its text."""
    if len(value.parameters) > MOST_PARAMETERS:
        yield _contradiction(f"there are more than {MOST_PARAMETERS} parameters", "parameters", "take some away")
    for parameter in value.parameters:
        place = f"parameters.{parameter.name}"
        bounded = parameter.minimum is not None or parameter.maximum is not None
        if bounded and parameter.values is not None:
            yield _contradiction("a parameter has `values` or bounds, not both", f"{place}.values", "keep one of them")
        if bounded and parameter.type.kind not in _BOUNDED:
            message = f"a {parameter.type} has no minimum and no maximum"
            yield _contradiction(message, place, "write values: [first, second]")
        elif _crossed(parameter):
            yield _contradiction("the minimum is more than the maximum", f"{place}.minimum", "write less")


def _crossed(parameter: TemplateParameter) -> bool:
    low, high = parameter.minimum, parameter.maximum
    return low is not None and high is not None and not at_most(low, high)


def check_template(template: Template, policy: Policy) -> tuple[Problem, ...]:
    """What is wrong with a template beside its collaboration: its text reads over the datasets there, and its parameters
    are those that it declares."""
    found = [*_of_members(template, policy), *_of_names(template)]
    if not found:
        read = template_findings(template, policy)
        found += [Problem(f.code, f.message, line=None, field="sql", hint=f.hint) for f in read]
    return tuple(found) or tuple(_of_approvals(template, policy))


def _of_members(template: Template, policy: Policy) -> Iterator[Problem]:
    if not policy.collaboration.has(template.partner):
        message = f"`{template.partner}` is not a member of {policy.collaboration.name}"
        yield Problem("policy.unknown_name", message, field="partner", hint="a template is a member's")


def _of_names(template: Template) -> Iterator[Problem]:
    """Every `:name` is declared, and every one declared is used."""
    declared = [parameter.name for parameter in template.parameters]
    used = template_names(template)
    for name in used:
        if name not in declared:
            message = f"the text has a parameter `:{name}` that is not declared"
            yield Problem("policy.missing_key", message, field="sql", hint=f"write {name}: {{type: …}} in `parameters`")
    for name in declared if reads(template) else ():
        if name not in used:
            message = f"the text has no parameter `:{name}`"
            yield _contradiction(message, f"parameters.{name}", "remove it")


def _of_approvals(template: Template, policy: Policy) -> Iterator[Problem]:
    """Whoever agrees has a dataset in it."""
    owners = {owner_of(name) for name in template_datasets(template, policy)}
    for i, partner in enumerate(sorted(template.approvals)):
        if partner not in owners:
            message = f"`{partner}` owns no dataset that the template reads"
            yield Problem("policy.not_permitted", message, field=f"approvals[{i}]", hint="remove it")


def _contradiction(message: str, field: str, hint: str) -> Problem:
    return Problem("policy.contradiction", message, field=field, hint=hint)
