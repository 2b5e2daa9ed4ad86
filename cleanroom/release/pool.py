"""RawTable → whether each row may be shown where groups of too few come as one: that one holds two groups or more."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import RawTable, column_name, pooled_name
from cleanroom.release.thresholds import counts, is_none, reaches

_LEAST_GROUPS = 2
"""A pool of one group would be that group, under another name."""


def rows_allowed(raw: RawTable) -> Iterator[pa.BooleanArray]:
    """The rows that are a group of their own, and a pool of several; each needs enough people like any row."""
    if raw.step.small_groups is SmallGroups.POOL:
        yield pc.or_(is_none(raw, pooled_name()), reaches(raw, pooled_name(), _LEAST_GROUPS))


def require_pool(raw: RawTable) -> None:
    """Raises ValueError where there are several pools, or one that still has the keys of a group."""
    if raw.step.small_groups is not SmallGroups.POOL:
        return
    pools = pc.invert(is_none(raw, pooled_name()))
    if (pc.sum(pools).as_py() or 0) > 1:
        raise ValueError("the raw table has several rows of pooled groups")
    for key in raw.step.aggregate.keys:
        if pc.any(pc.and_(pools, pc.is_valid(counts(raw, column_name(key))))).as_py():
            raise ValueError(f"a row of pooled groups has a value of the key {column_name(key)}")
