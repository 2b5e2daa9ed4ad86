"""An aggregate of a CASE → the same aggregate of the CASE's value, FILTERed by its condition, where the two mean the same."""

from __future__ import annotations

from dataclasses import replace

from cleanroom.domain.expression import AggregateCall, Call, Case, Column, Expression, Literal
from cleanroom.domain.types import BOOLEAN


def conditional(call: AggregateCall) -> AggregateCall:
    """The call with every CASE of one branch around its argument made a condition; a call that has none as it is.

    `SUM(CASE WHEN p THEN x ELSE 0 END)` becomes SUM(x) where p. Only for rows of people: where nobody meets p the one is
    0 and the other NULL, and there such a cell is withheld.
    """
    match call.argument:
        case Literal(value=value) if _counts_rows(call.function, value):
            return replace(call, function="count_rows", argument=None)
    match _opened(call.argument):
        case Case(branches=((when, then),), default=default) if _adds_nothing(call.function, default):
            return conditional(replace(call, argument=then, condition=both(call.condition, when)))
    return call


def zero_by_default(call: AggregateCall) -> bool:
    """Whether rows that do not meet the condition of the argument's CASE, or of one inside it, add a zero."""
    match _opened(call.argument):
        case Case(branches=((_, then),), default=default):
            zero = isinstance(default, Literal) and default.value is not None
            return zero or zero_by_default(replace(call, argument=then))
    return False


def both(one: Expression | None, other: Expression) -> Expression:
    """TRUE exactly where both are."""
    return other if one is None else Call("and", (one, other), BOOLEAN)


def _counts_rows(function: str, value: object) -> bool:
    """Whether the aggregate of this literal is the number of rows."""
    if function == "sum":
        return value == 1 and value is not True
    return function == "count" and value is not None


def _opened(argument: Expression | None) -> Expression | None:
    """The argument, or the CASE that a column of a sub-select stands for."""
    inner = argument
    while isinstance(inner, Column) and isinstance(inner.field.origin, Column | Case):
        inner = inner.field.origin
    return inner


def _adds_nothing(function: str, default: Expression | None) -> bool:
    """Whether rows that get the default are as if they were not there: NULL always, 0 in a sum."""
    match default:
        case None | Literal(value=None):
            return True
        case Literal(value=value):
            return function == "sum" and value == 0 and value is not False
    return False
