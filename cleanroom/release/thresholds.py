"""RawTable and a hidden count → which rows it allows. NULL is never enough, and no answer here is NULL."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.steps import RawTable


def counts(raw: RawTable, name: str) -> pa.Array:
    """The hidden count of that name, row by row."""
    return raw.rows.column(name).combine_chunks()


def reaches(raw: RawTable, name: str, needed: int) -> pa.BooleanArray:
    """TRUE for each row where this hidden count is at least the number needed."""
    return pc.fill_null(pc.greater_equal(counts(raw, name), needed), False)


def is_none(raw: RawTable, name: str) -> pa.BooleanArray:
    """TRUE for each row where this hidden count is zero."""
    return pc.fill_null(pc.equal(counts(raw, name), 0), False)


def none_or_reaches(raw: RawTable, name: str, needed: int) -> pa.BooleanArray:
    """TRUE for each row where nobody is counted, or at least the number needed."""
    return pc.or_(is_none(raw, name), reaches(raw, name, needed))


def everything(raw: RawTable, parts: Iterable[pa.BooleanArray]) -> pa.BooleanArray:
    """TRUE for each row that every part allows."""
    allowed = pa.array([True] * raw.rows.num_rows, pa.bool_())
    for part in parts:
        allowed = pc.and_(allowed, part)
    return allowed
