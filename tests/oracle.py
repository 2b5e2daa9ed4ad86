"""The analyst's plan, raw tables and what was released → nothing, or AssertionError: an answer is sound, or it is not.

From the base rows it works out, by brute force, who is behind every cell of the whole answer; it knows nothing of hidden
counts, of private steps and of `release`. Typical use in a property test:

    tables = {step.table: release(engine.run_private(step, sources)) for step in plan.steps}
    oracle.assert_answer_is_sound(verdict, plan, datasets, tables)
    oracle.assert_others_unmoved(run, datasets, person, change, oracle.terms_of(verdict))

`datasets` are plain rows: dataset name → a list of {column: value}, as `MemoryEngine` takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cleanroom.domain.expression import AggregateCall, Expression, Field, SourceColumn, Value, fields_of, inputs
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, releases
from cleanroom.domain.steps import ExecutablePlan, ReleasedTable, column_name
from cleanroom.engines.memory_expressions import evaluate
from tests.oracle_cells import Released, Shown, Use, brute_force, close, is_conditional, is_simple
from tests.oracle_grains import assert_grains, assert_removals, people_removed
from tests.oracle_rows import Datasets, Path, Row, assert_not_repeated, call_of, meets, plain
from tests.oracle_shown import Terms, matched, small_groups, terms_of

Change: TypeAlias = Callable[[Mapping[str, Value]], Mapping[str, Value] | None]
Tables: TypeAlias = Mapping[str, ReleasedTable]
ShownTable: TypeAlias = tuple[Aggregate, ReleasedTable]


@dataclass(frozen=True, slots=True)
class Person:
    """One protected person as a dataset names them: all rows with this value in that unit column."""

    dataset: DatasetName
    column: str
    unit: Value


# --- a whole answer ------------------------------------------------------------------------------------------------


def assert_answer_is_sound(verdict: Verdict, plan: ExecutablePlan, datasets: Datasets, tables: Tables) -> None:
    """All that can be said of one answer: enough people, right values, no small atom, remainder or removal, nothing
    held back. `tables` are what the plan's steps released, by name."""
    terms = terms_of(verdict)
    found = [_released(*shown, datasets, terms) for shown in shown_tables(verdict, plan, tables)]
    _assert_sound(found, terms)
    for released in found:
        for row in released.shown:
            members = released.groups.get(released.key(row), [])
            assert_not_repeated(released.measures, members, released.sources)


def assert_tables_are_sound(shown: Sequence[ShownTable], datasets: Datasets, terms: Terms) -> None:
    """The same of releases and their tables, but for how often a sum reads a row: that is asked of approved plans alone."""
    _assert_sound([_released(aggregate, table, datasets, terms) for aggregate, table in shown], terms)


def _assert_sound(found: Sequence[Released], terms: Terms) -> None:
    for released in found:
        rows = matched(released, terms, small_groups(released, terms, alone=_alone(released, found)))
        assert_values(released, rows)
        assert_atoms(released, rows)
        assert_cell_minimums(released, rows, terms)
        assert_removals(released, [row for row, _ in rows])
        if len(found) == 1 and is_simple(released) and not terms.of_column:
            assert_nothing_held_back(released)
    assert_grains(found)


def _alone(released: Released, found: Sequence[Released]) -> bool:
    """Whether no other release reads a dataset of this one."""
    mine = {scan.dataset for scan in released.people.scans}
    return not mine & {scan.dataset for other in found if other is not released for scan in other.people.scans}


def shown_tables(verdict: Verdict, plan: ExecutablePlan, tables: Tables) -> list[ShownTable]:
    """Each release of the analyst's plan and its table."""
    assert verdict.plan is not None
    names = {tuple(f.id for f in step.aggregate.fields): step.table for step in plan.steps}
    found = releases(verdict.plan.root)
    assert len(names) == len(plan.steps) == len(found), "the steps are not the plan's releases"
    return [(release, tables[names[tuple(f.id for f in release.fields)]]) for release in found]


def _released(aggregate: Aggregate, table: ReleasedTable, datasets: Datasets, terms: Terms) -> Released:
    names = [column_name(f) for f in aggregate.fields]
    assert table.rows.column_names == names, "columns that the analyst did not ask for"
    return Released(aggregate, table.rows.to_pylist() if names else [], datasets, terms.minimum)


# --- cells ---------------------------------------------------------------------------------------------------------


def assert_values(released: Released, rows: Sequence[tuple[Shown, list[Row]]]) -> None:
    """(e) Each shown value is the aggregate over all rows of its group."""
    for row, members in rows:
        for measure in released.shown_measures(row):
            shown, true = row[column_name(measure)], brute_force(measure, members)
            assert close(shown, true), f"{measure.name}: {shown!r} is shown, {true!r} is true"


def assert_atoms(released: Released, rows: Sequence[tuple[Shown, list[Row]]]) -> None:
    """(b) No sum and difference of shown cells of a row is about few people.

    The paths used by exactly the same shown cells, on the same branches, hold enough people of every source that those
    cells depend on; so do, of counts of distinct values that are the same on every row of the group, the values that
    exactly the same of these counts have seen.
    """
    for row, members in rows:
        shown = released.shown_measures(row)
        for measure in shown:
            if is_conditional(measure):
                _assert_enough(released, released.paths(measure, members), measure)
        assert_apart(released, shown, members)


def assert_apart(released: Released, shown: Sequence[Field], members: Sequence[Row]) -> None:
    """What tells these cells of a group apart are people enough."""
    for names, paths in _atoms(released, shown, members):
        active = [m for m, name in zip(shown, names, strict=True) if name is not None]
        _refuse_few(released, paths, active, "a difference of shown cells")
    for part in _classes(released, shown, members):
        _refuse_few(released, part, shown, "a difference of shown distinct counts")


def _assert_enough(released: Released, paths: Sequence[Path], measure: Field) -> None:
    """A cell's own rows hold enough people of every required source, and none or enough of an optional one it looks at."""
    _refuse_few(released, paths, [measure], f"the shown {measure.name}")
    for scan, column in released.people.columns:
        nobody = scan.source in released.required and not released.people.units(scan, column, paths)
        assert not nobody, f"the shown {measure.name} rests on 0 {column} of {scan.dataset}"


def _refuse_few(released: Released, paths: Sequence[Path], active: Sequence[Field], what: str) -> None:
    concerned = released.required | released.asked
    for measure in active:
        concerned |= released.optional_of(measure)
    for few in released.lacking(paths, concerned):
        raise AssertionError(f"{what} rests on {few}")


def _atoms(
    released: Released, shown: Sequence[Field], members: Sequence[Row]
) -> Iterator[tuple[tuple[Hashable, ...], list[Path]]]:
    """The paths by which of the cells used them and how.

    Sums of an optional side's own columns do not tell who has no match, as long as nothing counts matches: paths without
    one are then told apart by the other cells alone.
    """
    free = _free(released, shown)
    parts: dict[tuple[Hashable, ...], list[Use]] = {}
    for use in released.uses(members):
        parts.setdefault(tuple(released.tag(measure, use) for measure in shown), []).append(use)
    for names, uses in parts.items():
        unused = all(name is None for name, measure in zip(names, shown, strict=True) if measure in free)
        if not (free and unused and any(_lacks(released, path) for _, path in uses)):
            yield names, [path for _, path in uses]
    if free:
        rest = [measure for measure in shown if measure not in free]
        for part in _by_name(released.uses(members), lambda use: tuple(released.tag(m, use) for m in rest)):
            names = tuple(None if m in free else released.tag(m, part[0]) for m in shown)
            yield names, [path for _, path in part]


def _lacks(released: Released, path: Path) -> bool:
    present = {source for source, _ in path}
    return any(source not in present for source in released.optional)


def _free(released: Released, shown: Sequence[Field]) -> list[Field]:
    sums = [m for m in shown if released.optional_of(m) and call_of(m).function == "sum"]
    counted = {source for m in shown if m not in sums for source in released.optional_of(m)}
    return [m for m in sums if not released.optional_of(m) & counted]


def _by_name(uses: Sequence[Use], name: Callable[[Use], Hashable]) -> list[list[Use]]:
    parts: dict[Hashable, list[Use]] = {}
    for use in uses:
        parts.setdefault(name(use), []).append(use)
    return list(parts.values())


def _classes(released: Released, shown: Sequence[Field], members: Sequence[Row]) -> Iterator[list[Path]]:
    """The paths of a group by which of the distinct counts of the same values have seen their value."""
    for counts, argument in _distinct_counts(shown, members):
        seen: dict[Hashable, set[int]] = {}
        for row in members:
            value = plain(evaluate(argument, row.values))
            seen.setdefault(value, set()).update(n for n, m in enumerate(counts) if meets(call_of(m), row))
        parts: dict[Hashable, list[Path]] = {}
        for row in members:
            name = frozenset(seen[plain(evaluate(argument, row.values))])
            if name:
                parts.setdefault(name, []).extend(row.paths)
        yield from parts.values()


def _distinct_counts(shown: Sequence[Field], members: Sequence[Row]) -> list[tuple[list[Field], Expression]]:
    """The distinct counts that count the same values, together, and what they count. A number and an address that stand
    for the same people are the same."""
    found: dict[Hashable, tuple[list[Field], Expression]] = {}
    for measure in shown:
        call = call_of(measure)
        if call.function == "count_distinct" and call.argument is not None:
            values = [plain(evaluate(call.argument, row.values)) for row in members]
            alike = tuple(None if value is None else values.index(value) for value in values)
            found.setdefault(alike, ([], call.argument))[0].append(measure)
    return list(found.values())


def assert_cell_minimums(released: Released, rows: Sequence[tuple[Shown, list[Row]]], terms: Terms) -> None:
    """An aggregate of a column describes as many people as its owner asks for."""
    for row, members in rows:
        for measure in released.shown_measures(row):
            needed = max((terms.of_column.get(c, 0) for c in _columns(inputs(call_of(measure)))), default=0)
            paths = released.paths(measure, members)
            for scan, column in released.people.columns:
                count = len(released.people.units(scan, column, paths))
                assert not needed or scan.source not in released.required or count >= needed, (
                    f"the shown {measure.name} rests on {count} {column}, where its owner asks for {needed}"
                )


def _columns(expressions: Sequence[Expression]) -> Iterator[tuple[DatasetName, str]]:
    """The owners' columns that the expressions are computed from."""
    for expression in expressions:
        for named in fields_of(expression):
            if isinstance(named.origin, SourceColumn):
                yield named.origin.dataset, named.origin.column
            else:
                yield from _columns(inputs(named.origin))


def assert_nothing_held_back(released: Released) -> None:
    """(g) A group that has enough people is shown, and its cells too where no atom and no class is small."""
    rows = {released.key(row): row for row in released.shown}
    for key, members in released.groups.items():
        if not released.enough_for_a_row(members):
            continue
        assert key in rows, "a group with enough people is not shown"
        whole = _holds(assert_apart, released, released.measures, members) and _holds(
            _assert_all_values_in_company, released, members
        )
        for measure in released.measures:
            own = _holds(_assert_enough, released, released.paths(measure, members), measure)
            may_be_shown = (whole and own) or not is_conditional(measure)
            if may_be_shown and brute_force(measure, members) is not None:
                assert rows[key][column_name(measure)] is not None, "a cell with enough people is not shown"


def _assert_all_values_in_company(released: Released, members: Sequence[Row]) -> None:
    """The values of each distinct count that occur in exactly the same atoms are of enough people."""
    for measure in released.measures:
        if call_of(measure).function != "count_distinct":
            continue
        argument = call_of(measure).argument
        assert argument is not None
        for part in _value_classes(released, argument, members):
            _refuse_few(released, part, [measure], "a class of values")


def _value_classes(released: Released, argument: Expression, members: Sequence[Row]) -> list[list[Path]]:
    """The paths of a group by which atoms of all its cells their value occurs in."""
    values = {id(row): plain(evaluate(argument, row.values)) for row in members}
    atoms: dict[Hashable, set[Hashable]] = {}
    for use in released.uses(members):
        atoms.setdefault(values[id(use[0])], set()).add(tuple(released.tag(m, use) for m in released.measures))
    parts = _by_name(released.uses(members), lambda use: frozenset(atoms[values[id(use[0])]]))
    return [[path for _, path in part] for part in parts]


def _holds(assertion: Callable[..., None], *arguments: object) -> bool:
    try:
        assertion(*arguments)
    except AssertionError:
        return False
    return True


# --- one person ----------------------------------------------------------------------------------------------------


def assert_others_unmoved(
    run: Callable[[Datasets], Sequence[ShownTable]], datasets: Datasets, person: Person, change: Change, terms: Terms
) -> None:
    """(f) Changing all rows of one person changes no value of a cell that the person is not behind.

    `change` gives a row's new values (the unit column is put back), or None to remove the row. A person who is behind
    a cell before or after the change may move it; whether a cell is shown at all is left out.
    """
    changed = with_person_changed(datasets, person, change)
    for (aggregate, was), (_, now) in zip(run(datasets), run(changed), strict=True):
        before, after = _released(aggregate, was, datasets, terms), _released(aggregate, now, changed, terms)
        assert_tables_agree(before, after, person, terms)


def assert_tables_agree(was: Released, now: Released, person: Person, terms: Terms) -> None:
    """The cells of both tables that the person is behind in neither are equal. Which groups are pooled is left out, as is
    which are shown."""
    old, new = _groups_shown(was, terms), _groups_shown(now, terms)
    removed = {one for side in (was, now) for one in people_removed(side, person.dataset, person.column)}
    for key in old.keys() & new.keys():
        (before, mine), (after, theirs) = old[key], new[key]
        for measure in was.measures:
            one, other = before[column_name(measure)], after[column_name(measure)]
            behind = removed | {*_behind(was, measure, mine, person), *_behind(now, measure, theirs, person)}
            if one is not None and other is not None and plain(person.unit) not in behind:
                assert close(one, other), f"{measure.name} moved from {one!r} to {other!r} by somebody not behind it"


def _groups_shown(released: Released, terms: Terms) -> dict[Hashable, tuple[Shown, list[Row]]]:
    rows = (
        (released.key(row), row, members) for row, members in matched(released, terms, small_groups(released, terms))
    )
    return {key: (row, members) for key, row, members in rows if members is released.groups.get(key)}


def _behind(released: Released, measure: Field, members: Sequence[Row], person: Person) -> frozenset[Hashable]:
    call = measure.origin
    assert isinstance(call, AggregateCall)
    paths = [path for row in members if meets(call, row) for path in row.paths]
    return released.people.behind(person.dataset, person.column, paths)


def with_person_changed(datasets: Datasets, person: Person, change: Change) -> Datasets:
    """The datasets with every row of the person changed, and nothing else."""

    def changed(row: Mapping[str, Value]) -> Mapping[str, Value] | None:
        if row[person.column] != person.unit:
            return row
        new = change(row)
        return None if new is None else {**new, person.column: person.unit}

    rows = [new for row in datasets[person.dataset] if (new := changed(row)) is not None]
    return {**datasets, person.dataset: rows}
