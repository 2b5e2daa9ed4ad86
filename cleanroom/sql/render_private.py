"""Private step → one DuckDB query: the release aggregate with the hidden counts that decide what may leave."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field, fields_of, inputs
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Dataset
from cleanroom.domain.steps import Claim, PrivateStep, column_name, unit_count_name
from cleanroom.sql.render_aggregate import release_aggregate
from cleanroom.sql.render_conditional import render_conditional
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_rows import key_expression, rows
from cleanroom.sql.render_text import name_of, quoted

Tables = Mapping[DatasetName, str]


def render_private(step: PrivateStep, tables: Tables) -> str:
    """One SELECT with exactly the columns that `PrivateStep` documents, over `tables` (dataset → table name).

    Where there are no conditions it is one plain aggregate with COUNT(DISTINCT unit) beside the measures. Groups of
    fewer units than `minimum_units`, which `release` would drop, are left out.
    ValueError: a plan that no approval lets through.
    """
    keys = [(column_name(key), render_expression(key_expression(key))) for key in step.aggregate.keys]
    source = rows(step.aggregate.input, frozenset(_used(step)), tables)
    if step.conditions:
        return render_conditional(step, keys, source)
    measures = [(column_name(m), _measure(m)) for m in step.aggregate.measures]
    counts = [(unit_count_name(j), f"count(DISTINCT {name_of(unit)})") for j, unit in enumerate(step.units)]
    outputs = ", ".join(f"{text} AS {quoted(name)}" for name, text in (*keys, *measures, *counts))
    if not keys:
        return f"SELECT {outputs} FROM ({source})"
    # Said here for speed; `release` decides.
    enough = " AND ".join(f"({count} >= {int(step.minimum_units)})" for _, count in counts)
    group = ", ".join(str(i + 1) for i in range(len(keys)))
    return f"SELECT {outputs} FROM ({source}) GROUP BY {group}{f' HAVING {enough}' if enough else ''}"


def render_claim(claim: Claim, table: str, dataset: Dataset) -> str:
    """One boolean: whether the table keeps the promise. ValueError: about columns that the dataset does not declare."""
    if not claim.columns or any(dataset.column(name) is None for name in claim.columns):
        raise ValueError("a claim about columns that are not declared")
    names = [quoted(name) for name in claim.columns]
    if not claim.unique:
        return f"SELECT (count(*) = count({names[0]})) FROM {quoted(table)}"
    present = " AND ".join(f"({name} IS NOT NULL)" for name in names)
    groups = f"SELECT count(*) AS n FROM {quoted(table)} WHERE {present} GROUP BY {', '.join(names)}"
    return f"SELECT (coalesce(max(n), 1) = 1) FROM ({groups})"


def _measure(field: Field) -> str:
    call = cast(AggregateCall, field.origin)
    argument = "" if call.argument is None else render_expression(call.argument)
    return release_aggregate(call, argument, "" if call.condition is None else render_expression(call.condition))


def _used(step: PrivateStep) -> Iterable[Field]:
    """Every column that the step itself reads from its input."""
    yield from step.units
    for key in step.aggregate.keys:
        yield from fields_of(key_expression(key))
    for measure in step.aggregate.measures:
        for part in inputs(measure.origin):
            yield from fields_of(part)
    for condition in step.conditions:
        yield from fields_of(condition)
