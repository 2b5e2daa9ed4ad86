"""Private step with conditions → one DuckDB query. Base rows carry a mask: bit i says that condition i is TRUE there.

Each unit is brought down to its distinct (keys, unit, mask) once; every count above that is a COUNT(*) or a count_if.
"""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.steps import (
    PrivateStep,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
    unit_count_name,
)
from cleanroom.sql.render_aggregate import release_aggregate
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_text import name_of, quoted

MOST_CONDITIONS = 60
"""Bits of a mask that a BIGINT holds with room to spare."""


def render_conditional(step: PrivateStep, keys: Sequence[tuple[str, str]], source: str) -> str:
    """One SELECT with all columns that `PrivateStep` documents. `keys` are (name, expression over `source`)."""
    if len(step.conditions) > MOST_CONDITIONS:
        raise ValueError("more conditions than a mask has bits")
    names = [quoted(name) for name, _ in keys]
    tables = [("_base", "MATERIALIZED ", _base(step, keys, source)), ("_measures", "", _measures(step, names))]
    for unit in range(len(step.units)):
        tables.append((f"_pairs{unit}", "MATERIALIZED ", _pairs(unit, names)))
        tables.append((f"_counts{unit}", "", _counts(step, unit, names)))
        tables.append((f"_atoms{unit}", "", _atoms(unit, names)))
    for measure in step.distinct_measures:
        tables.append((f"_classes{measure.id}", "", _classes(step, measure, names)))
    written = ", ".join(f"{name} AS {how}({query})" for name, how, query in tables)
    joined = " ".join(
        f"LEFT JOIN {name} ON ({_same(names, '_measures', name)})" if names else f"CROSS JOIN {name}"
        for name, _, _ in tables
        if name.startswith(("_counts", "_atoms", "_classes"))
    )
    outputs = ", ".join([*(f"_measures.{name} AS {name}" for name in names), *_outputs(step)])
    counts = (f"(_counts{j}.{quoted(unit_count_name(j))} >= {int(step.minimum_units)})" for j in range(len(step.units)))
    # Said here for speed; `release` decides.
    enough = f" WHERE {' AND '.join(counts)}" if names and step.units else ""
    return f"WITH {written} SELECT {outputs} FROM _measures {joined}{enough}"


def _outputs(step: PrivateStep) -> Iterator[str]:
    units = range(len(step.units))
    yield from (f"_measures.{name_of(m)} AS {name_of(m)}" for m in step.aggregate.measures)
    yield from (_output(f"_counts{j}", unit_count_name(j)) for j in units)
    for j in units:
        yield _output(f"_atoms{j}", atom_minimum_name(j))
        yield from (_output(f"_counts{j}", cell_count_name(i, j)) for i in range(len(step.conditions)))
        yield from (_output(f"_classes{m.id}", distinct_minimum_name(m, j)) for m in step.distinct_measures)


def _output(table: str, name: str) -> str:
    return f"{table}.{quoted(name)} AS {quoted(name)}"


def _base(step: PrivateStep, keys: Sequence[tuple[str, str]], source: str) -> str:
    """Keys, measures' arguments x<id> and conditions p<id>, units u<j> and the mask, one row for each base row."""
    calls = [(m.id, cast(AggregateCall, m.origin)) for m in step.aggregate.measures]
    arguments = [(f"x{n}", render_expression(call.argument)) for n, call in calls if call.argument is not None]
    arguments += [(f"p{n}", render_expression(call.condition)) for n, call in calls if call.condition is not None]
    units = [(f"u{j}", name_of(unit)) for j, unit in enumerate(step.units)]
    bits = " | ".join(
        f"(CASE WHEN ({render_expression(c)} IS TRUE) THEN CAST({2**i} AS BIGINT) ELSE CAST(0 AS BIGINT) END)"
        for i, c in enumerate(step.conditions)
    )
    columns = [*keys, *arguments, *units, ("mask", f"({bits})")]
    return f"SELECT {', '.join(f'{text} AS {quoted(name)}' for name, text in columns)} FROM ({source})"


def _measures(step: PrivateStep, names: Sequence[str]) -> str:
    values = [f"{_measure(m)} AS {quoted(column_name(m))}" for m in step.aggregate.measures]
    # A group's existence is a column too: a release may have keys alone.
    return f"SELECT {', '.join([*names, *values, 'count(*) AS rows'])} FROM _base{_group(names)}"


def _measure(measure: Field) -> str:
    call = cast(AggregateCall, measure.origin)
    condition = "" if call.condition is None else quoted(f"p{measure.id}")
    return release_aggregate(call, quoted(f"x{measure.id}"), condition)


def _pairs(unit: int, names: Sequence[str]) -> str:
    columns = [*names, f"u{unit}", "mask"]
    return f"SELECT {', '.join(columns)} FROM _base{_group(columns)}"


def _counts(step: PrivateStep, unit: int, names: Sequence[str]) -> str:
    one = [*names, f"u{unit}"]
    people = f"SELECT {', '.join(one)}, bit_or(mask) AS met FROM _pairs{unit}{_group(one)}"
    cells = [
        f"count(*) FILTER (WHERE ((met & CAST({2**i} AS BIGINT)) <> 0)) AS {quoted(cell_count_name(i, unit))}"
        for i in range(len(step.conditions))
    ]
    outputs = [*names, f"count(*) AS {quoted(unit_count_name(unit))}", *cells]
    return f"SELECT {', '.join(outputs)} FROM ({people}){_group(names)}"


def _atoms(unit: int, names: Sequence[str]) -> str:
    atom = [*names, "mask"]
    sizes = f"SELECT {', '.join(atom)}, count(*) AS size FROM _pairs{unit}{_group(atom)}"
    least = f"min(size) AS {quoted(atom_minimum_name(unit))}"
    return f"SELECT {', '.join([*names, least])} FROM ({sizes}){_group(names)}"


def _classes(step: PrivateStep, measure: Field, names: Sequence[str]) -> str:
    """The least class of values: those of the measure's argument that occur under exactly the same set of masks."""
    value = quoted(f"x{measure.id}")
    units = range(len(step.units))
    by_value = [*names, value]
    masks = (
        f"SELECT {', '.join(by_value)}, list_sort(list(DISTINCT mask)) AS class FROM _base"
        f" WHERE ({value} IS NOT NULL){_group(by_value)}"
    )
    people = ", ".join(f"count(DISTINCT b.u{j}) AS u{j}" for j in units)
    on = " AND ".join([*([_same(names, "b", "v")] if names else []), f"(b.{value} = v.{value})"])
    outer = ", ".join([*(f"b.{name} AS {name}" for name in names), people])
    group = ", ".join([*(f"b.{name}" for name in names), "v.class"])
    sizes = f"SELECT {outer} FROM _base AS b INNER JOIN ({masks}) AS v ON ({on}) GROUP BY {group}"
    least = [f"min(u{j}) AS {quoted(distinct_minimum_name(measure, j))}" for j in units]
    return f"SELECT {', '.join([*names, *least])} FROM ({sizes}){_group(names)}"


def _group(columns: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(columns)}" if columns else ""


def _same(names: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"({left}.{name} IS NOT DISTINCT FROM {right}.{name})" for name in names)
