"""Values as they are sent → typed literals, as the same spelling in the text would be; or what is wrong with them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.expression import Literal, Value
from cleanroom.domain.identifiers import IDENTIFIER
from cleanroom.domain.parameters import LONGEST_NAME, MOST_PARAMETERS, Parameters, WrittenNumber
from cleanroom.domain.policy import Template, TemplateParameter
from cleanroom.domain.types import BIGINT, BOOLEAN, DOUBLE, VARCHAR, DataType, Kind
from cleanroom.sql import literals

MOST_BYTES = 32_768  # of all texts together, as of a query
PARAMETER_KINDS = (Kind.VARCHAR, Kind.BOOLEAN, Kind.BIGINT, Kind.DOUBLE, Kind.DECIMAL, Kind.DATE, Kind.TIMESTAMP)


def sent_parameters(given: Mapping[str, object]) -> dict[str, Literal]:
    """The values typed as JSON has them: text VARCHAR, true BOOLEAN, whole numbers BIGINT, others as SQL reads the spelling.

    Raises InvalidInput with every problem, code parameter.invalid.
    """
    problems: list[Problem] = []
    found: dict[str, Literal] = {}
    if len(given) > MOST_PARAMETERS:
        raise InvalidInput((_invalid(None, f"There are more than {MOST_PARAMETERS} parameters."),))
    for name, value in given.items():
        literal = sent(value)
        if not is_parameter_name(name):
            hint = f"A letter or _, then letters, digits or _: at most {LONGEST_NAME} characters."
            problems.append(_invalid(str(name)[:LONGEST_NAME], "This is not a name that a parameter can have.", hint))
        elif literal is None:
            problems.append(_not_a_value(str(name), value))
        else:
            found[str(name)] = literal
    if (
        sum(len(p.value.encode("utf-8", "surrogatepass")) for p in found.values() if isinstance(p.value, str))
        > MOST_BYTES
    ):
        problems.append(_invalid(None, f"All texts together may hold {MOST_BYTES:,} bytes."))
    if problems:
        raise InvalidInput(tuple(problems))
    return found


def is_parameter_name(name: object) -> bool:
    return isinstance(name, str) and len(name) <= LONGEST_NAME and IDENTIFIER.match(name) is not None


def sent(value: object) -> Literal | None:
    """The literal that a JSON value is; None for null, lists, objects and numbers that no literal spells."""
    match value:
        case bool():
            return Literal(value, BOOLEAN)
        case str():
            storable = "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)
            return Literal(value, VARCHAR) if storable else None
        case int():
            return literals.integer(value)
        case WrittenNumber(text=text):
            return _signed(text)
        case float():
            return _signed(repr(value))
    return None


def named_parameters(names: Iterable[str], given: Parameters) -> tuple[Problem, ...]:
    """What is wrong with the names of the values given for the `:name`s of a text: parameter.missing, parameter.unknown."""
    wanted = dict.fromkeys(names)
    missing = (name for name in wanted if name not in given)
    unknown = (name for name in given if name not in wanted)
    return (
        *(
            _problem("parameter.missing", name, "The text has this parameter, and no value is given for it.")
            for name in missing
        ),
        *(_problem("parameter.unknown", name, "The text has no parameter of this name.") for name in unknown),
    )


def declared_parameters(given: Parameters, template: Template) -> dict[str, Literal]:
    """The values as the template's declared types have them; those that it does not declare are left as they are.

    Raises InvalidInput with every problem, code parameter.invalid.
    """
    declared = {parameter.name: parameter for parameter in template.parameters}
    found: dict[str, Literal] = {}
    problems: list[Problem] = []
    for name, literal in given.items():
        parameter = declared.get(name)
        typed = literal if parameter is None else as_declared(literal, parameter.type)
        if parameter is not None and typed is None:
            problems.append(_invalid(name, f"The value is not a {parameter.type}.", _HINTS.get(parameter.type.kind)))
        elif parameter is not None and typed is not None and (message := _outside(typed.value, parameter)):
            problems.append(_invalid(name, message))
        elif typed is not None:
            found[name] = typed
    if problems:
        raise InvalidInput(tuple(problems))
    return found


def as_declared(literal: Literal, wanted: DataType) -> Literal | None:
    """The value in the declared type, exactly; None where it is not one of that type. A date is ISO 8601 text."""
    value = literal.value
    match wanted.kind:
        case Kind.VARCHAR | Kind.BOOLEAN | Kind.BIGINT:
            return literal if literal.type == wanted else None
        case Kind.DATE | Kind.TIMESTAMP if isinstance(value, str):
            return literals.moment(value, wanted) if value == value.strip() else None
        case Kind.DATE | Kind.TIMESTAMP:
            return literal if literal.type == wanted else None
        case Kind.DOUBLE if isinstance(value, int | Decimal | float) and not isinstance(value, bool):
            number = float(value)
            return Literal(number, DOUBLE) if math.isfinite(number) else None
        case Kind.DECIMAL:
            found = _signed(value) if isinstance(value, str) else literal
            return None if found is None else _exactly(found.value, wanted)
    return None


def samples(template: Template) -> dict[str, Literal]:
    """A value for each declared parameter, with which the text can be read before anyone has asked it."""
    return {p.name: Literal(_sample(p), p.type) for p in template.parameters}


def _sample(parameter: TemplateParameter) -> Value:
    if parameter.values:
        return parameter.values[0]
    chosen = parameter.minimum if parameter.minimum is not None else parameter.maximum
    return _SAMPLES[parameter.type.kind] if chosen is None else chosen


def _outside(value: Value, parameter: TemplateParameter) -> str | None:
    """Why the value is none that the template's author lets stand there; never the value."""
    if parameter.values is not None and value not in parameter.values:
        return "The value is not in the list that the template gives."
    low, high = parameter.minimum, parameter.maximum
    if low is not None and not at_most(low, value):
        return "The value is less than the template's minimum."
    if high is not None and not at_most(value, high):
        return "The value is more than the template's maximum."
    return None


def at_most(one: Value, other: Value) -> bool:
    """Whether two values of one declared type are in order; values of different types never are."""
    match one, other:
        case (datetime.date(), datetime.date()) if type(one) is type(other):
            return one <= other
        case (int() | float() | Decimal(), int() | float() | Decimal()):
            return one <= other
    return False


def _signed(text: str) -> Literal | None:
    """The number that the text spells, with its sign."""
    found = literals.number(text.removeprefix("-"))
    return literals.negated(found) if found is not None and text.startswith("-") else found


def _exactly(value: Value, wanted: DataType) -> Literal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    found = literals.cast(Literal(value, BIGINT), wanted)
    return found if found is not None and found.value == value else None


def _not_a_value(name: str, value: object) -> Problem:
    match value:
        case None:
            return _invalid(name, "null has no type.", "Leave out the condition that it stands in, or write IS NULL.")
        case list() | tuple():
            hint = "Write one parameter for each value: IN (:first, :second)."
            return _invalid(name, "A list is not a value.", hint)
        case Mapping():
            return _invalid(name, "An object is not a value.", "Send text, a number, true or false.")
        case str():
            return _invalid(name, "The text holds U+0000 or half of a surrogate pair.")
    return _invalid(name, "This number cannot be represented.")


def _invalid(name: str | None, message: str, hint: str | None = None) -> Problem:
    return Problem(
        "parameter.invalid", message, field="parameters" if name is None else f"parameters.{name}", hint=hint
    )


def _problem(code: str, name: str, message: str) -> Problem:
    return Problem(code, message, field=f"parameters.{name}")


_HINTS = {
    Kind.DATE: 'Send ISO 8601 text: "2026-01-31".',
    Kind.TIMESTAMP: 'Send ISO 8601 text: "2026-01-31 12:00:00", in UTC.',
    Kind.BIGINT: "Send a whole number.",
    Kind.DECIMAL: "Send a number that has no more digits than the type.",
    Kind.DOUBLE: "Send a number.",
    Kind.VARCHAR: "Send text.",
    Kind.BOOLEAN: "Send true or false.",
}
_SAMPLES: Mapping[Kind, Value] = {
    Kind.VARCHAR: "text",
    Kind.BOOLEAN: True,
    Kind.BIGINT: 1,
    Kind.DOUBLE: 1.0,
    Kind.DECIMAL: Decimal(0),
    Kind.DATE: datetime.date(2026, 1, 1),
    Kind.TIMESTAMP: datetime.datetime(2026, 1, 1),
}
