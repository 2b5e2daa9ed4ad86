"""Parts of a private step's statement: its rows, tables of counts over them, and the one SELECT that puts these together."""

# ruff: noqa: S608 - SQL is written here, from names and literals of ours
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from cleanroom.domain.expression import AggregateCall, Field
from cleanroom.domain.steps import PrivateStep, column_name, hidden_names, unit_count_name
from cleanroom.sql.render_aggregate import release_aggregate
from cleanroom.sql.render_expression import render_expression
from cleanroom.sql.render_text import name_of, quoted


@dataclass(frozen=True, slots=True)
class Table:
    """A common table expression. `outputs`: hidden column → its text, where the last SELECT reads it from here.

    `keyed`: it has a row for each of the step's groups, or for each of their parts `on` (names of keys; none: all); else
    one row for all, or none where `outputs` is empty.
    """

    name: str
    query: str
    materialized: bool = False
    keyed: bool = True
    on: tuple[str, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Base:
    """The rows that a step aggregates: a SELECT over `tables`, and its keys as (name, expression over it)."""

    tables: tuple[Table, ...]
    source: str
    keys: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        return [quoted(name) for name, _ in self.keys]


def put_together(step: PrivateStep, base: Base, groups: Table, counts: Sequence[Table]) -> str:
    """One SELECT of all columns that `PrivateStep` documents: a row for each row of `groups` that could be released."""
    names = base.names
    written = ", ".join(
        f"{t.name} AS {'MATERIALIZED ' if t.materialized else ''}({t.query})" for t in (*base.tables, groups, *counts)
    )
    joins = " ".join(_joined(table, names, groups.name) for table in counts if table.outputs)
    texts = {name: text for table in (groups, *counts) for name, text in table.outputs.items()}
    visible = [f"{groups.name}.{name_of(f)} AS {name_of(f)}" for f in step.aggregate.fields]
    hidden = [f"{texts[name]} AS {quoted(name)}" for name in hidden_names(step)]
    kept = enough(step, [texts[unit_count_name(j)] for j in range(len(step.units))]) if names else []
    # Said here for speed; `release` decides.
    where = f" WHERE {' AND '.join(kept)}" if kept else ""
    return f"WITH {written} SELECT {', '.join([*visible, *hidden])} FROM {groups.name} {joins}{where}"


def _joined(table: Table, names: Sequence[str], groups: str) -> str:
    if names and table.keyed:
        return f"LEFT JOIN {table.name} ON ({same(table.on or names, groups, table.name)})"
    return f"CROSS JOIN {table.name}"


def enough(step: PrivateStep, counts: Sequence[str]) -> list[str]:
    """What must all hold where these are the counts of the step's units: enough of them, as `PrivateStep` says it."""
    return [
        _enough(step, unit, count) for unit, count in zip(step.units, counts, strict=True) if unit not in step.unasked
    ]


def _enough(step: PrivateStep, unit: Field, count: str) -> str:
    reached = f"({count} >= {int(step.minimum_units)})"
    return f"({reached} OR ({count} = 0))" if unit in step.optional else reached


def too_few(step: PrivateStep) -> str:
    """The condition on a group of rows that name the step's units: there are not enough."""
    kept = enough(step, [distinct(unit) for unit in step.units])
    return f"(NOT ({' AND '.join(kept)}))" if kept else "FALSE"


def distinct(unit: Field) -> str:
    return f"count(DISTINCT {name_of(unit)})"


def measures_of(step: PrivateStep) -> list[tuple[str, str]]:
    """The measures as (name, aggregate over the step's own rows)."""
    return [(column_name(m), _measure(cast(AggregateCall, m.origin))) for m in step.aggregate.measures]


def _measure(call: AggregateCall) -> str:
    argument, condition, second = arguments_of(call)
    return release_aggregate(call, argument, condition, second)


def arguments_of(call: AggregateCall) -> Iterator[str]:
    """Argument, condition and second argument, each empty where the call has none."""
    for part in (call.argument, call.condition, call.second):
        yield "" if part is None else render_expression(part)


def least_classes(measure: Field, units: int, names: Sequence[str], made: Sequence[str], least: Sequence[str]) -> str:
    """For each group the least class of values, in distinct units: of each u<j> as `least[j]`.

    The values are those of x<id> in `_base`; `made` are aggregates over the rows of a value: where all of them are the
    same, values are of one class.
    """
    value = quoted(f"x{measure.id}")
    by_value = [*names, value]
    found = [f"t{i}" for i in range(len(made))]
    parts = ", ".join([*by_value, *(f"{text} AS {name}" for text, name in zip(made, found, strict=True))])
    values = f"SELECT {parts} FROM _base WHERE ({value} IS NOT NULL){grouped(by_value)}"
    # A class is named by its least value: rows are then grouped by that and not by all that makes the class.
    least_value = f"min({value}) OVER (PARTITION BY {', '.join([*names, *found])}) AS class"
    named = f"SELECT {', '.join([*by_value, least_value])} FROM ({values})"
    people = [f"count(DISTINCT b.u{j}) AS u{j}" for j in range(units)]
    on = " AND ".join([*([same(names, "b", "v")] if names else []), f"(b.{value} = v.{value})"])
    outer = ", ".join([*(f"b.{name} AS {name}" for name in names), *people])
    group = ", ".join([*(f"b.{name}" for name in names), "v.class"])
    sizes = f"SELECT {outer} FROM _base AS b INNER JOIN ({named}) AS v ON ({on}) GROUP BY {group}"
    return f"SELECT {', '.join([*names, *least])} FROM ({sizes}){grouped(names)}"


def grouped(columns: Sequence[str]) -> str:
    return f" GROUP BY {', '.join(columns)}" if columns else ""


def same(names: Sequence[str], left: str, right: str) -> str:
    return " AND ".join(f"({left}.{name} IS NOT DISTINCT FROM {right}.{name})" for name in names)
