"""A release → the owners' promises that judging it relied on, to be checked on the query's own snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from cleanroom.domain.dependencies import Datasets, determined, facts
from cleanroom.domain.expression import AggregateCall, Call, Field, WindowCall, inputs, walk
from cleanroom.domain.functions import AGGREGATES
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Relation, Window, expressions, relations
from cleanroom.domain.steps import Claim
from cleanroom.rules.overlap import counted_people
from cleanroom.rules.per_unit import as_keys
from cleanroom.rules.repeats import owners_of
from cleanroom.rules.uses import occurrences, write_out


def claims_of(release: Aggregate, datasets: Datasets) -> frozenset[Claim]:
    """Every promise of a dataset's document without which this release would have been refused, or typed otherwise."""
    found: set[Claim] = set()
    for relation in relations(release):
        if not _of_people(relation):
            continue
        found |= set(_matches_asked(relation, datasets))
        match relation:
            case Aggregate(input=below, keys=keys, measures=measures):
                found |= determined(facts(below, datasets), keys)[2]
                for measure in measures:
                    found |= set(_of_measure(measure, below, datasets))
            case Window(input=below, calls=calls):
                for call in (f.origin for f in calls):
                    if isinstance(call, WindowCall):
                        found |= determined(facts(below, datasets), as_keys(call))[2]
                        found |= set(_rows_single(call, below, datasets))
            case Join(kind=JoinKind.ANTI):
                found |= set(_keys_present(relation, datasets))
    found |= counted_people(facts(release.input, datasets))[1]
    return frozenset(found)


def _of_people(relation: Relation) -> bool:
    match relation:
        case Aggregate(input=below):
            return not below.released
    return not relation.released


def _of_measure(measure: Field, below: Relation, datasets: Datasets) -> Iterator[Claim]:
    call = measure.origin
    assert isinstance(call, AggregateCall)
    units = {unit.field for unit in facts(below, datasets).units}
    for part in inputs(call):
        for found in occurrences(part):
            if not found.field.nullable and found.field not in units:
                yield Claim(found.dataset, (found.column.column,), unique=False)
    yield from _rows_single(call, below, datasets)


def _rows_single(call: AggregateCall | WindowCall, below: Relation, datasets: Datasets) -> Iterator[Claim]:
    """That nothing repeats the rows which a sum reads."""
    known = facts(below, datasets)
    if call.function in AGGREGATES and AGGREGATES[call.function].sensitive and len(known.rows) > 1:
        values = (call.argument, call.second) if isinstance(call, AggregateCall) else call.arguments[:1]
        for value in values:
            if value is not None:
                owners = owners_of(value, known)
                for start in (owners, *(frozenset({row}) for row in sorted(owners))):
                    yield from known.closure(start, matched=True)[1]


def _keys_present(join: Join, datasets: Datasets) -> Iterator[Claim]:
    """That keys which are said never to be NULL are not: NOT IN finds nothing absent from a list with a NULL in it."""
    for key in (column for pair in join.keys for column in pair):
        for found in occurrences(key):
            declared = datasets[found.dataset].column(found.column.column)
            unit = found.column.column in datasets[found.dataset].privacy_units
            if declared is not None and not declared.nullable and not unit:
                yield Claim(found.dataset, (found.column.column,), unique=False)


def _matches_asked(relation: Relation, datasets: Datasets) -> Iterator[Claim]:
    """That a column asked to be NULL is so for want of a match alone."""
    for node in (node for expression in expressions(relation) for node in walk(write_out(expression))):
        if isinstance(node, Call) and node.function == "is_null":
            for found in occurrences(node):
                declared = datasets[found.dataset].column(found.column.column)
                if declared is not None and not declared.nullable:
                    yield Claim(found.dataset, (found.column.column,), unique=False)
