"""The plan → where and how each column of a dataset is used: written out to its origin, with all that stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    Missing,
    Place,
    SourceColumn,
    WindowCall,
    children,
    inputs,
    walk,
)
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    Plan,
    Relation,
    Window,
    expressions,
    inputs_of,
    relations,
    releases,
    scans,
)


@dataclass(frozen=True, slots=True)
class Under:
    """Stands around what is in the FILTER of a per-unit aggregate."""

    call: AggregateCall


Around = Expression | AggregateCall | WindowCall | Under
"""What may enclose a column: expressions, and the per-unit aggregates and windows that a value came through."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One mention of a dataset's column in an expression. `around` are the nodes that enclose it, outermost first."""

    column: SourceColumn
    field: Field
    at: Place | None
    around: tuple[Around, ...]

    @property
    def dataset(self) -> DatasetName:
        return self.column.dataset


@dataclass(frozen=True, slots=True)
class Derived:
    """One mention, over rows of people, of a value computed within a privacy unit: by an aggregate or a window."""

    field: Field
    call: AggregateCall | WindowCall
    at: Place | None
    around: tuple[Around, ...]


def write_out(expression: Expression) -> Expression:
    """The expression with every projected column replaced by what it stands for, down to columns of datasets,
    aggregates and windows."""
    match expression:
        case Column(field=found, at=at):
            match found.origin:
                case Literal() | Column() | Call() | Case() | Cast() | Missing() as origin:
                    return _at(write_out(origin), at)
            return expression
        case Call(arguments=arguments):
            return replace(expression, arguments=tuple(write_out(a) for a in arguments))
        case Case(branches=branches, default=default):
            written = tuple((write_out(when), write_out(then)) for when, then in branches)
            return replace(expression, branches=written, default=None if default is None else write_out(default))
        case Cast(argument=argument):
            return replace(expression, argument=write_out(argument))
    return expression


def _at(expression: Expression, at: Place | None) -> Expression:
    """The expression as mentioned at this place: a bare column is reported where it is used, not where it is passed on."""
    return Column(expression.field, at) if at is not None and isinstance(expression, Column) else expression


def mentions(expression: Expression) -> Iterator[Occurrence]:
    """Every mention of a dataset's column in the expression, written out; what aggregates and windows read is not in it."""
    return (found for found in _found(write_out(expression), (), None, deep=False) if isinstance(found, Occurrence))


def occurrences(expression: Expression) -> Iterator[Occurrence]:
    """Every mention of a dataset's column whose values are in the expression's, through per-unit values too."""
    return (found for found in _found(write_out(expression), (), None, deep=True) if isinstance(found, Occurrence))


def derived(expression: Expression) -> Iterator[Derived]:
    """Every mention of a per-unit value in the expression, also of one computed from another."""
    return (found for found in _found(write_out(expression), (), None, deep=True) if isinstance(found, Derived))


def _found(
    expression: Expression, around: tuple[Around, ...], used: Place | None, *, deep: bool
) -> Iterator[Occurrence | Derived]:
    """`used`: where a per-unit value is used that the expression is the inside of; findings name that place."""
    if isinstance(expression, Column):
        at = used or expression.at
        match expression.field.origin:
            case SourceColumn() as origin:
                yield Occurrence(origin, expression.field, at, around)
            case AggregateCall() | WindowCall() as call if deep:
                yield Derived(expression.field, call, at, around)
                for part, through in values_of(call):
                    yield from _found(write_out(part), (*around, expression, through), at, deep=deep)
    for child in children(expression):
        yield from _found(child, (*around, expression), used, deep=deep)


def values_of(call: AggregateCall | WindowCall) -> tuple[tuple[Expression, Around], ...]:
    """What the value of a per-unit aggregate or window tells about, and how: what merely orders or parts rows is not in it."""
    match call:
        case AggregateCall(argument=argument, condition=condition):
            own: tuple[tuple[Expression, Around], ...] = () if argument is None else ((argument, call),)
            return own if condition is None else (*own, (condition, Under(call)))
        case WindowCall(arguments=arguments):
            return tuple((argument, call) for argument in arguments)


def sources_read(expression: Expression, root: Relation) -> frozenset[SourceId]:
    """The sources whose rows the expression tells about: of its columns, and all whose rows a per-unit value counts,
    orders or chooses among."""
    found = {occurrence.column.source for occurrence in occurrences(expression)}
    for value in derived(expression):
        for relation in relations(root):
            match relation:
                case Aggregate(input=below, measures=made) | Window(input=below, calls=made) if value.field in made:
                    found |= {scan.source for scan in scans(below)}
    return frozenset(found)


def value_fields(value: Expression) -> Iterator[Field]:
    """The columns whose values are added up: not those that a CASE merely asks about."""
    match value:
        case Column(field=field):
            yield field
        case Case(branches=branches, default=default):
            for part in (*(then for _, then in branches), *([] if default is None else [default])):
                yield from value_fields(part)
        case _:
            for part in children(value):
                yield from value_fields(part)


def source_column(expression: Expression) -> tuple[SourceColumn, Field] | None:
    """The dataset's column that the expression is, bare; None where it is anything else."""
    written = write_out(expression)
    if isinstance(written, Column) and isinstance(written.field.origin, SourceColumn):
        return written.field.origin, written.field
    return None


def group_keys(plan: Plan) -> Iterator[tuple[Aggregate, Field]]:
    """Every key of every release."""
    return ((release, key) for release in releases(plan.root) for key in release.keys)


def measures(plan: Plan) -> Iterator[tuple[Aggregate, Field]]:
    """Every aggregate of every release."""
    return ((release, measure) for release in releases(plan.root) for measure in release.measures)


def per_unit_tables(plan: Plan) -> tuple[Aggregate, ...]:
    """Every aggregate whose rows are still people's."""
    return tuple(r for r in relations(plan.root) if isinstance(r, Aggregate) and not r.released)


def rows_parted(plan: Plan) -> Iterator[tuple[Relation, tuple[Expression, ...], tuple[Expression, ...]]]:
    """Where the rows of one person are parted and ordered: over which relation, by what, and in which order."""
    for relation in relations(plan.root):
        match relation:
            case Aggregate(input=below, keys=keys, measures=made, released=False) if not below.released:
                second = (m.origin.second for m in made if isinstance(m.origin, AggregateCall))
                parting = tuple(part for key in keys for part in inputs(key.origin))
                yield below, parting, tuple(part for part in second if part is not None)
            case Window(input=below, calls=calls, released=False):
                for call in (made.origin for made in calls):
                    if isinstance(call, WindowCall):
                        yield below, call.partition, tuple(key.expression for key in call.order)


def predicates(plan: Plan) -> Iterator[Expression]:
    """Every condition over rows of people: on whole rows, and on those that one aggregate takes."""
    for relation in relations(plan.root):
        match relation:
            case Filter(predicate=predicate, released=False):
                yield predicate
            case Aggregate(input=below, measures=found) if not below.released:
                for measure in found:
                    if isinstance(measure.origin, AggregateCall) and not measure.origin.hidden:
                        yield from conditions_in(measure.origin)
            case Window(calls=calls, released=False):
                for call in (made.origin for made in calls):
                    if isinstance(call, WindowCall):
                        yield from (when for part in call.arguments for when in _cases(part))


def conditions_in(call: AggregateCall) -> Iterator[Expression]:
    """What decides which rows the aggregate takes, and how: its FILTER, and every WHEN of a CASE in its argument."""
    if call.condition is not None:
        yield call.condition
    for part in (call.argument, call.second):
        if part is not None:
            yield from _cases(part)


def _cases(part: Expression) -> Iterator[Expression]:
    return (when for node in walk(write_out(part)) if isinstance(node, Case) for when, _ in node.branches)


def joins(plan: Plan) -> Iterator[Join]:
    """Every join of rows of people."""
    return (r for r in relations(plan.root) if isinstance(r, Join) and not r.released)


def all_mentions(plan: Plan) -> Iterator[Occurrence]:
    """Every mention of a dataset's column anywhere, over rows and over groups, read or not, in the order of the plan."""
    for root in (plan.root, *plan.unused):
        for relation in relations(root):
            for expression in expressions(relation):
                yield from mentions(expression)


def expressions_over_rows(plan: Plan) -> Iterator[Expression]:
    """Everything that is computed from rows of people; groups are past judging."""
    for relation in relations(plan.root):
        if not all(below.released for below in inputs_of(relation)):
            yield from expressions(relation)


_COMPARING = frozenset(
    {"eq", "ne", "lt", "le", "gt", "ge", "in", "like", "ilike", "nullif", "distinct_from", "not_distinct_from"}
)


def comparisons(expression: Expression) -> Iterator[Call]:
    """Every comparison in the expression, written out, of which more than one side holds a column."""
    for node in walk(write_out(expression)):
        if isinstance(node, Call) and node.function in _COMPARING:
            sides = [any(True for _ in _found(argument, (), None, deep=True)) for argument in node.arguments]
            if sum(sides) > 1:
                yield node
