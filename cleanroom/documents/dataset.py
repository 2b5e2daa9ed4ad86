"""Dataset documents ↔ a registered table: its columns, whose rows they are, what is unique."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cleanroom.documents.fields import (
    ByName,
    Choice,
    Flag,
    JsonSchema,
    OneOrSeveral,
    Part,
    Several,
    Shape,
    Text,
    column_name,
    dataset_name,
    resource,
)
from cleanroom.documents.flaws import refused
from cleanroom.domain.errors import Problem
from cleanroom.domain.events import Json
from cleanroom.domain.identifiers import ConnectionName, DatasetName, fold
from cleanroom.domain.policy import Dataset, DatasetColumn, Domain
from cleanroom.domain.types import DECLARABLE, DataType, parse_type

_FRESHNESS = re.compile(r"[1-9][0-9]{0,3}[mhdw]\Z")
_SOURCE = re.compile(r"(?![/~])(?!.*(?:^|/)\.\.(?:/|\Z))(?!.*(?:\\|://|\*\*.*\*\*))[^\n]+\Z")


class TypeName(Text):
    """The name of a column type, loaded as the type."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        found = parse_type(super()._deserialize(value, *args, **kwargs))
        if found is None:
            raise refused(
                "is not a type that a column can have", f"write DECIMAL(12,2) or one of {', '.join(DECLARABLE)}"
            )
        return found

    def json_schema(self) -> JsonSchema:
        return {"type": "string", "examples": [*DECLARABLE, "DECIMAL(12,2)"]}


class ColumnShape(Shape):
    type = TypeName(required=True, form="the name of a type", most=40)
    nullable = Flag(
        load_default=True, metadata={"description": "false promises that there are no NULLs; every query checks"}
    )
    description = Text(load_default="")
    unit = Text(most=40, metadata={"description": "of measures: USD, s, kB"})
    values = Several(Text(most=400), least=1, metadata={"description": "a public domain: all values there can be"})


class ServiceLevelShape(Shape):
    freshness = Text(
        pattern=_FRESHNESS,
        form="a number and m, h, d or w",
        hint="write 24h or 7d",
        metadata={"description": "how old the data may be: 24h, 7d"},
    )


class DatasetShape(Shape):
    name = dataset_name(required=True, metadata={"description": "<partner>.<dataset>: the name that queries use"})
    connection = resource("connection", required=True, metadata={"description": "where the data lies"})
    source = Text(
        required=True,
        pattern=_SOURCE,
        form="a path or pattern below the connection's root",
        hint="write customers.parquet or orders/*.parquet, without a leading / and without ..",
        most=1_000,
        metadata={"description": "a path or pattern below the connection's root"},
    )
    domain = Choice(tuple(Domain), required=True, metadata={"description": "what a row is about"})
    owner = Text(required=True, most=200, metadata={"description": "whom to ask about it"})
    description = Text(load_default="", metadata={"description": "what a row is"})
    service_level = Part(ServiceLevelShape, load_default=dict, metadata={"description": "what the catalog promises"})
    privacy_unit = OneOrSeveral(
        column_name(),
        required=True,
        least=1,
        metadata={"description": "the column that names one protected person; a list where a row belongs to several"},
    )
    unique = Several(
        OneOrSeveral(column_name(), least=1),
        load_default=list,
        metadata={"description": "candidate keys: each entry a column or a list of columns"},
    )
    columns = ByName(column_name(), Part(ColumnShape), required=True, least=1)


def build(data: Mapping[str, Any]) -> Dataset:
    return Dataset(
        name=DatasetName(data["name"]),
        connection=ConnectionName(data["connection"]),
        source=data["source"],
        domain=Domain(data["domain"]),
        owner=data["owner"],
        description=data["description"],
        privacy_units=tuple(data["privacy_unit"]),
        unique=tuple(tuple(key) for key in data["unique"]),
        columns=tuple(_column(name, column) for name, column in data["columns"].items()),
        service_level=dict(data["service_level"]),
    )


def _column(name: str, data: Mapping[str, Any]) -> DatasetColumn:
    values = data.get("values")
    return DatasetColumn(
        name=name,
        type=data["type"],
        nullable=data["nullable"],
        description=data["description"],
        unit=data.get("unit"),
        values=None if values is None else tuple(values),
    )


def write(value: Dataset) -> dict[str, Json]:
    return {
        "name": value.name,
        "connection": value.connection,
        "source": value.source,
        "domain": value.domain.value,
        "owner": value.owner,
        **_unless_empty("description", value.description),
        **_unless_empty("service_level", dict(value.service_level)),
        "privacy_unit": list(value.privacy_units),
        "unique": [list(key) for key in value.unique],
        "columns": {c.name: _write_column(c) for c in value.columns},
    }


def _write_column(column: DatasetColumn) -> dict[str, Json]:
    return {
        "type": str(column.type),
        "nullable": column.nullable,
        **_unless_empty("description", column.description),
        **_unless_empty("unit", column.unit or ""),
        **_unless_empty("values", list(column.values or ())),
    }


def _unless_empty(key: str, value: Json) -> dict[str, Json]:
    return {key: value} if value else {}


def contradictions(value: Dataset) -> Iterator[Problem]:
    """Names that differ by case alone, and keys over columns that are not declared."""
    yield from _same_when_folded(value)
    yield from _undeclared(value, value.privacy_units, "privacy_unit")
    for i, key in enumerate(value.unique):
        yield from _undeclared(value, key, f"unique[{i}]")
    for column in value.columns:
        if column.type.is_moment and column.values is not None:
            yield Problem(
                "policy.contradiction",
                f"`{column.name}` is a {column.type}: `values` lists words",
                field=f"columns.{column.name}.values",
                hint="remove `values`",
            )


def _same_when_folded(value: Dataset) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for column in value.columns:
        first = seen.setdefault(fold(column.name), column.name)
        if first != column.name:
            message = f"`{column.name}` and `{first}` are one name to SQL, which does not tell upper from lower case"
            yield Problem("policy.duplicate", message, field=f"columns.{column.name}", hint="rename one of them")


def _undeclared(value: Dataset, names: tuple[str, ...], place: str) -> Iterator[Problem]:
    for name in names:
        if value.column(name) is None:
            yield Problem(
                "policy.contradiction",
                f"`{place}` names `{name}`, which is not under `columns`",
                field=place,
                hint=f"declare `{name}` under `columns`, or write a column that is there",
            )


def comparable(mine: DataType, theirs: DataType) -> bool:
    """Whether values of the two types can be equal: a number never equals a text."""
    if mine.is_number or theirs.is_number:
        return mine.is_number and theirs.is_number
    if mine.is_moment or theirs.is_moment:
        return mine.is_moment and theirs.is_moment
    return mine.kind is theirs.kind
