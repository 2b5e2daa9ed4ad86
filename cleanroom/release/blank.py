"""Released rows → the same with an empty row for every group of the public domain that is not among them.

Whether such a group is withheld or has nobody in it cannot be told.
"""

from __future__ import annotations

import math
from itertools import product

import pyarrow as pa

from cleanroom.domain.expression import Value
from cleanroom.domain.steps import PrivateStep, column_name


def public_groups(step: PrivateStep) -> int:
    """How many combinations of public key values there are."""
    return math.prod(len(values) for values in step.public_keys)


def with_blanks(step: PrivateStep, shown: pa.Table) -> pa.Table:
    """The shown rows, then the groups that are missing, with all measures NULL.

    Raises ValueError where a public value is not of its key's type.
    """
    names = [column_name(key) for key in step.aggregate.keys]
    domains = [
        _of_type(values, shown.schema.field(name).type) for name, values in zip(names, step.public_keys, strict=True)
    ]
    there = {tuple(row[name] for name in names) for row in shown.to_pylist()}
    missing = [group for group in dict.fromkeys(product(*domains)) if group not in there]
    return pa.concat_tables([shown, _blanks(names, missing, shown.schema)])


def _blanks(names: list[str], groups: list[tuple[Value, ...]], schema: pa.Schema) -> pa.Table:
    keys = {name: [group[at] for group in groups] for at, name in enumerate(names)}
    empty = [None] * len(groups)
    return pa.table([pa.array(keys.get(column.name, empty), column.type) for column in schema], schema=schema)


def _of_type(values: tuple[Value, ...], kind: pa.DataType) -> list[Value]:
    try:
        found: list[Value] = pa.array(values, kind).to_pylist()
    except (pa.ArrowException, TypeError, OverflowError):
        raise ValueError("a public value is not of its key's type") from None
    return found
