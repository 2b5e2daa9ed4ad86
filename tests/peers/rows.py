"""A dataset's declaration → a Parquet file of made-up rows in which every key meets and every group is large."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Dataset, DatasetColumn, Policy
from cleanroom.domain.ports import FileSource
from cleanroom.domain.types import Kind

PEOPLE = 60
VISITS = 3
WORDS = ("LATAM", "EMEA", "London")
FIRST_DAY = datetime.datetime(2012, 5, 14)


def made_up(policy: Policy, folder: Path) -> dict[DatasetName, FileSource]:
    """For each dataset of the policy a file below `folder`: 60 people of three rows, of one where the person is unique."""
    return {name: _write(dataset, policy, folder) for name, dataset in policy.datasets.items()}


def _write(dataset: Dataset, policy: Policy, folder: Path) -> FileSource:
    keys = {name for name, rule in policy.rules[dataset.name].columns.items() if rule.join} | {*dataset.privacy_units}
    rows = PEOPLE if dataset.unique else PEOPLE * VISITS
    columns = [
        pa.array([_value(column, i, is_key=column.name in keys) for i in range(rows)], _arrow(column))
        for column in dataset.columns
    ]
    path = folder / f"{dataset.name}.parquet"
    pq.write_table(pa.table(dict(zip([c.name for c in dataset.columns], columns, strict=True))), path)
    return FileSource(dataset, "parquet", (str(path),), dataset.name)


def _value(column: DatasetColumn, row: int, *, is_key: bool) -> object:
    """The number of the person in a key; elsewhere one of three values, and now and then none."""
    number = row % PEOPLE if is_key else row % 3
    if not is_key and row % 20 == 19:
        return None
    match column.type.kind:
        case Kind.BIGINT | Kind.INTEGER:
            return number
        case Kind.DOUBLE:
            return number / 4
        case Kind.BOOLEAN:
            return number % 2 == 0
        case Kind.DATE:
            return (FIRST_DAY + datetime.timedelta(days=number)).date()
        case Kind.TIMESTAMP:
            return FIRST_DAY + datetime.timedelta(days=number)
        case Kind.VARCHAR:
            return f"p{number}" if is_key else WORDS[number]
    raise ValueError(f"no value of {column.type}")


def _arrow(column: DatasetColumn) -> pa.DataType:
    return {
        Kind.BIGINT: pa.int64(),
        Kind.INTEGER: pa.int32(),
        Kind.DOUBLE: pa.float64(),
        Kind.BOOLEAN: pa.bool_(),
        Kind.DATE: pa.date32(),
        Kind.TIMESTAMP: pa.timestamp("us"),
        Kind.VARCHAR: pa.string(),
    }[column.type.kind]
