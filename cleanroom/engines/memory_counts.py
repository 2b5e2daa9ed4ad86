"""Rows of people → how many distinct units are in them, in their parts, in the classes of a counted value."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from cleanroom.domain.expression import AggregateCall, Expression, Field
from cleanroom.domain.steps import PrivateStep
from cleanroom.engines.memory_expressions import Row, evaluate
from cleanroom.engines.memory_values import group_key


def distinct_units(unit: Field, rows: Sequence[Row]) -> int:
    """How many distinct units there are; NULL is none."""
    return len({group_key(row[unit.id]) for row in rows} - {None})


def enough_units(step: PrivateStep, rows: Sequence[Row]) -> bool:
    """Whether the rows have the step's number of each unit; of an optional one also none, of an unasked one any number."""
    return all(
        (count := distinct_units(unit, rows)) >= step.minimum_units or (unit in step.optional and count == 0)
        for unit in step.units
        if unit not in step.unasked
    )


def none_or_enough(step: PrivateStep, rows: Sequence[Row]) -> bool:
    """Whether the rows have, of each unit, none or the step's number."""
    counts = [distinct_units(unit, rows) for unit in step.units]
    return all(count == 0 or count >= step.minimum_units for count in counts)


def least_present(unit: Field, parts: Iterable[Sequence[Row]]) -> int | None:
    """The least number of distinct units over the parts that have one at all; None where none has."""
    return min((count for part in parts if (count := distinct_units(unit, part))), default=None)


def least(unit: Field, parts: Iterable[Sequence[Row]]) -> int | None:
    """The least number of distinct units over the parts; None where there is no part."""
    return min((distinct_units(unit, part) for part in parts), default=None)


def partitioned(rows: Sequence[Row], name: Callable[[Row], Hashable]) -> list[list[Row]]:
    """The rows that have one name together, for every name there is."""
    parts: dict[Hashable, list[Row]] = {}
    for row in rows:
        parts.setdefault(name(row), []).append(row)
    return list(parts.values())


def classes(measure: Field, rows: Sequence[Row], places: Callable[[Row], Iterable[Hashable]]) -> list[list[Row]]:
    """The rows by the class of the counted value: values that occur in exactly the same places together. NULL is no value."""
    argument = _argument(measure)
    counted = [row for row in rows if evaluate(argument, row) is not None]
    found: dict[Hashable, set[Hashable]] = {}
    for row in counted:
        found.setdefault(group_key(evaluate(argument, row)), set()).update(places(row))
    return partitioned(counted, lambda row: frozenset(found[group_key(evaluate(argument, row))]))


def _argument(measure: Field) -> Expression:
    if not isinstance(measure.origin, AggregateCall) or measure.origin.argument is None:
        raise ValueError("a distinct count has an argument")
    return measure.origin.argument
