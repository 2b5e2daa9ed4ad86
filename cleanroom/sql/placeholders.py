"""The words and the tree of a query → the `:name`s in it; other ways to write a parameter are refused."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.domain.parameters import MOST_PARAMETERS
from cleanroom.sql.nodes import place_of
from cleanroom.sql.parameters import is_parameter_name

_OTHERS = {TokenType.PARAMETER, TokenType.PLACEHOLDER, TokenType.SESSION_PARAMETER, TokenType.DAT}
_NUMBER = "parameter"
_HINT = "Write a parameter as :name."


def refuse_placeholders(tokens: Sequence[Token]) -> Finding | None:
    """The finding for the first `?`, `@name`, `$1` or `@@name`."""
    for token in tokens:
        named = token.token_type is TokenType.VAR and token.text.startswith(("$", "@"))
        if named or token.token_type in _OTHERS:
            return _refused("A parameter, or a sign, that is written so", _place(token))
    return None


def parameters_in(tree: exp.Expr, tokens: Sequence[Token]) -> tuple[str, ...] | Finding:
    """The name of every parameter in the tree, once; each stands in the text as a colon and the name right behind it."""
    written = Counter(b.text for a, b in itertools.pairwise(tokens) if a.token_type is TokenType.COLON and _names(a, b))
    found: Counter[str] = Counter()
    for number, node in enumerate(tree.find_all(exp.Placeholder)):
        name = node.args.get("this")
        if not isinstance(name, str) or not is_parameter_name(name) or set(node.args) - {"this"}:
            return _refused("A parameter that is written so", place_of(node))
        found[name] += 1
        node.meta[_NUMBER] = number
    if found - written:
        return _refused("A parameter that is written so")
    if len(found) > MOST_PARAMETERS:
        return Finding("sql.too_large", f"The query is too large: it may have {MOST_PARAMETERS} parameters.")
    return tuple(found)


def numbered(node: exp.Placeholder) -> int:
    """Which of the tree's parameters the node is: a copy of it is the same one."""
    return int(node.meta[_NUMBER])


def _names(colon: Token, name: Token) -> bool:
    """Whether the name stands right behind the colon, without quotes."""
    return colon.end + 1 == name.start and name.end - name.start + 1 == len(name.text)


def _refused(what: str, at: Place | None = None) -> Finding:
    return Finding("sql.unsupported", f"{what} is not supported.", at=at, hint=_HINT)


def _place(token: Token) -> Place:
    return Place(token.line, max(1, token.col - (token.end - token.start)))
