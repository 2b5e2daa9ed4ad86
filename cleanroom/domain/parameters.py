"""Values that a query is asked with ↔ the JSON that the store, the log and answers keep of them: type and text, exactly."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias

from cleanroom.domain.expression import Literal, Value
from cleanroom.domain.types import HUGEINT, DataType, Kind, parse_type

Parameters: TypeAlias = Mapping[str, Literal]
"""The value of each `:name` in a text, typed."""

MOST_PARAMETERS = 100
LONGEST_NAME = 63


class WrittenNumber(float):
    """A number with a point or an exponent, as a body spelled it: the spelling decides between DECIMAL and DOUBLE."""

    def __new__(cls, text: str) -> WrittenNumber:
        return super().__new__(cls, text)

    def __init__(self, text: str) -> None:
        self.text = text


def spelled(parameters: Parameters) -> dict[str, dict[str, str]]:
    """Each parameter as {"type": …, "value": …}, by name. `parameters_of` makes equal values of it."""
    return {name: {"type": str(p.type), "value": _text(p.value)} for name, p in sorted(parameters.items())}


def parameters_of(spelled: Mapping[str, Mapping[str, str]]) -> dict[str, Literal]:
    """The parameters that `spelled` wrote. ValueError where it did not."""
    return {name: _literal(entry["type"], entry["value"]) for name, entry in spelled.items()}


def _text(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case datetime.date():
            return value.isoformat()
        case float():
            return repr(value)
    return str(value)


def _literal(type: str, text: str) -> Literal:
    kind = HUGEINT if type == HUGEINT.kind.value else parse_type(type)
    if kind is None:
        raise ValueError("no parameter has this type")
    return Literal(_value(text, kind), kind)


def _value(text: str, kind: DataType) -> Value:
    match kind.kind:
        case Kind.BOOLEAN:
            return text == "true"
        case Kind.BIGINT | Kind.HUGEINT:
            return int(text)
        case Kind.DOUBLE:
            return float(text)
        case Kind.DECIMAL:
            return Decimal(text)
        case Kind.DATE:
            return datetime.date.fromisoformat(text)
        case Kind.TIMESTAMP:
            return datetime.datetime.fromisoformat(text)
        case Kind.VARCHAR:
            return text
    raise ValueError("no parameter has this type")
