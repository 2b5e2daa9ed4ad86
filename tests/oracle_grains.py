"""What several releases of one answer must satisfy together, and what an anti-join must: remainders are nobody or enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from cleanroom.domain.expression import (
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    SourceColumn,
    children,
    fields_of,
    inputs,
)
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Filter, Join, JoinKind, Relation, Scan, Window, relations, scans
from cleanroom.domain.steps import column_name
from cleanroom.engines.memory_expressions import evaluate
from tests.oracle_cells import Released, Shown, anti_joins
from tests.oracle_rows import Datasets, Path, People, Row, call_of, grouped, plain, rows_of

# --- anti-joins ----------------------------------------------------------------------------------------------------


def assert_removals(released: Released, shown: Sequence[Shown]) -> None:
    """In each shown group the people whom an anti-join took away, of either side, are none or enough.

    Where a key or a condition is computed from what was left, in the whole answer.
    """
    datasets = released.datasets
    for join in anti_joins(released.aggregate.input):
        taken = _taken(released.aggregate.input, join)
        if shown and _feeds_groups(released.aggregate, join):
            paths = [path for row in rows_of(_bare(taken), datasets) for path in row.paths]
            _assert_nobody_or_enough(released, taken, datasets, paths)
            continue
        groups = grouped(released.aggregate.keys, rows_of(taken, datasets))
        for row in shown:
            members: Sequence[Row] = groups.get(released.key(row), ())
            _assert_nobody_or_enough(released, taken, datasets, [path for m in members for path in m.paths])


def people_removed(released: Released, dataset: DatasetName, column: str) -> frozenset[Hashable]:
    """The people whom an anti-join took away, of all scans of a dataset on either side; and those who are a match that
    others have not, or that a condition takes away: without them a row would be among those."""
    everybody = [path for members in released.groups.values() for m in members for path in m.paths]
    for filtered in relations(released.aggregate.input):
        if isinstance(filtered, Filter):
            everybody += [path for row in rows_of(filtered.input, released.datasets) for path in row.paths]
    matches = (
        released.people.units(scan, column, everybody)
        for scan in released.people.scans
        if scan.dataset == dataset and scan.source in released.optional
    )
    found: frozenset[Hashable] = frozenset().union(*matches)
    for join in anti_joins(released.aggregate.input):
        taken = _bare(_taken(released.aggregate.input, join))
        paths = [path for row in rows_of(taken, released.datasets) for path in row.paths]
        found |= People(taken, released.datasets).behind(dataset, column, paths)
    return found


def _assert_nobody_or_enough(released: Released, taken: Relation, datasets: Datasets, paths: list[Path]) -> None:
    found = Released(replace(released.aggregate, input=taken, keys=()), (), datasets, released.minimum)
    for few in found.lacking(paths):
        raise AssertionError(f"an anti-join took away {few}")


def _taken(relation: Relation, join: Join) -> Relation:
    """The relation with those in the anti-join's place who have a match."""
    if relation is join:
        return replace(join, kind=JoinKind.SEMI)
    match relation:
        case Scan():
            return relation
        case Join(left=left, right=right):
            return replace(relation, left=_taken(left, join), right=_taken(right, join))
        case _:
            return replace(relation, input=_taken(relation.input, join))  # type: ignore[union-attr,call-arg]


def _computed_after(relation: Relation, join: Join) -> frozenset[int]:
    """The fields of aggregates and windows over what the anti-join left."""
    found: set[int] = set()
    for above in relations(relation):
        if isinstance(above, Aggregate | Window) and any(below is join for below in relations(above)):
            found |= {f.id for f in (above.measures if isinstance(above, Aggregate) else above.calls)}
    return frozenset(found)


def _feeds_groups(aggregate: Aggregate, join: Join) -> bool:
    computed = _computed_after(aggregate.input, join)
    asked = [e for key in aggregate.keys for e in inputs(key.origin)]
    asked += [r.predicate for r in relations(aggregate.input) if isinstance(r, Filter) and _is_below(join, r)]
    return any(_looks_at(expression, computed) for expression in asked)


def _is_below(join: Join, relation: Relation) -> bool:
    return any(below is join for below in relations(relation))


def _looks_at(expression: Expression, fields: frozenset[int]) -> bool:
    return any(
        f.id in fields or any(_looks_at(part, fields) for part in inputs(f.origin)) for f in fields_of(expression)
    )


def _bare(relation: Relation) -> Relation:
    """The relation without the conditions on values of single people."""
    computed = frozenset(
        f.id
        for r in relations(relation)
        if isinstance(r, Aggregate | Window)
        for f in (r.measures if isinstance(r, Aggregate) else r.calls)
    )
    match relation:
        case Scan():
            return relation
        case Join(left=left, kind=JoinKind.SEMI):  # the match itself is what it is
            return replace(relation, left=_bare(left))
        case Join(left=left, right=right):
            return replace(relation, left=_bare(left), right=_bare(right))
        case Filter(input=below, predicate=predicate) if _looks_at(predicate, computed):
            return _bare(below)
        case _:
            return replace(relation, input=_bare(relation.input))  # type: ignore[union-attr,call-arg]


# --- several grains ------------------------------------------------------------------------------------------------


class Grain:
    """One release among others of its population: its keys and cells by names that are the same in all of them."""

    def __init__(self, released: Released) -> None:
        self.released = released
        self.places = {scan.source: place for place, scan in enumerate(released.people.scans)}
        self.keys = frozenset(self._name(key.origin) for key in released.aggregate.keys)

    def population(self) -> Counter[Hashable]:
        uses = (use for members in self.released.groups.values() for use in self.released.uses(members))
        return Counter(self.base(path) for _, path in uses)

    def base(self, path: Path) -> Hashable:
        """The base rows of a path, named so that another release's path of the same rows is equal."""
        datasets = {scan.source: scan.dataset for scan in self.released.people.scans}
        return frozenset((self.places[source], datasets[source], number) for source, number in path)

    def cell(self, measure: Field) -> Hashable:
        call = call_of(measure)
        parts = (None if e is None else self._name(e) for e in (call.argument, call.second, call.condition))
        return (call.function, *parts)

    def shown_groups(self) -> Iterator[tuple[Shown, list[Row]]]:
        """The shown rows, not those that were left empty, each with its group's rows."""
        for row in self.released.shown:
            members = self.released.groups.get(self.released.key(row))
            empty = self.released.measures and not any(row[column_name(m)] is not None for m in self.released.measures)
            if members is not None and self.released.enough_for_a_row(members) and not empty:
                yield row, members

    def withheld(self) -> int:
        there = [members for members in self.released.groups.values() if members]
        return len(there) - len(list(self.shown_groups()))

    def _name(self, origin: object) -> Hashable:
        match origin:
            case SourceColumn(source=source, column=column):
                return ("column", self.places[source], column)
            case Column(field=named):
                return self._name(named.origin)
            case Literal(value=value):
                return ("literal", plain(value))
            case Call() | Case() | Cast():
                parts = tuple(self._name(child) for child in children(origin))
                return (type(origin).__name__, getattr(origin, "function", origin.type), parts)
            case _:
                made = inputs(origin)  # type: ignore[arg-type]
                return (type(origin).__name__, getattr(origin, "function", None), tuple(map(self._name, made)))


def assert_grains(released: Sequence[Released]) -> None:
    """Releases that share a dataset are of one population, and what remains of a coarser row is nobody or enough."""
    grains = [Grain(one) for one in released]
    for one, other in combinations(grains, 2):
        if _datasets(one) & _datasets(other):
            assert one.population() == other.population(), "two releases share a dataset, of different rows of it"
            if not (one.keys <= other.keys or other.keys <= one.keys) and one.released.shown and other.released.shown:
                assert not one.withheld() + other.withheld(), (
                    "sets of keys beside each other, of which some was withheld"
                )
    for coarse in grains:
        finer = [fine for fine in grains if coarse.keys < fine.keys and _datasets(coarse) & _datasets(fine)]
        if finer:
            _assert_remainders(coarse, finer)


def _datasets(grain: Grain) -> frozenset[str]:
    return frozenset(scan.dataset for scan in scans(grain.released.aggregate.input))


def _assert_remainders(coarse: Grain, finer: Sequence[Grain]) -> None:
    shown = {
        grain.base(path) for grain in finer for _, members in grain.shown_groups() for m in members for path in m.paths
    }
    covered = _covered(finer)
    leaves = _leaves(finer)
    released = coarse.released
    for row, members in coarse.shown_groups():
        uses = released.uses(members)
        left = [path for _, path in uses if coarse.base(path) not in shown]
        _refuse_few(released, left, "a total less the rows beneath it")
        measures = released.shown_measures(row)
        for measure in measures:
            cell, atoms = coarse.cell(measure), dict[Hashable, list[Path]]()
            for use in uses:
                if released.tag(measure, use) is not None and (cell, coarse.base(use[1])) not in covered:
                    atoms.setdefault(tuple(released.tag(m, use) for m in measures), []).append(use[1])
            for atom in atoms.values():
                _refuse_few(released, atom, f"the total of {measure.name} less the cells beneath it")
            if call_of(measure).function == "count_distinct":
                for part in _shared(coarse, measure, members, leaves):
                    _refuse_few(released, part, f"values of {measure.name} that the rows beneath it share")


def _refuse_few(released: Released, paths: Sequence[Path], what: str) -> None:
    for few in released.lacking(paths):
        raise AssertionError(f"{what} is {few}")


def _covered(finer: Sequence[Grain]) -> set[tuple[Hashable, Hashable]]:
    """Which base rows are in which shown cell of a finer row."""
    return {
        (grain.cell(measure), grain.base(use[1]))
        for grain in finer
        for row, members in grain.shown_groups()
        for measure in grain.released.shown_measures(row)
        for use in grain.released.uses(members)
        if grain.released.tag(measure, use) is not None
    }


def _leaves(finer: Sequence[Grain]) -> dict[Hashable, set[Hashable]]:
    """The shown finer rows that each path is in."""
    found: dict[Hashable, set[Hashable]] = {}
    for number, grain in enumerate(finer):
        for row, members in grain.shown_groups():
            for member in members:
                for path in member.paths:
                    found.setdefault(grain.base(path), set()).add((number, grain.released.key(row)))
    return found


def _shared(
    coarse: Grain, measure: Field, members: Sequence[Row], leaves: dict[Hashable, set[Hashable]]
) -> list[list[Path]]:
    """The paths that a distinct count used, by which shown finer rows count their value; those in none are one class."""
    argument = call_of(measure).argument
    assert argument is not None
    used = [use for use in coarse.released.uses(members) if coarse.released.tag(measure, use) is not None]
    seen: dict[Hashable, set[Hashable]] = {}
    for row, path in used:
        value = plain(evaluate(argument, row.values))
        seen.setdefault(value, set()).update(leaves.get(coarse.base(path), set()))
    parts: dict[Hashable, list[Path]] = {}
    for row, path in used:
        parts.setdefault(frozenset(seen[plain(evaluate(argument, row.values))]), []).append(path)
    return list(parts.values())
