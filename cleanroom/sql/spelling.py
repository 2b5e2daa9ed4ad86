"""Text that readers of one dialect cut into words differently → a refusal, before any of it is given a meaning."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.sql.dialects import Dialect

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
_WORDS = {"redshift": {"ADD_MONTHS"}}
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
        if token.token_type in _NAMES and token.text.upper() in _WORDS.get(dialect.name, ()):
            return Finding("sql.unsupported", "This function counts months otherwise.", at=_place(text, token.start))
    return None


def _place(text: str, index: int) -> Place:
    before = text[:index]
    return Place(before.count("\n") + 1, index - before.rfind("\n"))
