"""An aggregate of a release → what makes its cell stand for some of its row's people (SEMANTICS 3, conditional cells)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from cleanroom.domain.dependencies import Facts, Node
from cleanroom.domain.expression import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Column,
    Expression,
    Field,
    Literal,
    all_of,
    children,
    fields_of,
    inputs,
    present,
    walk,
)
from cleanroom.domain.types import BIGINT, BOOLEAN

TRUE = Literal(True, BOOLEAN)


@dataclass(frozen=True, slots=True)
class Condition:
    """`own`: the rows that the cell is made of. `splits`: what else sorts those rows into ones that count differently.

    `fed`: those of the splits that tell whether a person's rows feed the cell at all: of such there must be enough.
    """

    own: Expression
    splits: tuple[Expression, ...]
    fed: tuple[Expression, ...] = ()


def condition_of(call: AggregateCall, known: Facts) -> Condition | None:
    """The condition of the cell; None where it stands for all of its row's people alike."""
    arguments = [readable_form(part, known) for part in (call.argument, call.second) if part is not None]
    there = [present(part) for part in arguments if _may_be_null(part, known)]
    own = [*([call.condition] if call.condition is not None else []), *there]
    splits = tuple(dict.fromkeys([*(s for part in arguments for s in _splits(part)), *_matches(call, known)]))
    if not own and not splits:
        return None
    return Condition(all_of(own), splits, tuple(fed for part in arguments for fed in _fed(part)))


def readable_form(expression: Expression, known: Facts) -> Expression:
    """The expression over what can still be read of the rows: a key of a per-unit table is not taken apart further."""
    match expression:
        case Column(field=Field(origin=Column() | Call() | Case() | Cast() | Literal() as origin)):
            readable = all(field.id in known.owners for field in fields_of(origin))
            return readable_form(origin, known) if readable else expression
        case Call(arguments=arguments):
            return replace(expression, arguments=tuple(readable_form(part, known) for part in arguments))
        case Case(branches=branches, default=default):
            written = tuple((readable_form(when, known), readable_form(then, known)) for when, then in branches)
            return replace(
                expression, branches=written, default=None if default is None else readable_form(default, known)
            )
        case Cast(argument=argument):
            return replace(expression, argument=readable_form(argument, known))
    return expression


def _may_be_null(argument: Expression, known: Facts) -> bool:
    match argument:
        case Literal(value=value):
            return value is None
        case Column(field=field):
            return field.nullable or _is_optional(argument, known)
        case Call(function="coalesce" | "least" | "greatest", arguments=parts):
            return all(_may_be_null(part, known) for part in parts)
        case Case(branches=branches, default=default):
            return default is None or any(_may_be_null(value, known) for value in (*(v for _, v in branches), default))
    return True


def _is_optional(argument: Expression, known: Facts) -> bool:
    return any(row in known.optional for row in _rows(argument, known))


def _rows(expression: Expression, known: Facts) -> frozenset[Node]:
    """The rows that the expression reads values of."""
    return frozenset(row for field in fields_of(expression) for row in known.owners.get(field.id, known.rows))


def _fed(argument: Expression) -> Iterator[Expression]:
    for node in walk(argument):
        match node:
            case Column(field=Field(origin=AggregateCall(among=(some, _)))):
                yield Call("gt", (Column(some), Literal(0, BIGINT)), BOOLEAN)


def _splits(argument: Expression) -> Iterator[Expression]:
    """Every branch, every side of a clamp, every NULL that is filled: rows on both sides of it count differently."""
    match argument:
        case Column(field=Field(origin=AggregateCall(among=(some, every)))):
            # A person's rows that feed the value, and those that do not, are as much an atom as people are.
            yield Call("gt", (Column(some), Literal(0, BIGINT)), BOOLEAN)
            yield Call("gt", (Column(every), Column(some)), BOOLEAN)
        case Case(branches=branches, default=default):
            yield from (when for when, _ in branches)
            for value in (*(v for _, v in branches), *([] if default is None else [default])):
                yield from _splits(value)
        case Call(function="least" | "greatest" | "coalesce" as name, arguments=parts):
            inner = [part for part in parts if not isinstance(part, Literal)]
            for value in inner:
                yield Call("is_null", (value,), BOOLEAN)
                yield from _splits(value)
                if name != "coalesce":
                    beyond = "gt" if name == "least" else "lt"
                    yield from (Call(beyond, (value, bound), BOOLEAN) for bound in parts if isinstance(bound, Literal))
        case _:
            for part in children(argument):
                yield from _splits(part)


def _matches(call: AggregateCall, known: Facts) -> Iterator[Expression]:
    """Whether there is a match, of each source that may have none: where the cell reads it, or counts joined rows."""
    rows = frozenset(row for part in inputs(call) for row in _rows(part, known))
    counts_rows = call.function in ("count_rows", "count")
    for unit in known.units:
        read = any(unit.scan in known.scans[row] for row in rows)
        if unit.optional and (counts_rows or read):
            yield present(Column(unit.field))
