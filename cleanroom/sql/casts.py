"""CAST in every dialect → a cast to a type of the plan that gives the same value; literals are read at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from cleanroom.domain.expression import Cast, Expression, Literal, Missing
from cleanroom.domain.types import DATE, HUGEINT, INTEGERS, TIMESTAMP, VARCHAR, DataType, Kind
from cleanroom.sql import literals
from cleanroom.sql.nodes import place_of

if TYPE_CHECKING:
    from cleanroom.sql.terms import Terms

Translate = Callable[[exp.Expr, "Terms"], Expression]

_TYPES = {
    "BOOLEAN": Kind.BOOLEAN,
    "TINYINT": Kind.TINYINT,
    "SMALLINT": Kind.SMALLINT,
    "INT": Kind.INTEGER,
    "BIGINT": Kind.BIGINT,
    "INT128": Kind.HUGEINT,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.DOUBLE,
    "TEXT": Kind.VARCHAR,
    "VARCHAR": Kind.VARCHAR,
    "DATE": Kind.DATE,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMPNTZ": Kind.TIMESTAMP,
    "DATETIME": Kind.TIMESTAMP,
}
_ALIKE_AS_TEXT = INTEGERS | {Kind.VARCHAR, Kind.DATE, Kind.NULL, Kind.UNKNOWN}
_ALIKE_AS_INTEGERS = INTEGERS | {Kind.BOOLEAN, Kind.NULL, Kind.UNKNOWN}


def cast(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
    """CAST, TRY_CAST, SAFE_CAST and ::."""
    terms.resolution.read_whole(node, "this", "to", "safe", "requires_string")
    if (divided := _integer_division(node, terms)) is not None:
        return translate(divided, terms)
    wanted = _type(node.args["to"], node.this, terms)
    if isinstance(node.this, exp.Cast) and isinstance(node.this.this, exp.Literal | exp.Placeholder):
        # The parser reads TIMESTAMP '…'::DATE in the other order than engines do.
        return terms.resolution.unsupported(
            node, "A cast of a typed literal", hint="Write the literal in its last type."
        )
    argument = translate(node.this, terms)
    if wanted is None or isinstance(argument, Missing):
        return Missing(place_of(node), wanted or DataType(Kind.UNKNOWN), (argument,))
    return _cast(argument, wanted, node, terms)


def cast_to(wanted: DataType) -> Callable[[exp.Expr, Terms, Translate], Expression]:
    """A function of one argument that casts: DATE(ts), TIMESTAMP(day)."""

    def handler(node: exp.Expr, terms: Terms, translate: Translate) -> Expression:
        terms.resolution.read_whole(node, "this", "safe", "with_tz")
        argument = translate(node.this, terms)
        return argument if isinstance(argument, Missing) else _cast(argument, wanted, node, terms)

    return handler


def date_of_parts(node: exp.Expr, terms: Terms, _: Translate) -> Expression:
    """DATE(2026, 1, 31) and its kin, of written numbers."""
    terms.resolution.read_whole(node, "year", "month", "day", "allow_overflow")
    parts = [
        str(part.this) for name in ("year", "month", "day") if isinstance(part := node.args.get(name), exp.Literal)
    ]
    text = f"{parts[0]:0>4}-{parts[1]:0>2}-{parts[2]:0>2}" if len(parts) == 3 else ""
    found = literals.moment(text, DATE)
    return found or terms.resolution.unsupported(node, "A date of such parts", "Write DATE '2026-01-31'.")


def _cast(argument: Expression, wanted: DataType, node: exp.Expr, terms: Terms) -> Expression:
    if isinstance(argument, Literal):
        folded = literals.cast(argument, wanted)
        return folded or terms.resolution.refuse("type.mismatch", f"This literal is no {wanted}.", node)
    if argument.type == wanted == DATE:
        return argument
    if hint := _differs(argument.type, wanted, terms):
        return terms.resolution.unsupported(node, f"This cast of {argument.type} to {wanted}", hint)
    return Cast(argument, wanted, place_of(node))


def _differs(given: DataType, wanted: DataType, terms: Terms) -> str | None:
    """What to write instead where the dialect's cast gives another value than ours; None where it gives the same."""
    dialect = terms.resolution.dialect
    if dialect.is_ours:
        return None
    if wanted == VARCHAR and (given.kind not in _ALIKE_AS_TEXT or (dialect.short_text and given == VARCHAR)):
        return "Text of such values is spelled otherwise elsewhere; whole numbers and dates are not."
    if wanted.kind in INTEGERS and dialect.truncates_to_integers and given.kind not in _ALIKE_AS_INTEGERS:
        return "Write ROUND or FLOOR first where the number is not whole, and leave the cast away."
    if wanted == TIMESTAMP and dialect.short_timestamp and given.kind is not Kind.DATE:
        return "It would round the time; leave the cast away."
    return None


def _integer_division(node: exp.Expr, terms: Terms) -> exp.Expr | None:
    """The division inside what the parser makes of DIV(a, b): a cast of it that nobody wrote."""
    wraps = isinstance(node.this, exp.IntDiv) and terms.resolution.dialect.name in ("postgres", "redshift")
    return node.this if wraps else None


def _type(node: exp.Expr, argument: exp.Expr, terms: Terms) -> DataType | None:
    name = node.this.name if isinstance(node, exp.DataType) and hasattr(node.this, "name") else ""
    sizes = [_size(part) for part in node.expressions]
    terms.resolution.read_whole(node, "this", "expressions")
    found = _decimal(sizes, terms) if name == "DECIMAL" else _plain(name, sizes, argument, terms)
    if found is None:
        terms.resolution.unsupported(node, "This type")
    return found


def _size(node: exp.Expr) -> int:
    """The whole number that is written as a size of a type; -1, which is no size, for anything else."""
    size = node.this if isinstance(node, exp.DataTypeParam) else None
    return int(str(size.this)) if isinstance(size, exp.Literal) and size.is_int else -1


def _decimal(sizes: list[int], terms: Terms) -> DataType | None:
    match sizes, terms.resolution.dialect.decimal:
        case [precision, scale], _ if 1 <= precision <= 38 and 0 <= scale <= precision:
            return DataType(Kind.DECIMAL, precision, scale)
        case [precision], _ if 1 <= precision <= 38:
            return DataType(Kind.DECIMAL, precision, 0)
        case [], (precision, scale):
            return DataType(Kind.DECIMAL, precision, scale)
    return None


def _plain(name: str, sizes: list[int], argument: exp.Expr, terms: Terms) -> DataType | None:
    dialect = terms.resolution.dialect
    if name == "TIMESTAMPTZ" and dialect.zoned_timestamp:
        name = "TIMESTAMP"
    if name == "TIMESTAMPTZ" and dialect.name == "mysql" and isinstance(argument, exp.Literal):
        name = "TIMESTAMP"
    if name == "CHAR" and dialect.char_is_text:
        name = "TEXT"
    kind = _TYPES.get(name)
    if kind is Kind.TIMESTAMP and len(sizes) == 1 and (sizes == [6] or _digits(argument) <= sizes[0]):
        sizes = []
    if kind is None or sizes:
        return None
    return dialect.sizes.get(kind, HUGEINT if kind is Kind.HUGEINT else DataType(kind))


def _digits(argument: exp.Expr) -> int:
    """How many digits of a second a literal has; what is no literal has all six."""
    return len(str(argument.this).partition(".")[2]) if isinstance(argument, exp.Literal) else 6


CASTS: dict[type[exp.Expr], Callable[[exp.Expr, Terms, Translate], Expression]] = {
    exp.Cast: cast,
    exp.TryCast: cast,
    **dict.fromkeys((exp.Date, exp.TsOrDsToDate), cast_to(DATE)),
    **dict.fromkeys((exp.Timestamp, exp.Datetime, exp.TsOrDsToDatetime), cast_to(TIMESTAMP)),
    exp.DateFromParts: date_of_parts,
}
