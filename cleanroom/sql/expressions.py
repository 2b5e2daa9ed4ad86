"""Syntax of scalar expressions → typed expressions of the plan. Closed: a node class not listed here is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from sqlglot import exp

from cleanroom.domain import types
from cleanroom.domain.expression import AggregateCall, Call, Case, Column, Expression, Literal, Missing
from cleanroom.domain.types import BOOLEAN, INTEGERS, Kind
from cleanroom.sql import literals
from cleanroom.sql.casts import CASTS
from cleanroom.sql.functions import FUNCTIONS, translate_function
from cleanroom.sql.intervals import INTERVALS, moved_by_name, named_moment, sum_of_days, sum_with_interval
from cleanroom.sql.moments import MOMENTS, part_by_name
from cleanroom.sql.nodes import place_of
from cleanroom.sql.terms import Terms
from cleanroom.sql.texts import TEXTS
from cleanroom.sql.typing import comparable, is_family, widest

Handler: TypeAlias = Callable[[exp.Expr, Terms], Expression]
Through: TypeAlias = Callable[[exp.Expr, Terms, Handler], Expression]
MOST_LIST_ITEMS = 200

COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "eq",
    exp.NEQ: "ne",
    exp.LT: "lt",
    exp.LTE: "le",
    exp.GT: "gt",
    exp.GTE: "ge",
    exp.NullSafeEQ: "not_distinct_from",
    exp.NullSafeNEQ: "distinct_from",
}
ARITHMETIC: dict[type[exp.Expr], str] = {
    exp.Add: "add",
    exp.Sub: "subtract",
    exp.Mul: "multiply",
    exp.Div: "divide",
    exp.IntDiv: "integer_divide",
    exp.Mod: "modulo",
}
AGGREGATE_NODES = (exp.AggFunc, exp.AnyValue)


def translate(node: exp.Expr | None, terms: Terms) -> Expression:
    """The expression that the node means in this clause; Missing, with a finding, where it means none."""
    if not isinstance(node, exp.Expr):  # the parser lets some functions have too few arguments
        return terms.resolution.refuse("sql.unsupported", "A function lacks an argument.")
    if isinstance(node, exp.Window):
        return _special(node, terms, terms.window, "A window function")
    if isinstance(node, exp.Subquery) and terms.subquery is not None:
        return terms.subquery(node, terms)
    if isinstance(_unwrapped(node), AGGREGATE_NODES) and type(node) not in FUNCTIONS:
        return _special(node, terms, terms.aggregate, "An aggregate")
    handler = _HANDLERS.get(type(node))
    if handler is not None:
        return handler(node, terms)
    if type(node) in FUNCTIONS:
        return translate_function(node, terms, translate)
    terms.resolution.unsupported(node, hint=_HINTS.get(type(node)))
    return missing(node, terms)


def missing(node: exp.Expr, terms: Terms) -> Missing:
    """What stands for a construct without translation: the columns that it mentions, for the rules to judge."""
    mentions: list[Expression] = []
    waiting = list(node.iter_expressions())
    while waiting:
        inner = waiting.pop(0)
        if isinstance(inner, exp.Column) and not isinstance(inner.this, exp.Star):
            mentions.append(terms.column(inner))
        elif not isinstance(inner, exp.Select | exp.Subquery):
            waiting += inner.iter_expressions()
    return Missing(place_of(node), mentions=tuple(mentions))


def _unwrapped(node: exp.Expr) -> exp.Expr:
    inner = node.this if isinstance(node, exp.IgnoreNulls | exp.Filter) else node
    return inner if isinstance(inner, exp.Expr) else node


def _special(node: exp.Expr, terms: Terms, handler: Handler | None, what: str) -> Expression:
    if handler is None:
        terms.resolution.unsupported(node, f"{what} in {terms.clause}")
        return missing(node, terms)
    found = handler(node, terms)
    if terms.resolution.dialect.whole_averages and _averages_integers(found):
        return terms.resolution.unsupported(
            node, "AVG of whole numbers, which is a whole number there,", "Write SUM(x) * 1.0 / COUNT(x)."
        )
    return found


def _averages_integers(found: Expression) -> bool:
    origin = found.field.origin if isinstance(found, Column) else None
    of = origin.argument if isinstance(origin, AggregateCall) and origin.function == "avg" else None
    return of is not None and of.type.kind in INTEGERS


def _through(handler: Through) -> Handler:
    """The handler of another module, given the way back into this one."""
    return lambda node, terms: handler(node, terms, translate)


def _column(node: exp.Expr, terms: Terms) -> Expression:
    assert isinstance(node, exp.Column)
    if isinstance(node.this, exp.Star):
        return terms.resolution.unsupported(node, "A star in an expression", hint="Name the columns.")
    return terms.column(node)


def _literal(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "is_string")
    if node.args.get("is_string"):
        return Literal(str(node.this), types.VARCHAR)
    found = literals.number(str(node.this))
    return found or terms.resolution.refuse("type.mismatch", "This number cannot be represented.", node)


def _parameter(node: exp.Expr, terms: Terms) -> Expression:
    assert isinstance(node, exp.Placeholder)
    found = terms.resolution.parameter(node)
    return found or terms.resolution.unsupported(node, "A parameter without a value")


def _paren(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this")
    return translate(node.this, terms)


def _neg(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this")
    argument = translate(node.this, terms)
    if isinstance(argument, Literal) and (folded := literals.negated(argument)):
        return folded
    return _number_call("negate", (argument,), node, terms)


def _arithmetic(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "expression", "typed", "safe")
    if isinstance(node, exp.Add | exp.Sub) and (moved := sum_with_interval(node, terms, translate)) is not None:
        return moved
    name = ARITHMETIC[type(node)]
    left, right = translate(node.this, terms), translate(node.args["expression"], terms)
    if name in ("add", "subtract") and (moved := sum_of_days(name, left, right, node, terms)) is not None:
        return moved
    if name == "divide":
        return _divide(left, right, node, terms)
    return _number_call(name, (left, right), node, terms)


def _divide(left: Expression, right: Expression, node: exp.Expr, terms: Terms) -> Expression:
    """A quotient: of whole numbers a whole one where the dialect says so."""
    dialect, kinds = terms.resolution.dialect, {left.type.kind, right.type.kind}
    if dialect.whole_division and kinds <= INTEGERS:
        wide = [_sums_bigints(side) for side in (left, right) if side.type.kind is Kind.HUGEINT and dialect.wide_sums]
        if None in wide:
            return terms.resolution.unsupported(
                node, "A quotient of sums that may be whole there or not", "CAST one side AS DOUBLE PRECISION."
            )
        return _number_call("divide" if any(wide) else "integer_divide", (left, right), node, terms)
    if dialect.scaled_division and Kind.DECIMAL in kinds and kinds <= INTEGERS | {Kind.DECIMAL}:
        return terms.resolution.unsupported(
            node, "A quotient rounded to the scale of its operands", "CAST one side AS DOUBLE."
        )
    return _number_call("divide", (left, right), node, terms)


def _sums_bigints(side: Expression) -> bool | None:
    """Whether a HUGEINT is the sum of a BIGINT column; None where it cannot be told."""
    origin = side.field.origin if isinstance(side, Column) else None
    match origin:
        case AggregateCall(function="sum", argument=Column() as summed):
            return summed.type.kind in (Kind.BIGINT, Kind.HUGEINT)
        case Column():
            return _sums_bigints(origin)
    return None


def _safe_divide(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "expression")
    parts = (translate(node.this, terms), translate(node.args["expression"], terms))
    return _number_call("divide", parts, node, terms)


def _anonymous(node: exp.Expr, terms: Terms) -> Expression:
    """The few functions that are known by their names alone."""
    for read in (named_moment, moved_by_name, part_by_name):
        found = read(node, terms, translate)
        if found is not None:
            return found
    terms.resolution.unsupported(node, hint=_HINTS[exp.Anonymous])
    return missing(node, terms)


def _number_call(name: str, parts: tuple[Expression, ...], node: exp.Expr, terms: Terms) -> Expression:
    for part in parts:
        if not is_family(part.type, "number"):
            return terms.resolution.refuse("type.mismatch", f"Arithmetic needs numbers, not {part.type}.", node)
    result = types.DOUBLE if name in ("divide", "log10") else widest(part.type for part in parts)
    return Call(name, parts, result, place_of(node))


def _comparison(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "expression")
    left, right = translate(node.this, terms), translate(node.args["expression"], terms)
    return _compare(COMPARISONS[type(node)], left, right, node, terms)


def _compare(name: str, left: Expression, right: Expression, node: exp.Expr, terms: Terms) -> Expression:
    pair = comparable(left, right)
    if pair is None:
        return terms.resolution.refuse(
            "type.mismatch",
            f"{left.type} and {right.type} are not compared.",
            node,
            hint="Write the literal in the column's type, a date as DATE '2026-01-31'.",
        )
    return Call(name, pair, BOOLEAN, place_of(node))


def _between(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "low", "high")
    value = translate(node.this, terms)
    low = _compare("ge", value, translate(node.args["low"], terms), node, terms)
    high = _compare("le", value, translate(node.args["high"], terms), node, terms)
    return Call("and", (low, high), BOOLEAN, place_of(node))


def _logic(name: str, kind: type[exp.Expr]) -> Handler:
    def handler(node: exp.Expr, terms: Terms) -> Expression:
        parts = _flat(node, kind, terms)
        if len(parts) > MOST_LIST_ITEMS:
            return terms.resolution.refuse(
                "sql.too_large", f"A condition may have {MOST_LIST_ITEMS} parts.", node, hint="Write it with IN."
            )
        translated = tuple(_condition(part, terms) for part in parts)
        return Call(name, translated, BOOLEAN, place_of(node))

    return handler


def _flat(node: exp.Expr, kind: type[exp.Expr], terms: Terms) -> list[exp.Expr]:
    """The parts of a chain of ANDs or ORs, from left to right, without recursion over its length."""
    parts: list[exp.Expr] = []
    waiting = [node]
    while waiting:
        current = waiting.pop()
        while isinstance(current, exp.Paren):
            current = current.this
        if type(current) is kind:
            terms.resolution.read_whole(current, "this", "expression")
            waiting += [current.args["expression"], current.this]
        else:
            parts.append(current)
    return parts


def _condition(node: exp.Expr, terms: Terms) -> Expression:
    found = translate(node, terms)
    if not is_family(found.type, "boolean"):
        return terms.resolution.refuse("type.mismatch", f"A condition is TRUE or FALSE, not {found.type}.", node)
    return found


condition = _condition


def _not(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this")
    return Call("not", (_condition(node.this, terms),), BOOLEAN, place_of(node))


def _is(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "expression")
    argument = translate(node.this, terms)
    match node.args["expression"]:
        case exp.Null():
            return Call("is_null", (argument,), BOOLEAN, place_of(node))
        case exp.Boolean(this=truth) if is_family(argument.type, "boolean"):
            return Call("is_true" if truth else "is_false", (argument,), BOOLEAN, place_of(node))
    return terms.resolution.unsupported(node, "IS with anything but NULL, TRUE and FALSE")


def _in(node: exp.Expr, terms: Terms) -> Expression:
    if node.args.get("query") is not None:
        hint = "IN (SELECT …) stands in WHERE, joined to the rest by AND, with NOT before it at most."
        return terms.resolution.unsupported(node, "IN (SELECT …) in this place", hint)
    terms.resolution.read_whole(node, "this", "expressions")
    items = node.args.get("expressions") or []
    value = translate(node.this, terms)
    if not items:
        terms.resolution.unsupported(node, "IN without a list of values", "Join the other table, or list the values.")
        return missing(node, terms)
    if len(items) > MOST_LIST_ITEMS:
        return terms.resolution.refuse("sql.too_large", f"An IN list may have {MOST_LIST_ITEMS} items.", node)
    found = [_compare("eq", value, translate(item, terms), node, terms) for item in items]
    listed = tuple(call.arguments[1] for call in found if isinstance(call, Call))
    if len(listed) < len(items):
        return Missing(place_of(node))
    return Call("in", (value, *listed), BOOLEAN, place_of(node))


def _case(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "ifs", "default")
    subject = translate(node.this, terms) if node.this is not None else None
    branches = []
    for branch in node.args["ifs"]:
        terms.resolution.read_whole(branch, "this", "true")
        if subject is None:
            when = _condition(branch.this, terms)
        else:
            when = _compare("eq", subject, translate(branch.this, terms), branch, terms)
        branches.append((when, translate(branch.args["true"], terms)))
    default = node.args.get("default")
    return _case_of(tuple(branches), translate(default, terms) if default is not None else None, node, terms)


def _if(node: exp.Expr, terms: Terms) -> Expression:
    terms.resolution.read_whole(node, "this", "true", "false")
    default = node.args.get("false")
    branch = (_condition(node.this, terms), translate(node.args["true"], terms))
    return _case_of((branch,), translate(default, terms) if default is not None else None, node, terms)


def _nvl2(node: exp.Expr, terms: Terms) -> Expression:
    """NVL2(a, b, c): b where a is not NULL, else c."""
    terms.resolution.read_whole(node, "this", "true", "false")
    given = Call("not", (Call("is_null", (translate(node.this, terms),), BOOLEAN, place_of(node)),), BOOLEAN)
    branches = ((given, translate(node.args["true"], terms)),)
    default = node.args.get("false")
    return _case_of(branches, None if default is None else translate(default, terms), node, terms)


def _case_of(
    branches: tuple[tuple[Expression, Expression], ...],
    default: Expression | None,
    node: exp.Expr,
    terms: Terms,
) -> Expression:
    values = [value for _, value in branches] + ([default] if default is not None else [])
    result = widest(value.type for value in values)
    if result.kind is Kind.NULL:
        return terms.resolution.refuse("type.mismatch", "The branches of a CASE need one type.", node)
    return Case(branches, default, result, place_of(node))


def _log(node: exp.Expr, terms: Terms) -> Expression:
    """LOG(x) and LOG10(x): the decimal logarithm."""
    terms.resolution.read_whole(node, "this", "expression")
    base, argument = node.this, node.args.get("expression")
    if argument is None:
        argument = base
    elif not (isinstance(base, exp.Literal) and str(base.this) == "10"):
        return terms.resolution.unsupported(node, "A logarithm of another base than 10 and e")
    return _number_call("log10", (translate(argument, terms),), node, terms)


_HINTS: dict[type[exp.Expr], str] = {
    exp.Star: "Name the columns.",
    exp.Subquery: "Write the sub-query as a common table expression and join it.",
    exp.Exists: "EXISTS (SELECT …) stands in WHERE, joined to the rest by AND, with NOT before it at most.",
    exp.Anonymous: "See the language page for the functions that are known.",
}

_HANDLERS: dict[type[exp.Expr], Handler] = {
    exp.Column: _column,
    exp.Literal: _literal,
    exp.Placeholder: _parameter,
    exp.Boolean: lambda node, _: Literal(bool(node.this), BOOLEAN),
    exp.Null: lambda *_: Literal(None, types.NULL),
    exp.Paren: _paren,
    exp.Neg: _neg,
    exp.Between: _between,
    exp.And: _logic("and", exp.And),
    exp.Or: _logic("or", exp.Or),
    exp.Not: _not,
    exp.Is: _is,
    exp.In: _in,
    exp.Case: _case,
    exp.If: _if,
    exp.Log: _log,
    exp.Nvl2: _nvl2,
    exp.SafeDivide: _safe_divide,
    exp.Anonymous: _anonymous,
    **dict.fromkeys(COMPARISONS, _comparison),
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    **{kind: _through(handler) for kind, handler in (TEXTS | MOMENTS | INTERVALS | CASTS).items()},
}
