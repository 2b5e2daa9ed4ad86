"""Private step and tables → its rows with the hidden counts, each by the definition in `PrivateStep`, with sets of units."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

from cleanroom.domain.expression import AggregateCall, Expression, Field, Value
from cleanroom.domain.steps import (
    PrivateStep,
    atom_minimum_name,
    cell_count_name,
    column_name,
    distinct_minimum_name,
    unit_count_name,
)
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_relations import NamedRow, Tables, aggregated_row, grouped, rows_of
from cleanroom.engines.memory_values import group_key


def private_rows(step: PrivateStep, tables: Tables) -> list[NamedRow]:
    """One row a group: keys, measures and hidden counts, by their names and in their order."""
    groups = grouped(step.aggregate.keys, rows_of(step.aggregate.input, tables))
    return [_row(step, key, members) for key, members in groups]


def hidden_names(step: PrivateStep) -> Iterator[str]:
    """The names of the step's hidden counts, in the order of its raw table."""
    yield from (unit_count_name(j) for j in range(len(step.units)))
    for j in range(len(step.units) if step.conditions else 0):
        yield atom_minimum_name(j)
        yield from (cell_count_name(i, j) for i in range(len(step.conditions)))
        yield from (distinct_minimum_name(measure, j) for measure in step.distinct_measures)


def _row(step: PrivateStep, key: Row, members: Sequence[Row]) -> NamedRow:
    values = aggregated_row(step.aggregate, key, members)
    row: dict[str, Value] = {column_name(field): values[field.id] for field in step.aggregate.fields}
    for j, unit in enumerate(step.units):
        row[unit_count_name(j)] = _units(unit, members)
    for j, unit in enumerate(step.units if step.conditions else ()):
        row[atom_minimum_name(j)] = _least(unit, partitioned(members, lambda r: _mask(step, r)))
        for i, condition in enumerate(step.conditions):
            row[cell_count_name(i, j)] = _units(unit, [r for r in members if evaluate(condition, r) is True])
        for measure in step.distinct_measures:
            row[distinct_minimum_name(measure, j)] = _least(unit, _classes(step, measure, members))
    return row


def _units(unit: Field, rows: Sequence[Row]) -> int:
    return len({group_key(row[unit.id]) for row in rows} - {None})


def _least(unit: Field, parts: Iterable[Sequence[Row]]) -> int | None:
    return min((_units(unit, part) for part in parts), default=None)


def partitioned(rows: Sequence[Row], name: Callable[[Row], Hashable]) -> list[list[Row]]:
    """The rows that have one name together, for every name there is."""
    parts: dict[Hashable, list[Row]] = {}
    for row in rows:
        parts.setdefault(name(row), []).append(row)
    return list(parts.values())


def _mask(step: PrivateStep, row: Row) -> tuple[bool, ...]:
    """Which atom a row is in: the conditions that are TRUE on it."""
    return tuple(evaluate(condition, row) is True for condition in step.conditions)


def _classes(step: PrivateStep, measure: Field, members: Sequence[Row]) -> list[list[Row]]:
    """The rows of the group by the class of the counted value: values that occur in exactly the same atoms together."""
    argument = _argument(measure)
    atoms: dict[Hashable, set[tuple[bool, ...]]] = {}
    counted = [row for row in members if evaluate(argument, row) is not None]
    for row in counted:
        atoms.setdefault(group_key(evaluate(argument, row)), set()).add(_mask(step, row))
    return partitioned(counted, lambda row: frozenset(atoms[group_key(evaluate(argument, row))]))


def _argument(measure: Field) -> Expression:
    if not isinstance(measure.origin, AggregateCall) or measure.origin.argument is None:
        raise ValueError("a distinct count has an argument")
    return measure.origin.argument
