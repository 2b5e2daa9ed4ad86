"""Names, types and values → SQL text. Names are quoted and checked, values typed and escaped; nothing else may write either."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import assert_never

from cleanroom.domain.expression import Field, Literal
from cleanroom.domain.identifiers import IDENTIFIER
from cleanroom.domain.steps import column_name
from cleanroom.domain.types import DataType, Kind


def quoted(name: str) -> str:
    """The identifier in double quotes. ValueError: not one that a dataset or the house may use."""
    if not IDENTIFIER.match(name):
        raise ValueError("not an identifier")
    return f'"{name}"'


def name_of(field: Field) -> str:
    """The quoted name of a field, the same wherever it is read."""
    return quoted(column_name(field))


def type_name(data_type: DataType) -> str:
    """The type in DuckDB's words. ValueError: NULL and UNKNOWN have none."""
    if data_type.kind in (Kind.NULL, Kind.UNKNOWN):
        raise ValueError("a type without a name")
    return str(data_type)


def literal(node: Literal) -> str:
    """The value as a typed literal. ValueError: a value that no literal of ours can hold."""
    value = node.value
    if value is None:
        return "NULL" if node.type.kind in (Kind.NULL, Kind.UNKNOWN) else f"CAST(NULL AS {type_name(node.type)})"
    if node.type.kind is Kind.VARCHAR:
        return _string(value) if isinstance(value, str) else _mismatch()
    return f"CAST({_written(value)} AS {type_name(node.type)})"


def _written(value: bool | int | Decimal | float | str | datetime.date | datetime.datetime) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case int():
            return str(value) if abs(value) < 2**31 else f"'{value}'"
        case Decimal():
            return f"'{value:f}'" if value.is_finite() else _mismatch()
        case float():
            return f"'{value!r}'"
        case str():
            return _string(value)
        case datetime.datetime():
            return f"'{value.isoformat(sep=' ')}'" if value.tzinfo is None else _mismatch()
        case datetime.date():
            return f"'{value.isoformat()}'"
        case _ as never:
            assert_never(never)


def _string(text: str) -> str:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a string that no engine can hold")
    return "'" + text.replace("'", "''") + "'"


def _mismatch() -> str:
    raise ValueError("a value that its type does not hold")
