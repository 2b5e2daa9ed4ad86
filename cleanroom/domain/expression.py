"""Typed scalar expressions of the plan. Six closed node classes; a column is named by its field, never by text."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.types import BOOLEAN, UNKNOWN, DataType

Value = bool | int | Decimal | float | str | datetime.date | datetime.datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the analyst's text: line and position (column) count from 1."""

    line: int
    position: int


@dataclass(frozen=True, slots=True)
class SourceColumn:
    """The origin of a field that a scan reads: one declared column of a dataset."""

    source: SourceId
    dataset: DatasetName
    column: str


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """The origin of an aggregate's field. `function` is a name of `domain.functions.AGGREGATES`; COUNT(*) has no argument.

    `condition` is that of FILTER: only rows on which it is TRUE are aggregated. `second` is the second argument of those
    that take two (CORR, COVAR_…, ARG_MAX, ARG_MIN). `lifted`: its argument was written with literal arithmetic, which stands
    around the aggregate now. `among`: inside a unit, where not every row counts, how many rows do, and how many there are:
    fields of `hidden` counts, which nobody asked for.
    """

    function: str
    argument: Expression | None = None
    at: Place | None = dataclasses.field(default=None, compare=False)
    condition: Expression | None = None
    second: Expression | None = None
    lifted: bool = False
    among: tuple[Field, Field] | None = dataclasses.field(default=None, compare=False)
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class SortKey:
    expression: Expression
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class FrameBound:
    """One end of a window frame: `offset` rows before (negative) or after the current row; None is unbounded."""

    offset: int | None


@dataclass(frozen=True, slots=True)
class WindowCall:
    """The origin of a window's field. `frame` (rows) is None for SQL's default frame."""

    function: str
    arguments: tuple[Expression, ...]
    partition: tuple[Expression, ...]
    order: tuple[SortKey, ...]
    frame: tuple[FrameBound, FrameBound] | None = None
    at: Place | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a relation. Two fields are the same when their ids are; ids are unique in a plan.

    `origin` tells how the value came about: read from a dataset, computed, aggregated, or ranked.
    `weight` counts the nodes of the origin with every field below it written out: it bounds what a reader must expand.
    """

    id: int
    name: str = dataclasses.field(compare=False)
    type: DataType = dataclasses.field(compare=False)
    nullable: bool = dataclasses.field(compare=False)
    origin: SourceColumn | AggregateCall | WindowCall | Expression = dataclasses.field(compare=False, repr=False)
    weight: int = dataclasses.field(default=1, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Literal:
    value: Value
    type: DataType


@dataclass(frozen=True, slots=True)
class Column:
    field: Field
    at: Place | None = dataclasses.field(default=None, compare=False)

    @property
    def type(self) -> DataType:
        return self.field.type


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator of `domain.functions.SCALARS`, by its name there."""

    function: str
    arguments: tuple[Expression, ...]
    type: DataType
    at: Place | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Case:
    """CASE WHEN condition THEN value … ELSE default END; no default is NULL."""

    branches: tuple[tuple[Expression, Expression], ...]
    default: Expression | None
    type: DataType
    at: Place | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Cast:
    argument: Expression
    type: DataType
    at: Place | None = dataclasses.field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands where a name did not resolve or a construct is not known, so that the rules still judge the rest.

    `mentions` are the columns inside the construct: what is not known about it, nobody may use there either.
    """

    at: Place | None = dataclasses.field(default=None, compare=False)
    type: DataType = UNKNOWN
    mentions: tuple[Expression, ...] = ()


Expression = Literal | Column | Call | Case | Cast | Missing


def all_of(parts: Sequence[Expression]) -> Expression:
    """TRUE exactly where every part is; one part as it is, none at all the literal TRUE."""
    match parts:
        case []:
            return Literal(True, BOOLEAN)
        case [only]:
            return only
    return Call("and", tuple(parts), BOOLEAN)


def present(argument: Expression) -> Expression:
    """TRUE where the argument is not NULL."""
    return Call("not", (Call("is_null", (argument,), BOOLEAN),), BOOLEAN)


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside this one."""
    match expression:
        case Literal() | Column():
            return ()
        case Missing(mentions=mentions):
            return mentions
        case Call(arguments=arguments):
            return arguments
        case Case(branches=branches, default=default):
            inner = tuple(part for branch in branches for part in branch)
            return inner if default is None else (*inner, default)
        case Cast(argument=argument):
            return (argument,)
        case _ as never:
            assert_never(never)


def walk(expression: Expression) -> Iterator[Expression]:
    """The expression and everything inside it, parents first; fields are not followed into their origins."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def fields_of(expression: Expression) -> Iterator[Field]:
    """Every field that the expression names, as often as it names it."""
    return (node.field for node in walk(expression) if isinstance(node, Column))


def inputs(origin: SourceColumn | AggregateCall | WindowCall | Expression) -> tuple[Expression, ...]:
    """The expressions that a field's origin is computed from."""
    match origin:
        case SourceColumn():
            return ()
        case AggregateCall(argument=argument, second=second, condition=condition):
            return tuple(part for part in (argument, second, condition) if part is not None)
        case WindowCall(arguments=arguments, partition=partition, order=order):
            return (*arguments, *partition, *(key.expression for key in order))
        case _:
            return (origin,)
