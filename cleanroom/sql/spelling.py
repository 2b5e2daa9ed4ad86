"""Text that readers of one dialect cut into words differently → a refusal, before any of it is given a meaning."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.sql.dialects import Dialect
from cleanroom.sql.formats import MYSQL_SIGNS

_EVERYWHERE = {
    "sqlglot.meta": "A comment that speaks to the parser is not accepted.",
}
_ELSEWHERE = {
    r"\\": "A backslash is read in this dialect alone, and not accepted. Write the character itself, a quote doubled.",
    r"\r(?!\n)": "A carriage return that ends no line is not accepted.",
    r"\{[{#%]": "A template is not accepted.",
    r"/\*(?:(?!\*/).)*/\*": "A comment inside a comment is not accepted.",
}
_OF_MYSQL = {
    r"/\*M?!": "A comment that is run is not accepted.",
    r"--(?! )": "Two signs of minus are a comment only before a space: write one, or the space.",
}
_FUNCTIONS = {
    # The parser makes one node of each of these and of another function, and loses which it was.
    "redshift": {"ADD_MONTHS"},
    "trino": {"TO_CHAR"},
    "athena": {"TO_CHAR"},
}
_NAMES = {TokenType.VAR, TokenType.IDENTIFIER}


def refuse_spelling(text: str, tokens: Sequence[Token], dialect: Dialect) -> Finding | None:
    """The finding where the text is one that the parser and the dialect's own reader may cut differently."""
    patterns = _EVERYWHERE | ({} if dialect.is_ours else _ELSEWHERE) | (_OF_MYSQL if dialect.name == "mysql" else {})
    for pattern, message in patterns.items():
        if match := re.search(pattern, text, re.DOTALL):
            return Finding("sql.unsupported", message, at=_place(text, match.start()))
    for token, following in itertools.pairwise(tokens):
        if token.token_type is TokenType.NUMBER and following.token_type in _NAMES and following.start == token.end + 1:
            return Finding("sql.unsupported", "A number runs into a word.", at=_place(text, following.start))
    for token in tokens:
        if token.text.upper() in _FUNCTIONS.get(dialect.name, ()):
            return Finding("sql.unsupported", f"{token.text.upper()} is not supported.", at=_place(text, token.start))
    return _refuse_formats(text, tokens) if dialect.name == "mysql" else None


def _refuse_formats(text: str, tokens: Sequence[Token]) -> Finding | None:
    """A finding for a format of DATE_FORMAT that is not a written one of known signs."""
    for index, token in enumerate(tokens):
        if token.text.upper() == "DATE_FORMAT":
            layout = _last_argument(tokens[index + 1 :])
            signs = re.findall(r"%(.|\Z)", layout.text, re.DOTALL) if layout is not None else [""]
            if not signs or not MYSQL_SIGNS.issuperset(signs):
                return Finding("sql.unsupported", "This date format is not known.", at=_place(text, token.start))
    return None


def _last_argument(tokens: Sequence[Token]) -> Token | None:
    """The text just before the parenthesis that closes the first one; None where there is no such text."""
    depth, before = 0, None
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        if depth <= 0:
            break
        before = token
    return before if before is not None and before.token_type is TokenType.STRING else None


def _place(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, index - before.rfind("\n"))
