"""Text such as DECIMAL(12,2) → a column type. The closed list of types that the house can read, compare and release."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The families of values. UNKNOWN stands where a name did not resolve, NULL for the bare literal."""

    BOOLEAN = "BOOLEAN"
    TINYINT = "TINYINT"
    SMALLINT = "SMALLINT"
    INTEGER = "INTEGER"
    BIGINT = "BIGINT"
    HUGEINT = "HUGEINT"
    FLOAT = "FLOAT"
    DOUBLE = "DOUBLE"
    DECIMAL = "DECIMAL"
    VARCHAR = "VARCHAR"
    DATE = "DATE"
    TIMESTAMP = "TIMESTAMP"
    NULL = "NULL"
    UNKNOWN = "UNKNOWN"


INTEGERS = frozenset({Kind.TINYINT, Kind.SMALLINT, Kind.INTEGER, Kind.BIGINT, Kind.HUGEINT})
NUMBERS = INTEGERS | {Kind.FLOAT, Kind.DOUBLE, Kind.DECIMAL}
MOMENTS = frozenset({Kind.DATE, Kind.TIMESTAMP})


@dataclass(frozen=True, slots=True)
class DataType:
    """A column type; `precision` and `scale` (decimal digits) are set for DECIMAL alone."""

    kind: Kind
    precision: int | None = None
    scale: int | None = None

    def __str__(self) -> str:
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        return self.kind.value

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBERS

    @property
    def is_moment(self) -> bool:
        return self.kind in MOMENTS


BOOLEAN = DataType(Kind.BOOLEAN)
INTEGER = DataType(Kind.INTEGER)
BIGINT = DataType(Kind.BIGINT)
HUGEINT = DataType(Kind.HUGEINT)
DOUBLE = DataType(Kind.DOUBLE)
VARCHAR = DataType(Kind.VARCHAR)
DATE = DataType(Kind.DATE)
TIMESTAMP = DataType(Kind.TIMESTAMP)
NULL = DataType(Kind.NULL)
UNKNOWN = DataType(Kind.UNKNOWN)

_SYNONYMS = {
    "BOOL": Kind.BOOLEAN,
    "INT": Kind.INTEGER,
    "INT4": Kind.INTEGER,
    "INT8": Kind.BIGINT,
    "INT2": Kind.SMALLINT,
    "LONG": Kind.BIGINT,
    "TEXT": Kind.VARCHAR,
    "STRING": Kind.VARCHAR,
    "REAL": Kind.FLOAT,
    "FLOAT8": Kind.DOUBLE,
    "DATETIME": Kind.TIMESTAMP,
}
_DECIMAL = re.compile(r"(?:DECIMAL|NUMERIC)\s*\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)\Z")
DECLARABLE = tuple(k.value for k in Kind if k not in (Kind.NULL, Kind.UNKNOWN, Kind.DECIMAL, Kind.HUGEINT))


def parse_type(text: str) -> DataType | None:
    """The type that `text` names, or None where it names none that a dataset can declare.

    DECIMAL needs precision 1..38 and scale 0..precision. Case and outer spaces do not matter.
    """
    word = text.strip().upper()
    if match := _DECIMAL.match(word):
        precision, scale = int(match[1]), int(match[2])
        return DataType(Kind.DECIMAL, precision, scale) if 1 <= precision <= 38 and scale <= precision else None
    if word in DECLARABLE:
        return DataType(Kind(word))
    kind = _SYNONYMS.get(word)
    return DataType(kind) if kind else None
