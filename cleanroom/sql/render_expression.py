"""Typed expression → DuckDB SQL text. Every operator stands in parentheses, and no value of any row can make it raise.

What could raise (casts, overflow, dates out of range, square roots below zero) gives NULL: through TRY_CAST, NULLIF and
DuckDB's TRY(…). TRY is a scalar affair; aggregates and windows have their own plan nodes, so none ever stands inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import assert_never

from cleanroom.domain.expression import Call, Case, Cast, Column, Expression, Literal, Missing, children
from cleanroom.domain.functions import EXTRACT_GRAINS
from cleanroom.domain.grain import DECLARABLE_GRAINS
from cleanroom.domain.types import BIGINT, DOUBLE, HUGEINT, INTEGERS, NUMBERS, TIMESTAMP, VARCHAR, DataType, Kind
from cleanroom.sql.render_text import literal, name_of, type_name

_INTEGER_DIGITS = {Kind.TINYINT: 3, Kind.SMALLINT: 5, Kind.INTEGER: 10, Kind.BIGINT: 19, Kind.HUGEINT: 39}

_ZERO = "CAST(0 AS DOUBLE)"
_FIRST_MOMENT = "TIMESTAMP '0001-01-01 00:00:00'"
_LAST_MOMENT = "TIMESTAMP '9999-12-31 23:59:59.999999'"
_LARGEST_NEGATIVE = "CAST('-5e-324' AS DOUBLE)"


def render_expression(node: Expression) -> str:
    """The expression over columns named by `name_of`. ValueError: nothing that an approved plan can hold."""
    match node:
        case Literal():
            return literal(node)
        case Column(field=field):
            return name_of(field)
        case Call(function=function):
            return _CALLS[function](node)
        case Case():
            return _case(node)
        case Cast(argument=argument, type=target):
            return f"TRY_CAST({render_expression(argument)} AS {type_name(target)})"
        case Missing():
            raise ValueError("an expression that did not resolve")
        case _ as never:
            assert_never(never)


def comparable(parts: Sequence[Expression]) -> list[str]:
    """The parts, cast where comparing them as they are could raise. ValueError: values of kinds that do not compare."""
    common = _common_type([part.type for part in parts])
    return [render_expression(part) if common is None else as_type(part, common) for part in parts]


def as_type(node: Expression, target: DataType) -> str:
    """The expression as a value of that type, NULL where it is none; bare where it has the type already."""
    text = render_expression(node)
    return text if node.type == target else f"TRY_CAST({text} AS {type_name(target)})"


def _common_type(types: Sequence[DataType]) -> DataType | None:
    """The type to cast all parts to before they meet; None where the engine's own conversion cannot raise."""
    known = {t for t in types if t.kind is not Kind.NULL}
    if len(known) < 2:
        return None
    kinds = {t.kind for t in known}
    if Kind.VARCHAR in kinds:
        others = [t for t in known if t.kind is not Kind.VARCHAR]
        return _common_type(others) or others[0]
    if kinds <= NUMBERS:
        return DOUBLE if Kind.DECIMAL in kinds and not _fits_decimal(known) else None
    if kinds == {Kind.DATE, Kind.TIMESTAMP}:
        return TIMESTAMP
    raise ValueError("values of kinds that do not compare")


def _fits_decimal(types: set[DataType]) -> bool:
    """Whether one DECIMAL of 38 digits holds every value of these number types (floating ones convert anyway)."""
    if any(t.kind in (Kind.FLOAT, Kind.DOUBLE) for t in types):
        return True
    whole = max(_INTEGER_DIGITS.get(t.kind, (t.precision or 0) - (t.scale or 0)) for t in types)
    return whole + max(t.scale or 0 for t in types) <= 38


def _case(node: Case) -> str:
    branches = " ".join(
        f"WHEN {render_expression(when)} THEN {_result(then, node.type)}" for when, then in node.branches
    )
    default = "" if node.default is None else f" ELSE {_result(node.default, node.type)}"
    return _guarded(f"(CASE {branches}{default} END)", children(node))


def _result(node: Expression, target: DataType) -> str:
    """A value that stands beside others in one column of the type `target`."""
    if node.type.kind is Kind.NULL or target.kind in (Kind.NULL, Kind.UNKNOWN):
        return render_expression(node)
    return as_type(node, target)


def _guarded(text: str, parts: Sequence[Expression]) -> str:
    """Inside TRY where a part computes a DECIMAL: bringing two scales together may overflow what their types promise."""
    computed = any(isinstance(part, Call | Case) and part.type.kind is Kind.DECIMAL for part in parts)
    return f"TRY({text})" if computed else text


def _infix(operator: str) -> Callable[[Call], str]:
    return lambda call: _guarded("(" + f" {operator} ".join(comparable(call.arguments)) + ")", call.arguments)


def _logic(operator: str) -> Callable[[Call], str]:
    return lambda call: "(" + f" {operator} ".join(map(render_expression, call.arguments)) + ")"


def _suffix(words: str) -> Callable[[Call], str]:
    return lambda call: f"({render_expression(call.arguments[0])} {words})"


def _text(name: str) -> Callable[[Call], str]:
    return lambda call: f"{name}({as_type(call.arguments[0], VARCHAR)})"


def _texts(operator: str) -> Callable[[Call], str]:
    return lambda call: "(" + f" {operator} ".join(as_type(a, VARCHAR) for a in call.arguments) + ")"


def _text_and_counts(name: str) -> Callable[[Call], str]:
    def render(call: Call) -> str:
        text, *counts = call.arguments
        return f"TRY({name}({', '.join([as_type(text, VARCHAR), *(as_type(n, BIGINT) for n in counts)])}))"

    return render


def _merged(name: str) -> Callable[[Call], str]:
    return lambda call: _guarded(f"{name}({', '.join(_result(a, call.type) for a in call.arguments)})", call.arguments)


def _double(name: str) -> Callable[[Call], str]:
    return lambda call: f"TRY({name}({', '.join(as_type(a, DOUBLE) for a in call.arguments)}))"


def _above(name: str, floor: str) -> Callable[[Call], str]:
    """A function of numbers above `floor` alone; NULL at it and below. (GREATEST passes over NULL, so that stays NULL.)"""
    return lambda call: f"TRY({name}(NULLIF(greatest({as_type(call.arguments[0], DOUBLE)}, {floor}), {floor})))"


def _in(call: Call) -> str:
    first, *others = comparable(call.arguments)
    return _guarded(f"({first} IN ({', '.join(others)}))", call.arguments)


def _not(call: Call) -> str:
    return f"(NOT {render_expression(call.arguments[0])})"


def _nullif(call: Call) -> str:
    kept, compared = comparable(call.arguments)
    text = f"(CASE WHEN ({kept} = {compared}) THEN NULL ELSE {render_expression(call.arguments[0])} END)"
    return _guarded(text, call.arguments)


def _replace(call: Call) -> str:
    return f"TRY(replace({', '.join(as_type(a, VARCHAR) for a in call.arguments)}))"


def _word(node: Expression, among: Sequence[str]) -> str:
    if isinstance(node, Literal) and isinstance(node.value, str) and node.value in among:
        return f"'{node.value}'"
    raise ValueError("not a part of a date")


def _moment(node: Expression) -> str:
    return render_expression(node) if node.type.is_moment else as_type(node, TIMESTAMP)


def _date_trunc(call: Call) -> str:
    grain, moment = call.arguments
    return f"TRY(CAST(date_trunc({_word(grain, DECLARABLE_GRAINS)}, {_moment(moment)}) AS TIMESTAMP))"


def _extract(call: Call) -> str:
    part, moment = call.arguments
    # Whole seconds: the epoch alone comes with a fraction.
    return f"TRY(CAST(floor(date_part({_word(part, tuple(EXTRACT_GRAINS))}, {_moment(moment)})) AS BIGINT))"


def _strftime(call: Call) -> str:
    moment, pattern = call.arguments
    if not isinstance(pattern, Literal):
        raise ValueError("a format that is no literal")
    return f"TRY(strftime({_moment(moment)}, {literal(pattern)}))"


def _date_diff(call: Call) -> str:
    part, start, end = call.arguments
    both = (start, end)
    sides = map(_moment, both) if start.type == end.type else (as_type(side, TIMESTAMP) for side in both)
    return f"TRY(date_diff({_word(part, DECLARABLE_GRAINS)}, {', '.join(sides)}))"


def _date_add(call: Call) -> str:
    grain, count, moment = call.arguments
    if not (isinstance(count, Literal) and isinstance(count.value, int)):
        raise ValueError("a count of grains that is no literal")
    later = f"TRY({_moment(moment)} + INTERVAL ({count.value}) {_word(grain, DECLARABLE_GRAINS).strip(chr(39))})"
    return f"(CASE WHEN {later} BETWEEN {_FIRST_MOMENT} AND {_LAST_MOMENT} THEN {later} END)"


def _arithmetic(operator: str) -> Callable[[Call], str]:
    return lambda call: f"TRY({f' {operator} '.join(_widened(call))})"


def _widened(call: Call) -> list[str]:
    """Number operands in types that hold what they hold and meet without loss; other operands as they are."""
    types = {a.type for a in call.arguments if a.type.kind is not Kind.NULL}
    kinds = {t.kind for t in types}
    if kinds <= INTEGERS:
        wide = HUGEINT if Kind.HUGEINT in kinds or call.type == HUGEINT else BIGINT
        return [_result(a, wide) for a in call.arguments]
    if kinds <= NUMBERS and (kinds & {Kind.FLOAT, Kind.DOUBLE} or not _meets(call.function, types)):
        return [_result(a, DOUBLE) for a in call.arguments]
    return [render_expression(a) for a in call.arguments]


def _meets(function: str, types: set[DataType]) -> bool:
    if function == "multiply":
        return sum(t.scale or 0 for t in types) * (2 if len(types) == 1 else 1) <= 38
    return _fits_decimal(types)


def _divide(call: Call) -> str:
    over, under = (as_type(a, DOUBLE) for a in call.arguments)
    return f"TRY({over} / NULLIF({under}, 0))"


def _integer_divide(call: Call) -> str:
    if {a.type.kind for a in call.arguments} <= INTEGERS | {Kind.NULL}:
        over, under = _widened(call)
        return f"TRY({over} // NULLIF({under}, 0))"
    return f"TRY(trunc({_divide(call)}))"


def _modulo(call: Call) -> str:
    over, under = _widened(call)
    return f"TRY({over} % NULLIF({under}, 0))"


def _one_number(name: str) -> Callable[[Call], str]:
    return lambda call: f"TRY({name}({_widened(call)[0]}))"


def _round(call: Call) -> str:
    number, *digits = call.arguments
    if not digits:
        return f"TRY(round({render_expression(number)}))"
    match digits[0]:
        case Literal(value=int(value)) if abs(value) <= 38:
            return f"TRY(round({render_expression(number)}, {value}))"
        case _:
            return f"TRY(round({as_type(number, DOUBLE)}, {as_type(digits[0], DataType(Kind.INTEGER))}))"


_CALLS: Mapping[str, Callable[[Call], str]] = MappingProxyType(
    {
        "eq": _infix("="),
        "ne": _infix("<>"),
        "lt": _infix("<"),
        "le": _infix("<="),
        "gt": _infix(">"),
        "ge": _infix(">="),
        "distinct_from": _infix("IS DISTINCT FROM"),
        "not_distinct_from": _infix("IS NOT DISTINCT FROM"),
        "and": _logic("AND"),
        "or": _logic("OR"),
        "not": _not,
        "is_null": _suffix("IS NULL"),
        "is_true": _suffix("IS TRUE"),
        "is_false": _suffix("IS FALSE"),
        "in": _in,
        "like": _texts("LIKE"),
        "ilike": _texts("ILIKE"),
        "lower": _text("lower"),
        "upper": _text("upper"),
        "trim": _text("trim"),
        "length": _text("length"),
        "substring": _text_and_counts("substring"),
        "concat": _texts("||"),
        "coalesce": _merged("coalesce"),
        "nullif": _nullif,
        "date_trunc": _date_trunc,
        "extract": _extract,
        "strftime": _strftime,
        "date_diff": _date_diff,
        "date_add": _date_add,
        "add": _arithmetic("+"),
        "subtract": _arithmetic("-"),
        "multiply": _arithmetic("*"),
        "divide": _divide,
        "integer_divide": _integer_divide,
        "modulo": _modulo,
        "negate": _one_number("-"),
        "abs": _one_number("abs"),
        "round": _round,
        "floor": _one_number("floor"),
        "ceil": _one_number("ceil"),
        "sqrt": _above("sqrt", _LARGEST_NEGATIVE),
        "ln": _above("ln", _ZERO),
        "log10": _above("log10", _ZERO),
        "exp": _double("exp"),
        "power": _double("power"),
        "greatest": _merged("greatest"),
        "least": _merged("least"),
        "left": _text_and_counts("left"),
        "right": _text_and_counts("right"),
        "replace": _replace,
    }
)
