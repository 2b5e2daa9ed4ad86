"""Untrusted text → a syntax tree of one SELECT, or the one finding that says why not. Nothing is executed."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp, parse_one, tokenize
from sqlglot.errors import ErrorLevel, ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.sql.dialects import DIALECTS, Dialect
from cleanroom.sql.placeholders import parameters_in, refuse_placeholders
from cleanroom.sql.spelling import refuse_spelling
from cleanroom.sql.surplus import refuse_surplus, unlisted_call

MOST_BYTES = 32_768
MOST_TOKENS = 5_000
MOST_NESTING = 40
_ROOTS = (exp.Select, exp.Union, exp.Intersect, exp.Except)
_OPENING = {TokenType.L_PAREN, TokenType.CASE, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.END, TokenType.R_BRACKET, TokenType.R_BRACE}


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """One SELECT, or set operation of them, as the parser read it. Made by `parse` alone, read by `resolve` alone.

    `unlisted` is where a function is called of which nothing is known: no such query is accepted. `parameters` are the
    `:name`s in it, each once.
    """

    tree: exp.Expr
    dialect: str = "duckdb"
    unlisted: Place | None = None
    parameters: tuple[str, ...] = ()


def parse(text: str, dialect: str = "duckdb") -> ParsedQuery | Finding:
    """The text's one SELECT statement; or a finding with code sql.syntax, sql.too_large, sql.unsupported, sql.dialect.

    A syntax error stands alone: there is no tree to judge further. Limits are in bytes of UTF-8, tokens and levels.
    """
    known = DIALECTS.get(dialect)
    if known is None:
        return Finding("sql.dialect", "This dialect is not read here.", hint=f"Known: {', '.join(DIALECTS)}.")
    tokens = _tokens(text, known)
    if isinstance(tokens, Finding):
        return tokens
    if refusal := _refuse_tokens(tokens):
        return refusal
    if refusal := refuse_spelling(text, tokens, known) or refuse_placeholders(tokens):
        return refusal
    tree = _tree(text[: _end(tokens)], known)
    if isinstance(tree, Finding):
        return tree
    if type(tree) not in _ROOTS:
        return _not_a_select(None)
    parameters = parameters_in(tree, tokens)
    if isinstance(parameters, Finding):
        return parameters
    return refuse_surplus(tokens, known) or ParsedQuery(tree, dialect, unlisted_call(tokens), parameters)


def parse_condition(text: str) -> exp.Expr | Finding:
    """An owner's row filter as a tree: one condition over the columns of its dataset."""
    parsed = parse(f"SELECT 1 WHERE {text}")
    if isinstance(parsed, Finding):
        return parsed
    if parsed.unlisted is not None:
        return Finding("sql.unsupported", "A function of this name is not known.", at=parsed.unlisted)
    where = parsed.tree.args.get("where")
    known = {"expressions", "where"}
    if where is None or any(value for name, value in parsed.tree.args.items() if name not in known):
        return Finding("sql.unsupported", "A row filter is one condition, such as consent = TRUE.")
    condition: exp.Expr = where.this
    return condition


def _tokens(text: str, dialect: Dialect) -> list[Token] | Finding:
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "surrogatepass")) > MOST_BYTES:
        return _too_large(f"a query may hold {MOST_BYTES:,} bytes")
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return Finding("sql.syntax", "The query holds a character that is no text: NUL, or half of a surrogate pair.")
    try:
        return tokenize(text, read=dialect.reader)
    except (TokenError, RecursionError):
        return Finding("sql.syntax", "A string, a quoted name or a comment is not closed.")


def _refuse_tokens(tokens: list[Token]) -> Finding | None:
    if not tokens:
        return Finding("sql.syntax", "The query is empty.", hint="Write one SELECT statement.")
    if len(tokens) > MOST_TOKENS:
        return _too_large(f"a query may hold {MOST_TOKENS:,} words and signs")
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MOST_NESTING:
            return _too_large(f"parentheses and CASE may nest {MOST_NESTING} deep", _place(token))
    if tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH):
        return _not_a_select(_place(tokens[0]))
    ends = [i for i, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON]
    if ends and any(t.token_type is not TokenType.SEMICOLON for t in tokens[ends[0] :]):
        return Finding(
            "sql.unsupported",
            "There is more than one statement.",
            at=_place(tokens[ends[0]]),
            hint="Send one SELECT statement at a time.",
        )
    return None


def _end(tokens: list[Token]) -> int | None:
    """Where the statement ends: at its first semicolon, behind which nothing but semicolons stands."""
    return next((token.start for token in tokens if token.token_type is TokenType.SEMICOLON), None)


def _tree(text: str, dialect: Dialect) -> exp.Expr | Finding:
    try:
        return parse_one(text, read=dialect.reader, error_level=ErrorLevel.IMMEDIATE)
    except ParseError as error:
        first = error.errors[0] if error.errors else {}
        line, column = first.get("line"), first.get("col")
        at = Place(int(line), max(1, int(column))) if line and column else None
        return Finding("sql.syntax", "The query cannot be read from here on.", at=at)
    except RecursionError:
        return _too_large("expressions may nest only so deep")
    except (TokenError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return Finding("sql.syntax", "The query cannot be read.")


def _place(token: Token) -> Place:
    return Place(token.line, max(1, token.col - (token.end - token.start)))


def _too_large(limit: str, at: Place | None = None) -> Finding:
    return Finding("sql.too_large", f"The query is too large: {limit}.", at=at)


def _not_a_select(at: Place | None) -> Finding:
    return Finding(
        "sql.unsupported",
        "Only one SELECT statement is accepted.",
        at=at,
        hint="Write SELECT … FROM …, WITH common table expressions before it if you like.",
    )
