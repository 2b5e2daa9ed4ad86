"""Private step with conditions → the tables of its counts. Base rows carry a mask: bit i says that condition i is TRUE there.

Each unit is brought down to its distinct (keys, unit, mask) once; every count above that is a COUNT(*) or a count_if.
"""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.steps import (
    MOST_CONDITIONS,
    PrivateStep,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
    unit_count_name,
)
from cleanroom.sql.render_aggregate import release_aggregate
from cleanroom.sql.render_counts import Base, Table, arguments_of, grouped, least_classes
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_text import name_of, quoted


def conditional_groups(step: PrivateStep, base: Base) -> Table:
    """The step's groups with their measures, over `_base`."""
    values = [f"{_measure(m)} AS {quoted(column_name(m))}" for m in step.aggregate.measures]
    # A group's existence is a column too: a release may have keys alone.
    columns = ", ".join([*base.names, *values, "count(*) AS rows"])
    return Table("_measures", f"SELECT {columns} FROM _base{grouped(base.names)}")


def conditional_base(step: PrivateStep, base: Base) -> Table:
    """Keys, measures' arguments x<id>, y<id> and conditions p<id>, units u<j> and the mask, one row for each base row.

    ValueError: more conditions than a mask has bits.
    """
    if len(step.conditions) > MOST_CONDITIONS:
        raise ValueError("more conditions than a mask has bits")
    parts = [
        (f"{letter}{m.id}", text)
        for m in step.aggregate.measures
        for letter, text in zip("xpy", arguments_of(cast(AggregateCall, m.origin)), strict=True)
        if text
    ]
    units = [(f"u{j}", name_of(unit)) for j, unit in enumerate(step.units)]
    bits = " | ".join(
        f"(CASE WHEN ({render_expression(c)} IS TRUE) THEN CAST({2**i} AS BIGINT) ELSE CAST(0 AS BIGINT) END)"
        for i, c in enumerate(step.conditions)
    )
    columns = ", ".join(
        f"{text} AS {quoted(name)}" for name, text in [*base.keys, *parts, *units, ("mask", f"({bits})")]
    )
    return Table("_base", f"SELECT {columns} FROM ({base.source})", materialized=True)


def conditional_counts(step: PrivateStep, base: Base) -> Iterator[Table]:
    """The counts that a step with conditions has beside its measures, over `_base`."""
    for unit in range(len(step.units)):
        yield Table(f"_pairs{unit}", _pairs(step, unit, base.names), materialized=True)
        yield _counts(step, unit, base.names)
        yield _atoms(unit, base.names)
    for measure in step.distinct_measures:
        yield _classes(step, measure, base.names)


def _measure(measure: Field) -> str:
    call = cast(AggregateCall, measure.origin)
    parts = (call.argument, call.condition, call.second)
    names = [
        quoted(f"{letter}{measure.id}") if part is not None else "" for letter, part in zip("xpy", parts, strict=True)
    ]
    return release_aggregate(call, *names)


def _pairs(step: PrivateStep, unit: int, names: Sequence[str]) -> str:
    columns = [*names, f"u{unit}", "mask"]
    present = f" WHERE (u{unit} IS NOT NULL)" if step.units[unit] in step.optional else ""
    return f"SELECT {', '.join(columns)} FROM _base{present}{grouped(columns)}"


def _counts(step: PrivateStep, unit: int, names: Sequence[str]) -> Table:
    one = [*names, f"u{unit}"]
    people = f"SELECT {', '.join(one)}, bit_or(mask) AS met FROM _pairs{unit}{grouped(one)}"
    texts = {unit_count_name(unit): "count(*)"} | {
        cell_count_name(i, unit): f"count(*) FILTER (WHERE ((met & CAST({2**i} AS BIGINT)) <> 0))"
        for i in range(len(step.conditions))
    }
    columns = ", ".join([*names, *(f"{text} AS {quoted(name)}" for name, text in texts.items())])
    # Of an optional source a group may have no one, and no row here.
    none = step.units[unit] in step.optional
    read = {name: f"coalesce(_counts{unit}.{name}, 0)" if none else f"_counts{unit}.{name}" for name in texts}
    return Table(f"_counts{unit}", f"SELECT {columns} FROM ({people}){grouped(names)}", outputs=read)


def _atoms(unit: int, names: Sequence[str]) -> Table:
    atom = [*names, "mask"]
    sizes = f"SELECT {', '.join(atom)}, count(*) AS size FROM _pairs{unit}{grouped(atom)}"
    name = atom_minimum_name(unit)
    least = f"min(size) AS {quoted(name)}"
    query = f"SELECT {', '.join([*names, least])} FROM ({sizes}){grouped(names)}"
    return Table(f"_atoms{unit}", query, outputs={name: f"_atoms{unit}.{name}"})


def _classes(step: PrivateStep, measure: Field, names: Sequence[str]) -> Table:
    """The least class of values: those of the measure's argument that occur under exactly the same set of masks."""
    made = [distinct_minimum_name(measure, j) for j in range(len(step.units))]
    least = [f"min(NULLIF(u{j}, 0)) AS {quoted(name)}" for j, name in enumerate(made)]
    query = least_classes(measure, len(made), names, ["list_sort(list(DISTINCT mask))"], least)
    table = f"_classes{measure.id}"
    return Table(table, query, outputs={name: f"{table}.{name}" for name in made})
