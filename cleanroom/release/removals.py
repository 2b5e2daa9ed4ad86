"""RawTable → whether each row tells of nobody whom an anti-join took away: of each unit none were, or enough."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from cleanroom.domain.steps import RawTable, removed_name
from cleanroom.release.thresholds import none_or_reaches


def rows_allowed(raw: RawTable) -> Iterator[pa.BooleanArray]:
    """For each unit of each removal the rows that it allows."""
    for number, removal in enumerate(raw.step.removals):
        for unit in range(len(removal.units)):
            yield none_or_reaches(raw, removed_name(number, unit), raw.step.minimum_units)
