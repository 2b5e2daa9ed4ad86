"""What FROM names, and the conditions of ON and WHERE → one relation: joined from left to right, then filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from cleanroom.domain.expression import Call, Column, Expression, all_of, fields_of
from cleanroom.domain.plan import Filter, Join, JoinKind, Relation, Scan
from cleanroom.sql.expressions import condition
from cleanroom.sql.sources import Entry, From, Tables
from cleanroom.sql.terms import Terms

Pair = tuple[Column, Column]


def joined(found: From, where: Sequence[Expression], tables: Tables) -> Relation:
    """The relations joined, then filtered by what else the conditions say.

    An equality between two inner-joined relations joins them, wherever it is written; of several such relations those that
    are linked come first. Of any other join only its own ON counts: equalities between both sides, and conditions over the
    side that may be missing, which filter that side first. What is written behind a RIGHT or FULL join, which brings rows
    of its own, does not reach before it.
    """
    relation, parts = found.entries[0].relation, list[Expression]()
    runs = _runs(found.entries[1:])
    for number, run in enumerate(runs):
        last = number == len(runs) - 1
        parts += [part for entry in run if entry.kind is JoinKind.INNER for part in _conditions(entry, found, tables)]
        relation, parts = _run(relation, run, [*parts, *(where if last else [])], found, tables)
        if not last:
            relation, parts = filtered(relation, parts), []
    return filtered(relation, parts if runs else where)


def _runs(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The entries, a new run beginning with each that brings rows of its own."""
    runs: list[list[Entry]] = []
    for entry in entries:
        if not runs or entry.mirrored or entry.kind is JoinKind.FULL:
            runs.append([])
        runs[-1].append(entry)
    return runs


def _run(
    relation: Relation, run: Sequence[Entry], parts: list[Expression], found: From, tables: Tables
) -> tuple[Relation, list[Expression]]:
    """The relation joined with every entry of the run, and the parts that joined nothing."""
    pairs = [pair for entry in run if entry.kind is JoinKind.INNER for pair in entry.pairs]
    equal = {id(part): pair for part in parts if (pair := _pair(part)) is not None}
    used: list[Pair] = []
    waiting = list(run)
    while waiting:
        entry = _next(relation, waiting, [*pairs, *equal.values()])
        waiting.remove(entry)
        if entry.kind is JoinKind.INNER:
            keys = _across([*pairs, *equal.values()], relation, entry.relation, used)
            relation = _inner(relation, entry, keys, tables)
        else:
            relation, absent = _outer(relation, entry, _conditions(entry, found, tables), parts, tables)
            parts = [part for part in parts if part not in absent]
    return relation, [part for part in parts if equal.get(id(part)) not in used]


def _next(relation: Relation, waiting: Sequence[Entry], pairs: Sequence[Pair]) -> Entry:
    """The first of the inner-joined relations that come next which is linked to what is joined already."""
    leading = list(takewhile(lambda entry: entry.kind is JoinKind.INNER, waiting))
    linked = (entry for entry in leading if _across(pairs, relation, entry.relation, []))
    return next(linked, waiting[0])


def filtered(relation: Relation, parts: Sequence[Expression]) -> Relation:
    """The rows on which every part is TRUE."""
    if not parts:
        return relation
    return Filter(relation, all_of(parts), relation.released)


def conjuncts(expression: Expression) -> list[Expression]:
    """The parts that must all hold; of an OR also what every branch of it says."""
    match expression:
        case Call(function="and", arguments=arguments):
            return [part for argument in arguments for part in conjuncts(argument)]
        case Call(function="or", arguments=arguments):
            branches = [conjuncts(argument) for argument in arguments]
            common = [part for part in branches[0] if all(part in branch for branch in branches[1:])]
            rest = [[part for part in branch if part not in common] for branch in branches]
            if not common:
                return [expression]
            if not all(rest):
                return common
            return [*common, replace(expression, arguments=tuple(map(all_of, rest)))]
    return [expression]


def _conditions(entry: Entry, found: From, tables: Tables) -> list[Expression]:
    terms = Terms(tables.resolution, found.inside, "ON")
    return [part for tree in entry.conditions for part in conjuncts(condition(tree, terms))]


def _pair(expression: Expression) -> Pair | None:
    match expression:
        case Call(function="eq", arguments=(Column() as left, Column() as right)):
            return left, right
    return None


def _across(pairs: Sequence[Pair], left: Relation, right: Relation, used: list[Pair]) -> tuple[Pair, ...]:
    """The pairs that equate a column of each side, the left one first; what is found is added to `used`."""
    left_ids, right_ids = {f.id for f in left.fields}, {f.id for f in right.fields}
    keys: list[Pair] = []
    for one, other in pairs:
        if one.field.id in left_ids and other.field.id in right_ids:
            keys.append((one, other))
            used.append((one, other))
        elif other.field.id in left_ids and one.field.id in right_ids:
            keys.append((other, one))
            used.append((one, other))
    return tuple(keys)


def _inner(left: Relation, entry: Entry, keys: tuple[Pair, ...], tables: Tables) -> Relation:
    right = entry.relation
    _refuse_mixture(left, right, tables)
    at = next((column.at for pair in keys for column in pair if column.at), None)
    at = at or (right.at if isinstance(right, Scan) else None)
    return Join(left, right, JoinKind.INNER, keys, left.released and right.released, at)


def _outer(
    left: Relation, entry: Entry, conditions: Sequence[Expression], where: Sequence[Expression], tables: Tables
) -> tuple[Relation, list[Expression]]:
    """The join, and the parts of WHERE that it has taken up: that a key of the missing side is NULL makes it an ANTI join."""
    kept, missing = (entry.relation, left) if entry.mirrored else (left, entry.relation)
    _refuse_mixture(kept, missing, tables)
    used: list[Pair] = []
    equal = [pair for part in conditions if (pair := _pair(part)) is not None]
    keys = _across([*entry.pairs, *equal], kept, missing, used)
    own = {f.id for f in missing.fields}
    rest = [part for part in conditions if _pair(part) not in used]
    restricting = [part for part in rest if all(f.id in own for f in fields_of(part))]
    for _ in range(len(rest) - len(restricting)):
        tables.resolution.refuse(
            "join.not_allowed",
            f"ON of a {entry.kind.value.upper()} join holds equalities between both sides, and conditions on the joined side.",
            entry.at,
            hint="Put conditions on the other side into WHERE.",
        )
    if not keys and not kept.released:
        tables.resolution.refuse("join.not_allowed", "Rows are joined without an equality of join columns.", entry.at)
    absent = _asked_absent(entry, keys, where)
    kind = JoinKind.ANTI if absent else entry.kind
    right = filtered(missing, restricting)
    return Join(kept, right, kind, keys, kept.released and missing.released, entry.at), absent


def _asked_absent(entry: Entry, keys: tuple[Pair, ...], where: Sequence[Expression]) -> list[Expression]:
    if entry.kind is not JoinKind.LEFT:
        return []
    theirs = {column.field.id for _, column in keys}
    return [part for part in where if _is_null_of(part, theirs)]


def _is_null_of(part: Expression, fields: set[int]) -> bool:
    match part:
        case Call(function="is_null", arguments=(Column(field=found),)):
            return found.id in fields
    return False


def _refuse_mixture(left: Relation, right: Relation, tables: Tables) -> None:
    if left.released != right.released:
        tables.resolution.refuse(
            "sql.unsupported",
            "A released result is not joined with rows.",
            hint="Make both sides releases with the same keys, then join them.",
        )
