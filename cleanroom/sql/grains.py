"""Keys of several grains → one release for each grain over the same rows, put together as GROUPING SETS mean it."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.domain.expression import Column, Expression, Field, Literal, Place
from cleanroom.domain.plan import Aggregate, Project, Relation, SetKind, SetOperation
from cleanroom.domain.types import BIGINT
from cleanroom.sql.aggregation import Calls


def several_grains(below: Relation, calls: Calls, grains: tuple[tuple[Field, ...], ...], at: Place | None) -> Relation:
    """The rows of every grain. A key that a grain has not is NULL there; GROUPING(…) tells which those are."""
    measures = tuple(calls.measures)
    releases = {grain: Aggregate(below, grain, measures, True, at) for grain in grains}
    branches = tuple(_branch(releases[grain], calls) for grain in grains)
    keys = tuple(replace(key, nullable=True) for key in calls.keys)
    return SetOperation(branches, SetKind.UNION_ALL, (*keys, *measures, *calls.groupings.values()))


def _branch(grain: Aggregate, calls: Calls) -> Relation:
    def made(field: Field, value: Expression) -> Field:
        return calls.resolution.field(field.name, field.type, nullable=True, origin=value)

    fields = [made(key, Column(key) if key in grain.keys else Literal(None, key.type)) for key in calls.keys]
    fields += [made(measure, Column(measure)) for measure in grain.measures]
    for asked, field in calls.groupings.items():
        bits = "".join("0" if key in grain.keys else "1" for key in asked)
        fields.append(made(field, Literal(int(bits, 2), BIGINT)))
    return Project(grain, tuple(fields), True)
