"""SUM and AVG of a·x + b over rows of people → the same of x, with the literals outside: there is one value a row then, x."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cleanroom.domain.expression import AggregateCall, Call, Expression, Literal
from cleanroom.domain.types import DOUBLE
from cleanroom.sql.typing import widest

Measured = Callable[[AggregateCall], Expression]


@dataclass(frozen=True, slots=True)
class Step:
    """One operation around x: `function` of x and the literal, in this order or turned around."""

    function: str
    literal: Literal | None
    turned: bool = False


def taken_out(call: AggregateCall, measured: Measured) -> Expression | None:
    """The aggregate of x with every operation put around it instead; None where the argument is not of that kind.

    `measured` gives the field of an aggregate. What is added to each row is added as often as there are values of x.
    """
    if call.function not in ("sum", "avg") or call.argument is None:
        return None
    steps: list[Step] = []
    inner = call.argument
    while (peeled := _peeled(inner)) is not None:
        step, inner = peeled
        steps.append(step)
    if not steps or isinstance(inner, Literal):
        return None
    lifted = replace(call, argument=inner, lifted=True)
    result = measured(lifted)
    for step in reversed(steps):
        result = _around(result, step, lifted, measured)
    return result


def _peeled(expression: Expression) -> tuple[Step, Expression] | None:
    match expression:
        case Call(function="negate", arguments=(x,)):
            return Step("negate", None), x
        case Call(function="multiply" | "add" | "subtract" | "divide" as name, arguments=(x, Literal() as literal)):
            return Step(name, literal), x
        case Call(function="multiply" | "add" | "subtract" as name, arguments=(Literal() as literal, x)):
            return Step(name, literal, turned=True), x
    return None


def _around(result: Expression, step: Step, call: AggregateCall, measured: Measured) -> Expression:
    if step.literal is None:
        return Call("negate", (result,), result.type)
    literal: Expression = step.literal
    if call.function == "sum" and step.function in ("add", "subtract"):
        count = measured(replace(call, function="count"))
        literal = Call("multiply", (step.literal, count), widest((step.literal.type, count.type)))
    pair = (literal, result) if step.turned else (result, literal)
    kind = DOUBLE if step.function == "divide" else widest(part.type for part in pair)
    return Call(step.function, pair, kind)
