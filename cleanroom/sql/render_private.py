"""Private step → one DuckDB query: the release aggregate with the hidden counts that decide what may leave."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Mapping

from cleanroom.domain.expression import Expression, inputs
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Dataset, SmallGroups
from cleanroom.domain.steps import Claim, PrivateStep, column_name, unit_count_name
from cleanroom.sql.render_conditional import conditional_base, conditional_counts, conditional_groups
from cleanroom.sql.render_counts import Base, Table, distinct, enough, measures_of, put_together
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_grains import grain_base, grain_counts, grained, remainders
from cleanroom.sql.render_pool import pool_count, pooled, pools, removed_counts
from cleanroom.sql.render_rows import made_from, provided, read_by, rows
from cleanroom.sql.render_text import quoted

Tables = Mapping[DatasetName, str]


def render_private(step: PrivateStep, tables: Tables) -> str:
    """One SELECT with exactly the columns that `PrivateStep` documents, over `tables` (dataset → table name).

    Where no more is asked than the counts of units it is one plain aggregate with COUNT(DISTINCT unit) beside the
    measures. Groups of not enough units, which `release` would drop, are left out.
    ValueError: a plan that no approval lets through.
    """
    grains = bool(step.finer or step.beside)
    pool = step.small_groups is SmallGroups.POOL
    if grains and (step.conditions or step.removals or pool):
        raise ValueError("several grains with conditions, removals or pooled groups")
    carried = provided(step.aggregate.input)
    keys = tuple((column_name(key), render_expression(made_from(key, carried))) for key in step.aggregate.keys)
    needed = read_by(_read(step)) | set(step.units)
    base = Base((), rows(step.aggregate.input, needed, tables), keys)
    if not (grains or pool or step.conditions or step.removals):
        return _plain(step, base)
    fields = sorted(needed, key=lambda field: field.id)
    if pools(step):
        base = pooled(base, step, fields)
    if grains:
        base = grained(base, step, fields)
    made = conditional_base(step, base) if step.conditions else None
    groups = conditional_groups(step, base) if step.conditions else _groups(step, base)
    counts = [
        *(conditional_counts(step, base) if step.conditions else ()),
        *removed_counts(step, base, tables),
        *grain_base(step, base),
        *grain_counts(step, base),
        *pool_count(step),
    ]
    first = (*base.tables, made) if made is not None else base.tables
    return put_together(step, Base(first, base.source, base.keys), groups, counts)


def _plain(step: PrivateStep, base: Base) -> str:
    counts = [(unit_count_name(j), distinct(unit)) for j, unit in enumerate(step.units)]
    outputs = ", ".join(f"{text} AS {quoted(name)}" for name, text in (*base.keys, *measures_of(step), *counts))
    if not base.keys:
        return f"SELECT {outputs} FROM ({base.source})"
    # Said here for speed; `release` decides.
    kept = " AND ".join(enough(step, [count for _, count in counts]))
    return f"SELECT {outputs} FROM ({base.source}){_positions(base)}{f' HAVING {kept}' if kept else ''}"


def _groups(step: PrivateStep, base: Base) -> Table:
    """The step's groups with their measures and counts."""
    counts = {unit_count_name(j): distinct(unit) for j, unit in enumerate(step.units)} | remainders(step)
    outputs = ", ".join(f"{text} AS {quoted(name)}" for name, text in (*base.keys, *measures_of(step), *counts.items()))
    query = f"SELECT {outputs} FROM ({base.source}){_positions(base)}"
    return Table("_measures", query, outputs={name: f"_measures.{name}" for name in counts})


def _positions(base: Base) -> str:
    return f" GROUP BY {', '.join(str(i + 1) for i in range(len(base.keys)))}" if base.keys else ""


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


def _read(step: PrivateStep) -> Iterator[Expression]:
    """Every expression that the step itself evaluates over the rows of its input."""
    carried = provided(step.aggregate.input)
    for keys in (step.aggregate.keys, *step.finer, *step.beside):
        yield from (made_from(key, carried) for key in keys)
    for measure in step.aggregate.measures:
        yield from inputs(measure.origin)
    yield from step.conditions
