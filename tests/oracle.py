"""Private step and raw rows → who is behind every cell, by brute force. What any release of that step must satisfy.

It knows nothing of `release` and of hidden counts: it follows each base row through nested loops into the groups, and
then says, of a released table, what must not be in it. Typical use in a property test:

    released = release(engine.run_private(step, sources))
    oracle.assert_sound(step, released, datasets)
    oracle.assert_others_unmoved(step, datasets, run, person, change)

`datasets` are plain rows: dataset name → a list of {column: value}, as `MemoryEngine` takes them.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from cleanroom.domain.expression import AggregateCall, Column, Field, SourceColumn, Value
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import Filter, Join, Project, Relation, Scan, relations
from cleanroom.domain.steps import PrivateStep, ReleasedTable, column_name
from cleanroom.engines.memory_expressions import evaluate

Datasets: TypeAlias = Mapping[DatasetName, Sequence[Mapping[str, Value]]]
Key: TypeAlias = tuple[Hashable, ...]
Mask: TypeAlias = tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """One joined row of a group: its values by field id, and the number of the base row of each source behind it."""

    values: Mapping[int, Value]
    behind: Mapping[SourceId, int]


@dataclass(frozen=True, slots=True)
class Person:
    """One protected person as a dataset names them: all rows with this value in that unit column."""

    dataset: DatasetName
    column: str
    unit: Value


Groups: TypeAlias = dict[Key, list[Member]]


# --- who is behind what -------------------------------------------------------------------------------------------


def groups_of(step: PrivateStep, datasets: Datasets) -> Groups:
    """The joined rows of every group of the step, small groups and all; without keys one group, even of no rows."""
    groups: Groups = {} if step.aggregate.keys else {(): []}
    for member in _members(step.aggregate.input, datasets):
        key = tuple(_plain(_origin_value(field, member)) for field in step.aggregate.keys)
        groups.setdefault(key, []).append(member)
    return groups


def base_rows(step: PrivateStep, members: Sequence[Member], measure: Field) -> dict[SourceId, frozenset[int]]:
    """The base rows of each source behind one cell: those of the joined rows on which all its conditions are TRUE."""
    used = _used_by(step, members, measure)
    sources = {source for member in used for source in member.behind}
    return {source: frozenset(member.behind[source] for member in used) for source in sources}


def protected(step: PrivateStep) -> tuple[Field, ...]:
    """The unit columns of every scan below the step, whichever of them it says it counts."""
    return tuple(unit for r in relations(step.aggregate.input) if isinstance(r, Scan) for unit in r.units)


def units_of(unit: Field, members: Iterable[Member]) -> frozenset[Hashable]:
    """The distinct people of one unit column among joined rows."""
    return frozenset(_plain(member.values[unit.id]) for member in members)


def people_behind(step: PrivateStep, members: Sequence[Member], measure: Field, person: Person) -> frozenset[Hashable]:
    """The people behind one cell, of all scans of the person's dataset."""
    used = _used_by(step, members, measure)
    columns = [f for f in _scanned_fields(step) if _names(f, person)]
    return frozenset().union(*(units_of(field, _having(field, used)) for field in columns))


# --- what a released table must satisfy ----------------------------------------------------------------------------


def assert_sound(step: PrivateStep, released: ReleasedTable, datasets: Datasets) -> None:
    """All that can be said of one released table: enough people, right values, no small atoms, nothing held back."""
    groups = groups_of(step, datasets)
    assert_columns(step, released)
    assert_enough_units(step, released, groups)
    assert_values(step, released, groups)
    assert_atoms(step, released, groups)
    assert_nothing_held_back(step, released, groups)


def assert_columns(step: PrivateStep, released: ReleasedTable) -> None:
    """No hidden count is left, and no row comes twice."""
    assert released.rows.column_names == [column_name(field) for field in step.aggregate.fields]
    keys = [_key(step, row) for row in released.rows.to_pylist()]
    assert len(set(keys)) == len(keys), "a group is shown twice"


def assert_enough_units(step: PrivateStep, released: ReleasedTable, groups: Groups) -> None:
    """(a) Each shown row has the threshold's number of people of every source."""
    for row in released.rows.to_pylist():
        members = groups[_key(step, row)]
        for unit in protected(step):
            people = len(units_of(unit, members))
            assert people >= step.minimum_units, f"a row of {people} {unit.name} is shown"


def assert_values(step: PrivateStep, released: ReleasedTable, groups: Groups) -> None:
    """(b) Each shown value is the aggregate over all joined rows of its group. A NULL may stand for anything withheld,
    but only in a conditional cell."""
    conditional = {cell.measure for cell in step.conditional}
    for row in released.rows.to_pylist():
        members = groups[_key(step, row)]
        for measure in step.aggregate.measures:
            shown, true = row[column_name(measure)], brute_force(measure, members)
            if shown is None and measure in conditional:
                continue
            assert close(shown, true), f"{measure.name}: {shown!r} is shown, {true!r} is true"


def assert_atoms(step: PrivateStep, released: ReleasedTable, groups: Groups) -> None:
    """(c) Subtracting shown cells of a row from each other reaches nobody.

    The joined rows of a group used by exactly the same shown conditional cells form an atom; every non-empty one, also
    that which no such cell uses, holds enough people of every source. So does every class of values of a shown
    COUNT(DISTINCT) that occur in exactly the same atoms.
    """
    for row in released.rows.to_pylist():
        members = groups[_key(step, row)]
        shown = sorted({c.condition for c in step.conditional if row[column_name(c.measure)] is not None})
        if not shown:
            continue
        for condition in shown:
            assert_all_enough(step, [m for m in members if _true(step, condition, m)], "a shown cell")
        for atom in _atoms(step, shown, members):
            assert_all_enough(step, atom, "an atom")
        for measure in step.distinct_measures:
            if row[column_name(measure)] is not None:
                for part in _classes(step, shown, measure, members):
                    assert_all_enough(step, part, f"a class of values of {measure.name}")


def assert_differences(step: PrivateStep, released: ReleasedTable, groups: Groups) -> None:
    """No sum and difference of shown cells of a row is about few people, whatever conditions the step was given.

    Which joined rows a cell uses is read off its call alone: its condition is TRUE there, its argument is not NULL. Rows
    used by exactly the same shown cells hold enough people of every source; so do, of counts of distinct values that
    are the same on every row of the group, the values that exactly the same of these counts have seen.
    """
    for row in released.rows.to_pylist():
        members = groups[_key(step, row)]
        shown = [m for m in step.aggregate.measures if row[column_name(m)] is not None]
        used = [[_uses(measure, member) for measure in shown] for member in members]
        for index, measure in enumerate(shown):
            own = [member for member, uses in zip(members, used, strict=True) if uses[index]]
            assert_all_enough(step, own, f"the shown {measure.name}")
        for part in _by_name(members, map(tuple, used)):
            assert_all_enough(step, part, "a difference of shown cells")
        for counts, values in _distinct_counts(shown, members):
            seen: dict[Hashable, set[int]] = {}
            for value, uses in zip(values, used, strict=True):
                seen.setdefault(value, set()).update(i for i in counts if uses[i])
            names = [frozenset(seen[value]) for value in values]
            for part in _by_name([m for m, n in zip(members, names, strict=True) if n], filter(None, names)):
                assert_all_enough(step, part, "a difference of shown distinct counts")


def _uses(measure: Field, member: Member) -> bool:
    call = measure.origin
    assert isinstance(call, AggregateCall)
    known = call.argument is None or evaluate(call.argument, member.values) is not None
    return known and _meets(call, member)


def _by_name(members: Sequence[Member], names: Iterable[Hashable]) -> list[list[Member]]:
    parts: dict[Hashable, list[Member]] = {}
    for member, name in zip(members, names, strict=True):
        parts.setdefault(name, []).append(member)
    return list(parts.values())


def _distinct_counts(shown: Sequence[Field], members: Sequence[Member]) -> list[tuple[list[int], tuple[Hashable, ...]]]:
    """The positions of the distinct counts that count the same values, and those values, one for each row."""
    found: dict[tuple[Hashable, ...], list[int]] = {}
    for index, measure in enumerate(shown):
        call = measure.origin
        if isinstance(call, AggregateCall) and call.function == "count_distinct" and call.argument is not None:
            argument = call.argument
            values = tuple(_plain(evaluate(argument, member.values)) for member in members)
            found.setdefault(values, []).append(index)
    return [(counts, values) for values, counts in found.items()]


def assert_nothing_held_back(step: PrivateStep, released: ReleasedTable, groups: Groups) -> None:
    """A group that has enough people is shown, and its cells too where no atom and no class is small."""
    rows = {_key(step, row): row for row in released.rows.to_pylist()}
    for key, members in groups.items():
        if not _enough(step, members):
            continue
        assert key in rows, "a group with enough people is not shown"
        everything = list(range(len(step.conditions)))
        parts = _atoms(step, everything, members) + [
            part for d in step.distinct_measures for part in _classes(step, everything, d, members)
        ]
        if not all(_enough(step, part) for part in parts):
            continue
        for cell in step.conditional:
            used = _used_by(step, members, cell.measure)
            if _enough(step, used) and brute_force(cell.measure, members) is not None:
                assert rows[key][column_name(cell.measure)] is not None, "a cell with enough people is not shown"


def assert_all_enough(step: PrivateStep, members: Sequence[Member], what: str) -> None:
    for unit in protected(step):
        people = len(units_of(unit, members))
        assert people >= step.minimum_units, f"{what} rests on {people} {unit.name}"


def assert_others_unmoved(
    step: PrivateStep,
    datasets: Datasets,
    run: Callable[[PrivateStep, Datasets], ReleasedTable],
    person: Person,
    change: Callable[[Mapping[str, Value]], Mapping[str, Value] | None],
) -> None:
    """(d) Changing all rows of one person changes no value of a cell that the person is not behind.

    `change` gives a row's new values (the unit column is put back), or None to remove the row. A person who is behind
    a cell before or after the change may move it; whether a cell is shown at all is left out.
    """
    changed = with_person_changed(datasets, person, change)
    old, new = groups_of(step, datasets), groups_of(step, changed)
    before = {_key(step, row): row for row in run(step, datasets).rows.to_pylist()}
    after = {_key(step, row): row for row in run(step, changed).rows.to_pylist()}
    for key in before.keys() & after.keys():
        for measure in step.aggregate.measures:
            was, now = before[key][column_name(measure)], after[key][column_name(measure)]
            behind = {p for g in (old, new) for p in people_behind(step, g[key], measure, person)}
            if was is not None and now is not None and _plain(person.unit) not in behind:
                assert close(was, now), f"{measure.name} moved from {was!r} to {now!r} by somebody who is not behind it"


def with_person_changed(
    datasets: Datasets, person: Person, change: Callable[[Mapping[str, Value]], Mapping[str, Value] | None]
) -> Datasets:
    """The datasets with every row of the person changed, and nothing else."""

    def changed(row: Mapping[str, Value]) -> Mapping[str, Value] | None:
        if row[person.column] != person.unit:
            return row
        new = change(row)
        return None if new is None else {**new, person.column: person.unit}

    rows = [new for row in datasets[person.dataset] if (new := changed(row)) is not None]
    return {**datasets, person.dataset: rows}


# --- brute force ---------------------------------------------------------------------------------------------------


def brute_force(measure: Field, members: Sequence[Member]) -> Value:
    """The aggregate over all joined rows of a group, NULLs passed over."""
    origin = measure.origin
    assert isinstance(origin, AggregateCall)
    members = [m for m in members if _meets(origin, m)]
    if origin.argument is None:
        return len(members)
    values = [v for m in members if (v := evaluate(origin.argument, m.values)) is not None]
    if origin.function == "count":
        return len(values)
    if origin.function == "count_distinct":
        return len({_plain(value) for value in values})
    if not values:
        return None
    total = sum((Fraction(value) for value in values), Fraction(0))  # type: ignore[arg-type]
    match origin.function:
        case "sum":
            return float(total) if isinstance(values[0], float) else _exact(total)
        case "avg":
            return float(total / len(values))
        case other:
            raise AssertionError(f"{other} is never released")


def _meets(call: AggregateCall, member: Member) -> bool:
    return call.condition is None or evaluate(call.condition, member.values) is True


def close(left: Value, right: Value) -> bool:
    """Equal, or doubles that differ by rounding alone: sums of doubles depend on the order of their terms."""
    if isinstance(left, float) or isinstance(right, float):
        if left is None or right is None:
            return False
        return math.isclose(float(left), float(right), rel_tol=1e-9, abs_tol=1e-9)  # type: ignore[arg-type]
    return _plain(left) == _plain(right)


def _exact(total: Fraction) -> Value:
    if total.denominator == 1:
        return int(total)
    digits = next(n for n in range(40) if 10**n % total.denominator == 0)
    return Decimal(int(total * 10**digits)).scaleb(-digits)


def _members(relation: Relation, datasets: Datasets) -> list[Member]:
    match relation:
        case Scan():
            return _scanned(relation, datasets)
        case Filter(input=below, predicate=predicate):
            return [m for m in _members(below, datasets) if evaluate(predicate, m.values) is True]
        case Project(input=below, fields=fields):
            # Fields below stay: hidden units travel with their rows.
            return [
                Member({**m.values, **{f.id: _origin_value(f, m) for f in fields}}, m.behind)
                for m in _members(below, datasets)
            ]
        case Join():
            return _joined(relation, _members(relation.left, datasets), _members(relation.right, datasets))
        case _:
            raise AssertionError(f"{type(relation).__name__} is not part of a private step")


def _joined(join: Join, left: Sequence[Member], right: Sequence[Member]) -> list[Member]:
    """Nested loops over the rows that have a key at all; NULL joins nothing."""
    mine = [(_join_key([key for key, _ in join.keys], member), member) for member in left]
    theirs = [(_join_key([key for _, key in join.keys], member), member) for member in right]
    return [
        Member({**one.values, **other.values}, {**one.behind, **other.behind})
        for key, one in mine
        for other_key, other in theirs
        if key == other_key and None not in key
    ]


def _join_key(keys: Sequence[Column], member: Member) -> Key:
    return tuple(_plain(member.values[key.field.id]) for key in keys)


def _scanned(scan: Scan, datasets: Datasets) -> list[Member]:
    members = []
    for number, row in enumerate(datasets[scan.dataset]):
        values = {f.id: row[f.origin.column] for f in scan.fields if isinstance(f.origin, SourceColumn)}
        allowed = scan.row_filter is None or evaluate(scan.row_filter, values) is True
        if allowed and all(values[unit.id] is not None for unit in scan.units):
            members.append(Member(values, {scan.source: number}))
    return members


def _origin_value(field: Field, member: Member) -> Value:
    if field.id in member.values:
        return member.values[field.id]
    return evaluate(field.origin, member.values)  # type: ignore[arg-type]


def _scanned_fields(step: PrivateStep) -> list[Field]:
    return [f for r in relations(step.aggregate.input) if isinstance(r, Scan) for f in r.fields]


def _names(field: Field, person: Person) -> bool:
    origin = field.origin
    return isinstance(origin, SourceColumn) and (origin.dataset, origin.column) == (person.dataset, person.column)


def _having(field: Field, members: Iterable[Member]) -> list[Member]:
    return [member for member in members if field.id in member.values]


def _used_by(step: PrivateStep, members: Sequence[Member], measure: Field) -> list[Member]:
    conditions = [cell.condition for cell in step.conditional if cell.measure == measure]
    return [member for member in members if all(_true(step, condition, member) for condition in conditions)]


def _true(step: PrivateStep, condition: int, member: Member) -> bool:
    return evaluate(step.conditions[condition], member.values) is True


def _mask(step: PrivateStep, conditions: Sequence[int], member: Member) -> Mask:
    return tuple(_true(step, condition, member) for condition in conditions)


def _atoms(step: PrivateStep, conditions: Sequence[int], members: Sequence[Member]) -> list[list[Member]]:
    """The joined rows by which of these conditions are TRUE on them."""
    atoms: dict[Mask, list[Member]] = {}
    for member in members:
        atoms.setdefault(_mask(step, conditions, member), []).append(member)
    return list(atoms.values())


def _classes(
    step: PrivateStep, conditions: Sequence[int], measure: Field, members: Sequence[Member]
) -> list[list[Member]]:
    """The joined rows by the class of the counted value: values seen in exactly the same atoms together."""
    origin = measure.origin
    assert isinstance(origin, AggregateCall)
    assert origin.argument is not None
    seen = [(_plain(evaluate(origin.argument, m.values)), _mask(step, conditions, m), m) for m in members]
    atoms: dict[Hashable, set[Mask]] = {}
    for value, mask, _ in seen:
        atoms.setdefault(value, set()).add(mask)
    classes: dict[Hashable, list[Member]] = {}
    for value, _, member in seen:
        if value is not None:
            classes.setdefault(frozenset(atoms[value]), []).append(member)
    return list(classes.values())


def _enough(step: PrivateStep, members: Sequence[Member]) -> bool:
    return all(len(units_of(unit, members)) >= step.minimum_units for unit in protected(step))


def _key(step: PrivateStep, row: Mapping[str, Value]) -> Key:
    return tuple(_plain(row[column_name(key)]) for key in step.aggregate.keys)


def _plain(value: Value) -> Hashable:
    """Hashable, and equal where SQL groups together."""
    if isinstance(value, float) and math.isnan(value):
        return "nan", None
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value
