"""Types of operands → whether they compare, and the type of what comes out. Nothing is cast that could fail on data."""

from __future__ import annotations

from collections.abc import Iterable

from cleanroom.domain.expression import Expression, Literal
from cleanroom.domain.types import DOUBLE, INTEGERS, NULL, UNKNOWN, DataType, Kind
from cleanroom.sql import literals

_ORDER = (
    Kind.TINYINT,
    Kind.SMALLINT,
    Kind.INTEGER,
    Kind.BIGINT,
    Kind.HUGEINT,
    Kind.DECIMAL,
    Kind.FLOAT,
    Kind.DOUBLE,
)


def family(type: DataType) -> str:
    """number, text, moment, boolean; any for NULL and what is not known."""
    match type.kind:
        case Kind.VARCHAR:
            return "text"
        case Kind.BOOLEAN:
            return "boolean"
        case Kind.DATE | Kind.TIMESTAMP:
            return "moment"
        case Kind.NULL | Kind.UNKNOWN:
            return "any"
    return "number"


def is_family(type: DataType, wanted: str) -> bool:
    return family(type) in (wanted, "any")


def comparable(left: Expression, right: Expression) -> tuple[Expression, Expression] | None:
    """Both sides as they compare, a literal read in the other side's type; None where they do not."""
    if isinstance(right, Literal) and not isinstance(left, Literal):
        read = literals.as_type(right, left.type)
        return None if read is None else (left, read)
    if isinstance(left, Literal) and not isinstance(right, Literal):
        read = literals.as_type(left, right.type)
        return None if read is None else (read, right)
    families = {family(left.type), family(right.type)} - {"any"}
    return (left, right) if len(families) <= 1 else None


def widest(types: Iterable[DataType]) -> DataType:
    """The type that holds a value of each; NULL where they share no family, UNKNOWN where any is not known."""
    known = [type for type in types if type.kind is not Kind.NULL]
    if any(type.kind is Kind.UNKNOWN for type in known):
        return UNKNOWN
    if not known:
        return UNKNOWN
    if len({family(type) for type in known}) > 1:
        return NULL
    if family(known[0]) != "number":
        return max(known, key=lambda type: type.kind is Kind.TIMESTAMP)
    top = max(known, key=lambda type: _ORDER.index(type.kind))
    return _decimal(known) if top.kind is Kind.DECIMAL else top


def _decimal(types: list[DataType]) -> DataType:
    scale = max((type.scale or 0) for type in types)
    whole = max(19 if type.kind in INTEGERS else (type.precision or 0) - (type.scale or 0) for type in types)
    return DataType(Kind.DECIMAL, min(38, whole + scale), scale) if whole + scale <= 38 else DOUBLE
