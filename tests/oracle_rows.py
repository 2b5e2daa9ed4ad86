"""Plan and raw tables → people's rows, each with the base rows behind it. Brute force: nested loops and sets, nothing clever.

A *path* is one joined row of base rows: a set of (source, number of the row). A row of people has several paths once it
was made of several rows: those of one person's aggregate, or the matches of a semi-join. A *trace* says of a computed
value which of its row's paths it used, and on which branch.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import TypeAlias

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    SourceColumn,
    Value,
    WindowCall,
    children,
    fields_of,
    inputs,
    walk,
)
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Project,
    Relation,
    Scan,
    Window,
    inputs_of,
    relations,
    scans,
)
from cleanroom.engines.memory_aggregates import aggregate
from cleanroom.engines.memory_expressions import evaluate
from cleanroom.engines.memory_windows import windowed

Datasets: TypeAlias = Mapping[DatasetName, Sequence[Mapping[str, Value]]]
Path: TypeAlias = frozenset[tuple[SourceId, int]]
CHOOSING = ("coalesce", "greatest", "least")


@dataclass(frozen=True, slots=True)
class Trace:
    """Which paths a value used: those in `tags`, each by its branches. Of paths only what is of `sources` counts."""

    sources: frozenset[SourceId]
    tags: Mapping[Path, Hashable]

    def tag(self, path: Path) -> Hashable:
        """The branches on which this path was used; None where it was not."""
        return self.tags.get(frozenset(part for part in path if part[0] in self.sources))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of people: its values by field id, the paths behind it, and the traces of values that use not all of them."""

    values: Mapping[int, Value]
    paths: tuple[Path, ...]
    traces: Mapping[int, Trace] = field(default_factory=dict)


def plain(value: Value) -> Hashable:
    """Hashable, and equal where SQL groups together."""
    if isinstance(value, float) and math.isnan(value):
        return "nan", None
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return datetime.datetime(value.year, value.month, value.day)
    return value


def _looked_up(root: Relation) -> frozenset[SourceId]:
    """The sources that rows only have a match in: one row of theirs may be behind several."""
    semi = (j for j in relations(root) if isinstance(j, Join) and j.kind is JoinKind.SEMI)
    return frozenset(scan.source for join in semi for scan in scans(join.right))


class People:
    """Who the base rows of the scans below a relation belong to."""

    def __init__(self, root: Relation, datasets: Datasets) -> None:
        self.scans = tuple(sorted(_behind(root), key=lambda scan: scan.source))
        self.looked_up = _looked_up(root)
        self.columns = tuple((scan, unit.name) for scan in self.scans for unit in scan.units)
        self._rows = {scan.source: datasets[scan.dataset] for scan in self.scans}

    def units(self, scan: Scan, column: str, paths: Iterable[Path]) -> frozenset[Hashable]:
        """The distinct people of one unit column of one scan behind the paths."""
        numbers = {number for path in paths for source, number in path if source == scan.source}
        return frozenset(plain(self._rows[scan.source][number][column]) for number in numbers)

    def behind(self, dataset: DatasetName, column: str, paths: Sequence[Path]) -> frozenset[Hashable]:
        """The distinct values of a dataset's column behind the paths, of all its scans."""
        found = (self.units(scan, column, paths) for scan in self.scans if scan.dataset == dataset)
        return frozenset().union(*found)


def _behind(relation: Relation) -> Iterator[Scan]:
    """The scans whose people a row can have behind it: not those that an anti-join only looks at."""
    match relation:
        case Scan():
            yield relation
        case Join(left=left, kind=JoinKind.ANTI):
            yield from _behind(left)
        case _:
            for below in inputs_of(relation):
                yield from _behind(below)


# --- what depends on which source ----------------------------------------------------------------------------------


class Sources:
    """From which scans below a relation each field is computed."""

    def __init__(self, root: Relation) -> None:
        self._of: dict[int, frozenset[SourceId]] = {}
        for relation in relations(root):
            below = frozenset(scan.source for scan in scans(relation))
            match relation:
                case Scan(fields=fields):
                    self._of.update({f.id: below for f in fields})
                case Aggregate(keys=keys, measures=measures):
                    self._of.update({f.id: self.all_of(inputs(f.origin)) for f in keys})
                    self._of.update({f.id: below - _looked_up(relation) for f in measures})
                case Window(calls=calls):
                    self._of.update({f.id: below for f in calls})
                case Project(fields=fields):
                    self._of.update({f.id: self.of_field(f) for f in fields})

    def of_field(self, of: Field) -> frozenset[SourceId]:
        return self._of[of.id] if of.id in self._of else self.all_of(inputs(of.origin))

    def all_of(self, expressions: Iterable[Expression]) -> frozenset[SourceId]:
        """The scans that these expressions look at."""
        fields = (f for expression in expressions for f in fields_of(expression))
        return frozenset().union(*(self.of_field(f) for f in fields))


# --- rows ----------------------------------------------------------------------------------------------------------


def rows_of(relation: Relation, datasets: Datasets) -> list[Row]:
    """The rows of a relation over people. An operator that chooses or mixes people is an AssertionError."""
    match relation:
        case Scan():
            return _scanned(relation, datasets)
        case Filter(input=below, predicate=predicate):
            return [row for row in rows_of(below, datasets) if evaluate(predicate, row.values) is True]
        case Project(input=below, fields=fields):
            sources = frozenset(scan.source for scan in scans(below))
            return [_projected(fields, row, sources) for row in rows_of(below, datasets)]
        case Join(left=left, right=right):
            return _joined(relation, rows_of(left, datasets), rows_of(right, datasets))
        case Aggregate(input=below):
            return _per_unit(relation, rows_of(below, datasets), People(below, datasets))
        case Window(input=below):
            return _windowed(relation, rows_of(below, datasets), People(below, datasets))
        case _:
            raise AssertionError(f"{type(relation).__name__} over rows of people")


def grouped(keys: Sequence[Field], rows: Iterable[Row]) -> dict[tuple[Hashable, ...], list[Row]]:
    """The rows of every group; without keys one group, even of no rows."""
    groups: dict[tuple[Hashable, ...], list[Row]] = {} if keys else {(): []}
    for row in rows:
        groups.setdefault(tuple(plain(value_of(key, row)) for key in keys), []).append(row)
    return groups


def value_of(of: Field, row: Row) -> Value:
    """The field's value: passed on as it is, or computed."""
    if of.id in row.values:
        return row.values[of.id]
    return evaluate(of.origin, row.values)  # type: ignore[arg-type]


def _scanned(scan: Scan, datasets: Datasets) -> list[Row]:
    rows = []
    for number, row in enumerate(datasets[scan.dataset]):
        values = {f.id: row[f.origin.column] for f in scan.fields if isinstance(f.origin, SourceColumn)}
        allowed = scan.row_filter is None or evaluate(scan.row_filter, values) is True
        if allowed and all(values[unit.id] is not None for unit in scan.units):
            rows.append(Row(values, (frozenset({(scan.source, number)}),)))
    return rows


def _projected(fields: Sequence[Field], row: Row, sources: frozenset[SourceId]) -> Row:
    # Fields below stay: hidden units travel with their rows.
    values = {**row.values, **{f.id: value_of(f, row) for f in fields}}
    traces = dict(row.traces)
    for made in fields:
        if made.id not in row.values and _has_trace(made.origin, row):  # type: ignore[arg-type]
            traces[made.id] = Trace(sources, used_paths(made.origin, row))  # type: ignore[arg-type]
    return Row(values, row.paths, traces)


def _joined(join: Join, left: Sequence[Row], right: Sequence[Row]) -> list[Row]:
    """Nested loops; NULL joins nothing. Whoever has matches in a semi-join has all of them behind it."""
    rows: list[Row] = []
    theirs = [(_join_key([key for _, key in join.keys], row), row) for row in right]
    for one in left:
        mine = _join_key([key for key, _ in join.keys], one)
        matches = [other for key, other in theirs if key == mine and None not in key]
        match join.kind:
            case JoinKind.SEMI if matches:
                rows.append(Row(one.values, _together(one.paths, [p for m in matches for p in m.paths]), one.traces))
            case JoinKind.ANTI if not matches:
                rows.append(one)
            case JoinKind.INNER | JoinKind.LEFT if matches:
                rows += [_side_by_side(one, other) for other in matches]
            case JoinKind.LEFT:
                rows.append(Row({**one.values, **{f.id: None for f in join.right.fields}}, one.paths, one.traces))
            case JoinKind.FULL:
                raise AssertionError("a full join of people's rows")
    return rows


def _side_by_side(one: Row, other: Row) -> Row:
    paths = _together(one.paths, other.paths)
    return Row({**one.values, **other.values}, paths, {**one.traces, **other.traces})


def _together(left: Sequence[Path], right: Sequence[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(mine | theirs for mine, theirs in product(left, right)))


def _join_key(keys: Sequence[Column], row: Row) -> tuple[Hashable, ...]:
    return tuple(plain(row.values[key.field.id]) for key in keys)


def _per_unit(made: Aggregate, rows: Sequence[Row], people: People) -> list[Row]:
    """One row a group, each of which is of one person of every source."""
    assert made.keys, "people's rows in one heap that is not released"
    sources = frozenset(scan.source for scan in people.scans)
    read = Sources(made.input)
    result = []
    for members in grouped(made.keys, rows).values():
        paths = tuple(dict.fromkeys(path for row in members for path in row.paths))
        _assert_one_person(people, paths, "a group that is not released")
        assert_not_repeated(made.measures, members, read)
        values = {key.id: value_of(key, members[0]) for key in made.keys}
        values |= {m.id: aggregate(call_of(m), [row.values for row in members]) for m in made.measures}
        traces = {m.id: Trace(sources, _aggregated_paths(call_of(m), members)) for m in made.measures}
        result.append(Row(values, paths, traces))
    return result


def _windowed(window: Window, rows: Sequence[Row], people: People) -> list[Row]:
    found: dict[int, list[Value]] = {}
    for call in window.calls:
        assert isinstance(call.origin, WindowCall)
        partitions: dict[Hashable, list[Row]] = {}
        for row in rows:
            name = tuple(plain(evaluate(part, row.values)) for part in call.origin.partition)
            partitions.setdefault(name, []).append(row)
        for members in partitions.values():
            _assert_one_person(people, [p for row in members for p in row.paths], "a window's partition")
        found[call.id] = windowed(call.origin, [row.values for row in rows])
    return [
        Row({**row.values, **{name: values[at] for name, values in found.items()}}, row.paths, row.traces)
        for at, row in enumerate(rows)
    ]


def assert_not_repeated(measures: Sequence[Field], members: Sequence[Row], sources: Sources) -> None:
    """A sum, a mean and the like read each base row once: how often one comes would be a second, hidden factor."""
    for measure in measures:
        call = call_of(measure)
        if call.argument is None or not AGGREGATES[call.function].sensitive:
            continue
        read = sources.all_of(Column(f) for f in _added_up(call.argument))
        seen: set[tuple[SourceId, int]] = set()
        for row in members:
            mine = {part for path in row.paths for part in path if part[0] in read}
            assert not mine & seen, f"{measure.name} reads a row of one source several times"
            seen |= mine


def _added_up(expression: Expression) -> Iterator[Field]:
    """The columns whose values an aggregate adds up, not those that a CASE merely asks about."""
    match expression:
        case Column(field=named):
            if isinstance(named.origin, SourceColumn | AggregateCall | WindowCall):
                yield named
            else:
                yield from _added_up(named.origin)
        case Case(branches=branches, default=default):
            for part in (*(value for _, value in branches), *([] if default is None else [default])):
                yield from _added_up(part)
        case _:
            for part in children(expression):
                yield from _added_up(part)


def _assert_one_person(people: People, paths: Sequence[Path], what: str) -> None:
    """Of every source whose rows these are: who was merely looked up by a semi-join may be several to one key."""
    for scan, column in people.columns:
        count = 0 if scan.source in people.looked_up else len(people.units(scan, column, paths))
        assert count <= 1, f"{what} mixes {count} {column} of {scan.dataset}"


def call_of(measure: Field) -> AggregateCall:
    assert isinstance(measure.origin, AggregateCall)
    return measure.origin


def meets(call: AggregateCall, row: Row) -> bool:
    """Whether the aggregate looks at the row: its condition is TRUE there and no argument NULL."""
    known = all(evaluate(a, row.values) is not None for a in (call.argument, call.second) if a is not None)
    return known and (call.condition is None or evaluate(call.condition, row.values) is True)


# --- which paths a value used --------------------------------------------------------------------------------------


def used_paths(expression: Expression, row: Row) -> dict[Path, Hashable]:
    """The paths of the row that the value is computed from, each with the branches on which it is."""
    if evaluate(expression, row.values) is None:
        return {}
    return {path: tag for path in row.paths if (tag := tag_of(expression, row, path)) is not None}


def tag_of(expression: Expression, row: Row, path: Path) -> Hashable:
    """On which branches the value used this path; None where it did not."""
    match expression:
        case Literal(value=value):
            return None if value is None else ()
        case Column(field=named):
            return row.traces[named.id].tag(path) if named.id in row.traces else ()
        case Cast(argument=argument):
            return tag_of(argument, row, path)
        case Case():
            number, chosen = _branch(expression, row)
            tag = None if chosen is None else tag_of(chosen, row, path)
            return None if tag is None else ("case", number, tag)
        case Call(function=name, arguments=arguments) if name in CHOOSING:
            return _chosen(name, arguments, row, path)
        case Call(arguments=arguments):
            tags = [tag_of(a, row, path) for a in arguments if not isinstance(a, Literal)]
            return None if tags and all(tag is None for tag in tags) else tuple(tags)
        case _:
            raise AssertionError("an expression that was never resolved")


def _branch(case: Case, row: Row) -> tuple[int, Expression | None]:
    for number, (condition, value) in enumerate(case.branches):
        if evaluate(condition, row.values) is True:
            return number, value
    return len(case.branches), case.default


def _chosen(name: str, arguments: Sequence[Expression], row: Row, path: Path) -> Hashable:
    """The side of a clamp: the argument whose value it is. Of equal ones not the literal: either side says the same of it."""
    values = [evaluate(argument, row.values) for argument in arguments]
    known = [(i, v) for i, v in enumerate(values) if v is not None]
    if name == "coalesce":
        at = known[0][0]
    else:
        result = (min if name == "least" else max)(v for _, v in known)  # type: ignore[type-var]
        equal = [i for i, v in known if v == result]
        at = next((i for i in equal if not isinstance(arguments[i], Literal)), equal[0])
    if name == "coalesce" or None in values:
        tag = tag_of(arguments[at], row, path)  # what was NULL used no path: the literal stands for the row
    else:
        tags = [tag_of(a, row, path) for a in arguments if not isinstance(a, Literal)]
        tag = tuple(tags) if any(t is not None for t in tags) or not tags else None
    return None if tag is None else (name, at, tag)


def _has_trace(expression: Expression, row: Row) -> bool:
    return any(
        isinstance(node, Case)
        or (isinstance(node, Call) and node.function in CHOOSING)
        or (isinstance(node, Column) and node.field.id in row.traces)
        for node in walk(expression)
    )


def _aggregated_paths(call: AggregateCall, members: Sequence[Row]) -> dict[Path, Hashable]:
    paths: dict[Path, Hashable] = {}
    for row in members:
        if meets(call, row):
            paths |= dict.fromkeys(row.paths, ()) if call.argument is None else used_paths(call.argument, row)
    return paths
