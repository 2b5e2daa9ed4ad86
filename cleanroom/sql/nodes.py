"""sqlglot nodes → their place in the text, and the check that nothing of a node goes unread."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.domain.expression import Place


def place_of(node: exp.Expr) -> Place | None:
    """Where the node begins in the analyst's text: the place of the first token below it that still knows one."""
    for below in node.dfs():
        meta = below.meta
        line, column, start, end = (meta.get(name) for name in ("line", "col", "start", "end"))
        # A comment can write words into the parser's notes: only what it counted itself is a place.
        if isinstance(line, int) and isinstance(column, int):
            width = end - start if isinstance(end, int) and isinstance(start, int) else 0
            return Place(line, max(1, column - width))
    return None


def unread(node: exp.Expr, *known: str) -> tuple[str, ...]:
    """The arguments of a node that say something and that its translation does not know, in the parser's words."""
    return tuple(name for name, value in node.args.items() if name not in known and value not in (None, False, [], ""))


def words_of(node: exp.Expr) -> str:
    """What to call a construct in a message: the class name of the node as words, never text of the query."""
    name = type(node).__name__
    spaced = "".join(f" {c}" if c.isupper() and i and not name[i - 1].isupper() else c for i, c in enumerate(name))
    return spaced.upper()
