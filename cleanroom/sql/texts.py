"""Text functions and extremes whose edges dialects draw elsewhere → those of the plan, or a refusal naming the edge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from cleanroom.domain.expression import Call, Case, Column, Expression, Literal
from cleanroom.domain.types import BIGINT, BOOLEAN, NULL, VARCHAR
from cleanroom.sql.nodes import place_of
from cleanroom.sql.typing import is_family

if TYPE_CHECKING:
    from cleanroom.sql.terms import Terms

Translate: TypeAlias = Callable[[exp.Expr, "Terms"], Expression]


def concat(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """CONCAT(a, b): as ||, but where the dialect passes over NULLs one counts as the empty text."""
    terms.resolution.read_whole(node, "expressions", "safe", "coalesce")
    dialect = terms.resolution.dialect
    if "safe" not in node.args and not dialect.is_ours:
        return terms.resolution.unsupported(node, "Text beside text", "Join texts with CONCAT.")
    parts = tuple(translate(part, terms) for part in node.expressions)
    if not parts or not all(is_family(part.type, "text") for part in parts):
        return terms.resolution.refuse("type.mismatch", "CONCAT joins text.", node, hint="Cast numbers to VARCHAR.")
    if dialect.concat_skips_null:
        empty = Literal("", VARCHAR)
        parts = tuple(Call("coalesce", (part, empty), VARCHAR, place_of(node)) for part in parts)
    return parts[0] if len(parts) == 1 else Call("concat", parts, VARCHAR, place_of(node))


def trim(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """TRIM of spaces at both ends."""
    both = str(node.args.get("position") or "BOTH").upper() == "BOTH"
    terms.resolution.read_whole(node, "this", "expression", *(["position"] if both else []))
    taken = node.args.get("expression")
    spaces = isinstance(taken, exp.Literal) and taken.this == " "
    if taken is not None and not spaces:
        return terms.resolution.unsupported(node, "TRIM of anything but spaces")
    if terms.resolution.dialect.trims_all_whitespace and not spaces:
        return terms.resolution.unsupported(
            node, "TRIM of every kind of whitespace", "Name the space: TRIM(BOTH ' ' FROM x), or TRIM(x, ' ')."
        )
    return _text_call("trim", (translate(node.this, terms),), node, terms)


def length(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """The number of characters."""
    terms.resolution.read_whole(node, "this", "binary")
    if node.args.get("binary") and terms.resolution.dialect.length_in_bytes:
        return terms.resolution.unsupported(node, "A length in bytes", "Write CHAR_LENGTH.")
    found = _text_call("length", (translate(node.this, terms),), node, terms)
    return Call("length", found.arguments, BIGINT, found.at) if isinstance(found, Call) else found


def part_of_text(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """SUBSTRING, LEFT and RIGHT. Elsewhere their counts are written numbers within the text, where all agree."""
    slots = ("start", "length") if isinstance(node, exp.Substring) else ("expression",)
    name = type(node).__name__.lower()
    terms.resolution.read_whole(node, "this", *slots, "zero_start", "negative_length_returns_empty")
    counts = tuple(translate(node.args[slot], terms) for slot in slots if node.args.get(slot) is not None)
    least = (1, 0) if isinstance(node, exp.Substring) else (0,)
    within = all(_at_least(count, low) for count, low in zip(counts, least, strict=False))
    if not within and not terms.resolution.dialect.is_ours:
        return terms.resolution.unsupported(
            node, f"{name.upper()} with such counts", "Count from 1 with a whole number."
        )
    if not counts or not all(is_family(count.type, "number") for count in counts):
        return terms.resolution.refuse("type.mismatch", f"{name.upper()} counts characters by numbers.", node)
    return _text_call(name, (translate(node.this, terms), *counts), node, terms)


def _at_least(count: Expression, low: int) -> bool:
    value = count.value if isinstance(count, Literal) else None
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _text_call(name: str, parts: tuple[Expression, ...], node: exp.Expr, terms: Terms) -> Expression:
    if not is_family(parts[0].type, "text"):
        return terms.resolution.refuse("type.mismatch", f"This function needs a text, not {parts[0].type}.", node)
    return Call(name, parts, VARCHAR, place_of(node))


def like(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """LIKE and ILIKE with a pattern of % and _."""
    terms.resolution.read_whole(node, "this", "expression", "negate")
    parts = (translate(node.this, terms), translate(node.args["expression"], terms))
    if not all(is_family(part.type, "text") for part in parts):
        return terms.resolution.refuse("type.mismatch", "LIKE compares text.", node)
    # Elsewhere a backslash in a pattern escapes, and LIKE(text, pattern) is a function that the parser turns around.
    if not terms.resolution.dialect.is_ours and (_is_literal(parts[0]) or not _is_literal(parts[1])):
        return terms.resolution.unsupported(node, "A pattern that is not written out", "Write x LIKE '…'.")
    call = Call("ilike" if isinstance(node, exp.ILike) else "like", parts, BOOLEAN, place_of(node))
    return Call("not", (call,), BOOLEAN, call.at) if node.args.get("negate") else call


def _is_literal(expression: Expression) -> bool:
    return isinstance(expression, Literal)


def unless_null(call: Expression) -> Expression:
    """GREATEST or LEAST where one NULL makes NULL: the plan's own pass over them."""
    if not isinstance(call, Call):
        return call
    doubtful = [part for part in call.arguments if not _never_null(part)]
    if not doubtful:
        return call
    missing = tuple(Call("is_null", (part,), BOOLEAN, call.at) for part in doubtful)
    any_missing = missing[0] if len(missing) == 1 else Call("or", missing, BOOLEAN, call.at)
    return Case(((any_missing, Literal(None, NULL)),), call, call.type, call.at)


def _never_null(part: Expression) -> bool:
    match part:
        case Literal(value=value):
            return value is not None
        case Column(field=field):
            return not field.nullable
    return False


TEXTS: dict[type[exp.Expr], Callable[[exp.Expr, Terms, Translate], Expression]] = {
    exp.Concat: concat,
    exp.Trim: trim,
    exp.Length: length,
    exp.Substring: part_of_text,
    exp.Left: part_of_text,
    exp.Right: part_of_text,
    exp.Like: like,
    exp.ILike: like,
}
