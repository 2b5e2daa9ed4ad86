"""Releases → those over the same rows, by what their plans mean; and the keys of one in the words of another (SEMANTICS 3)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

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
    SourceColumn,
    WindowCall,
)
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    Plan,
    Project,
    Relation,
    Scan,
    Window,
    carried,
    relations,
    releases,
)


@dataclass(slots=True)
class _Names:
    """Numbers for the scans of one population, in the order in which they are met.

    `below`: over which rows each aggregate and window of the population is computed, by its field's id.
    """

    sources: dict[int, int] = field(default_factory=dict)
    below: dict[int, Relation] = field(default_factory=dict)
    known: dict[int, Hashable] = field(default_factory=dict)

    def of(self, source: int) -> int:
        return self.sources.setdefault(source, len(self.sources))


@dataclass(frozen=True, slots=True)
class Population:
    """What the rows of a release mean, whatever its columns are called: equal for releases over the same rows."""

    rows: Hashable
    names: _Names

    def meaning(self, expression: Expression) -> Hashable:
        """What an expression over these rows means; equal for equal ones of another release over the same rows."""
        return _meaning(expression, self.names)


def population(relation: Relation) -> Population:
    names = _Names()
    for found in relations(relation):
        match found:
            case Aggregate(measures=made) | Window(calls=made):
                names.below |= {made_field.id: found.input for made_field in made}
    return Population(_rows(relation, names), names)


def families(plan: Plan) -> tuple[tuple[Aggregate, ...], ...]:
    """The releases of the plan, those over the same rows together, in the order of the plan."""
    found: dict[Hashable, list[Aggregate]] = {}
    for release in releases(plan.root):
        found.setdefault(population(release.input).rows, []).append(release)
    return tuple(map(tuple, found.values()))


def in_words_of(release: Aggregate, other: Aggregate) -> tuple[Field, ...] | None:
    """The keys of `other`, which is over the same rows, as keys over the rows of `release`; None where one has no such form."""
    ours, theirs = population(release.input), population(other.input)
    own = {ours.meaning(key.origin): key for key in release.keys if not isinstance(key.origin, _COMPUTED)}
    columns = {ours.meaning(Column(f)): f for f in sorted(carried(release.input), key=lambda f: -f.id)}
    keys: list[Field] = []
    for key in other.keys:
        assert not isinstance(key.origin, _COMPUTED)
        meaning = theirs.meaning(key.origin)
        if meaning in own:
            keys.append(own[meaning])
            continue
        said = _said(key.origin, theirs, columns)
        if said is None:
            return None
        keys.append(replace(key, origin=said))
    return tuple(keys)


_COMPUTED = (SourceColumn, AggregateCall, WindowCall)


def _said(expression: Expression, theirs: Population, columns: dict[Hashable, Field]) -> Expression | None:
    """The expression with every column replaced by the one that means the same."""
    match expression:
        case Column():
            known = columns.get(theirs.meaning(expression))
            return None if known is None else Column(known)
        case Call(arguments=arguments):
            parts = _all_said(arguments, theirs, columns)
            return None if parts is None else replace(expression, arguments=parts)
        case Cast(argument=argument):
            inner = _said(argument, theirs, columns)
            return None if inner is None else replace(expression, argument=inner)
        case Case(branches=branches, default=default):
            flat = [part for branch in branches for part in branch] + ([] if default is None else [default])
            said = _all_said(flat, theirs, columns)
            if said is None:
                return None
            pairs = tuple((said[2 * i], said[2 * i + 1]) for i in range(len(branches)))
            return replace(expression, branches=pairs, default=None if default is None else said[-1])
    return expression


def _all_said(
    parts: Sequence[Expression], theirs: Population, columns: dict[Hashable, Field]
) -> tuple[Expression, ...] | None:
    said = [_said(part, theirs, columns) for part in parts]
    found = tuple(part for part in said if part is not None)
    return found if len(found) == len(said) else None


def _rows(relation: Relation, names: _Names) -> Hashable:
    """What decides which rows there are; projections and windows decide nothing."""
    if id(relation) not in names.known:
        names.known[id(relation)] = _rows_of(relation, names)
    return names.known[id(relation)]


def _rows_of(relation: Relation, names: _Names) -> Hashable:
    match relation:
        case Scan(source=source, dataset=dataset):
            return ("scan", names.of(source), dataset)
        case Project(input=below) | Window(input=below):
            return _rows(below, names)
        case Filter():
            below, parts = _filters(relation)
            rows = _rows(below, names)
            return ("filter", rows, frozenset(_meaning(part, names) for part in parts))
        case Join(left=left, right=right, kind=kind, keys=keys):
            sides = (_rows(left, names), _rows(right, names))
            pairs = frozenset((_meaning(one, names), _meaning(other, names)) for one, other in keys)
            return ("join", kind, sides, pairs)
        case Aggregate(input=below, keys=keys):
            rows = _rows(below, names)
            # In their order: it settles which of one person's rows comes first.
            return ("per unit", rows, tuple(_meaning(Column(key), names) for key in keys))
    return ("other", id(relation))


def _filters(relation: Relation) -> tuple[Relation, list[Expression]]:
    """The filters that stand upon each other, as one list of parts that must all hold."""
    parts: list[Expression] = []
    while isinstance(relation, Filter | Project | Window):
        if isinstance(relation, Filter):
            parts += _parts(relation.predicate)
        relation = relation.input
    return relation, parts


def _parts(predicate: Expression) -> Iterator[Expression]:
    match predicate:
        case Call(function="and", arguments=arguments):
            for part in arguments:
                yield from _parts(part)
        case _:
            yield predicate


def _meaning(expression: Expression, names: _Names) -> Hashable:
    match expression:
        case Literal(value=value, type=kind):
            return ("literal", type(value).__name__, value, str(kind))
        case Column(field=found):
            return _of_field(found, names)
        case Call(function=function, arguments=arguments):
            return (function, *(_meaning(part, names) for part in arguments))
        case Case(branches=branches, default=default):
            cases = tuple((_meaning(when, names), _meaning(then, names)) for when, then in branches)
            return ("case", cases, None if default is None else _meaning(default, names))
        case Cast(argument=argument, type=kind):
            return ("cast", _meaning(argument, names), str(kind))
        case Missing():
            return ("missing", id(expression))


def _computed_over(found: Field, names: _Names) -> Hashable:
    """The rows that an aggregate or window looks at: the same call over others is another value."""
    below = names.below.get(found.id)
    return ("nothing known", found.id) if below is None else _rows(below, names)


def _of_field(found: Field, names: _Names) -> Hashable:
    match found.origin:
        case SourceColumn(source=source, column=column):
            return ("column", names.of(source), column)
        case AggregateCall(function=function, argument=argument, condition=condition, second=second):
            parts = (None if part is None else _meaning(part, names) for part in (argument, condition, second))
            return ("aggregate", function, *parts, _computed_over(found, names))
        case WindowCall(function=function, arguments=arguments, partition=partition, order=order, frame=frame):
            sort = tuple((_meaning(key.expression, names), key.descending, key.nulls_first) for key in order)
            inside = tuple(_meaning(part, names) for part in (*arguments, *partition))
            return ("window", function, len(arguments), inside, sort, frame, _computed_over(found, names))
        case origin:
            return _meaning(origin, names)
