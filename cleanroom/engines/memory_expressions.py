"""Expression and row → value. A row maps field ids to values; three-valued logic comes from the functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import Call, Case, Cast, Column, Expression, Literal, Missing, Value
from cleanroom.engines.memory_casts import cast, conform
from cleanroom.engines.memory_functions import SCALAR_FUNCTIONS

Row: TypeAlias = Mapping[int, Value]


def evaluate(expression: Expression, row: Row) -> Value:
    """The expression's value in its declared type. Raises EngineError where a name of it was never resolved."""
    match expression:
        case Literal(value=value, type=kind):
            return cast(value, kind)
        case Column(field=field):
            return row[field.id]
        case Call(function=name, arguments=arguments, type=kind):
            return conform(SCALAR_FUNCTIONS[name](*(evaluate(argument, row) for argument in arguments)), kind)
        case Case(type=kind):
            return conform(_chosen(expression, row), kind)
        case Cast(argument=argument, type=kind):
            return cast(evaluate(argument, row), kind)
        case Missing():
            raise EngineError("an expression that was never resolved cannot be run")
        case _ as never:
            assert_never(never)


def _chosen(case: Case, row: Row) -> Value:
    for condition, value in case.branches:
        if evaluate(condition, row) is True:
            return evaluate(value, row)
    return None if case.default is None else evaluate(case.default, row)
