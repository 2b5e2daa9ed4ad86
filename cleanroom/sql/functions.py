"""Function nodes of the parser → functions of the plan. One row a class; what is not here is not a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from cleanroom.domain.expression import Call, Expression, Literal, Missing
from cleanroom.domain.functions import SCALARS
from cleanroom.domain.types import DOUBLE, VARCHAR, DataType
from cleanroom.sql.nodes import place_of
from cleanroom.sql.texts import unless_null
from cleanroom.sql.typing import comparable, family, is_family, widest

if TYPE_CHECKING:
    from cleanroom.sql.terms import Terms

Translate = Callable[[exp.Expr, "Terms"], Expression]


@dataclass(frozen=True, slots=True)
class Signature:
    """How a node is read: its argument slots in order, the family each must be of, and the type of the result.

    `spread` is the slot that holds a list. `says` are slots that repeat what the function means here and change nothing.
    `result` None: the widest type of the arguments.
    """

    name: str
    slots: tuple[str, ...]
    families: tuple[str, ...]
    result: DataType | None
    spread: str | None = None
    says: tuple[str, ...] = ()


def _text(name: str, *slots: str, families: tuple[str, ...] = (), result: DataType | None = VARCHAR) -> Signature:
    slots = slots or ("this",)
    return Signature(name, slots, families or ("text",) * len(slots), result)


def _number(name: str, *slots: str, result: DataType | None = None) -> Signature:
    slots = slots or ("this",)
    return Signature(name, slots, ("number",) * len(slots), result)


FUNCTIONS: dict[type[exp.Expr], Signature] = {
    exp.Lower: _text("lower"),
    exp.Upper: _text("upper"),
    exp.Replace: _text("replace", "this", "expression", "replacement"),
    exp.DPipe: Signature("concat", ("this", "expression"), ("text", "text"), VARCHAR, says=("safe",)),
    exp.Coalesce: Signature("coalesce", ("this",), ("same",), None, spread="expressions"),
    exp.Nullif: Signature("nullif", ("this", "expression"), ("same", "same"), None),
    exp.Greatest: Signature("greatest", ("this",), ("same",), None, spread="expressions", says=("ignore_nulls",)),
    exp.Least: Signature("least", ("this",), ("same",), None, spread="expressions", says=("ignore_nulls",)),
    exp.Abs: _number("abs"),
    exp.Round: Signature(
        "round", ("this", "decimals"), ("number", "number"), None, says=("casts_non_integer_decimals",)
    ),
    exp.Floor: _number("floor"),
    exp.Ceil: _number("ceil"),
    exp.Sqrt: _number("sqrt", result=DOUBLE),
    exp.Ln: _number("ln", result=DOUBLE),
    exp.Exp: _number("exp", result=DOUBLE),
    exp.Pow: _number("power", "this", "expression", result=DOUBLE),
}


def translate_function(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """The call that the node means, its arguments of the right families; Missing, with a finding, otherwise."""
    signature = FUNCTIONS[type(node)]
    spread = (signature.spread,) if signature.spread else ()
    terms.resolution.read_whole(node, *signature.slots, *spread, *signature.says)
    arguments: list[Expression] = []
    for slot, wanted in zip(signature.slots, signature.families, strict=True):
        given = node.args.get(slot)
        if given is not None:
            arguments.append(_argument(given, wanted, terms, translate))
    for slot in spread:
        arguments += [translate(item, terms) for item in node.args.get(slot) or []]
    if any(isinstance(argument, Missing) for argument in arguments):
        return Missing(place_of(node))
    known = SCALARS[signature.name]
    if not known.least_arguments <= len(arguments) <= (known.most_arguments or len(arguments)):
        return terms.resolution.unsupported(node, f"{signature.name.upper()} with {len(arguments)} arguments")
    call = _call(signature, tuple(arguments), node, terms)
    return unless_null(call) if node.args.get("ignore_nulls") is False else call


def _call(signature: Signature, arguments: tuple[Expression, ...], node: exp.Expr, terms: Terms) -> Expression:
    if "same" in signature.families:
        same = _same(arguments)
        if same is None:
            return terms.resolution.refuse("type.mismatch", f"{signature.name.upper()} needs values of one type.", node)
        arguments = same
    result = signature.result
    if result is None:
        result = widest(argument.type for argument in arguments)
    return Call(signature.name, arguments, result, place_of(node))


def _same(arguments: tuple[Expression, ...]) -> tuple[Expression, ...] | None:
    """The arguments read in one type: that of the first which is no literal."""
    model = next((a for a in arguments if not isinstance(a, Literal)), arguments[0])
    pairs = [comparable(model, argument) for argument in arguments]
    read = tuple(pair[1] for pair in pairs if pair is not None)
    same_family = len({family(a.type) for a in read} - {"any"}) <= 1
    return read if len(read) == len(arguments) and same_family else None


def _argument(node: exp.Expr, wanted: str, terms: Terms, translate: Translate) -> Expression:
    found = translate(node, terms)
    if wanted != "same" and not is_family(found.type, wanted):
        return terms.resolution.refuse("type.mismatch", f"This function needs a {wanted}, not {found.type}.", node)
    return found
