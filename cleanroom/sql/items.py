"""A select list → its entries as written and as translated, and the names that other clauses may use for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from sqlglot import exp

from cleanroom.domain.expression import Expression, Missing
from cleanroom.domain.identifiers import fold
from cleanroom.sql.expressions import AGGREGATE_NODES, translate
from cleanroom.sql.sources import From, Tables
from cleanroom.sql.terms import Terms

MOST_OUTPUTS = 50


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a select list as written: the expression's tree and the name it was given, if any."""

    tree: exp.Expr
    name: str | None


@dataclass(frozen=True, slots=True)
class Output:
    """One entry of a select list as translated."""

    name: str
    expression: Expression


def written(select: exp.Select) -> list[Item]:
    return [
        Item(tree.this, str(tree.args["alias"].this)) if isinstance(tree, exp.Alias) else Item(tree, None)
        for tree in select.expressions
    ]


def lazy_aliases(items: list[Item], terms: Terms) -> dict[str, Callable[[], Expression]]:
    """Names of the select list, each read once and only when it is used, and then without further aliases."""
    return {
        fold(item.name): cache(partial(translate, item.tree, terms))
        for item in items
        if item.name is not None and not isinstance(item.tree, exp.Star)
    }


def items_of(select: exp.Select, source: From, tables: Tables) -> list[Item]:
    """The select list, a star over released columns written out."""
    items: list[Item] = []
    for item in written(select):
        star = item.tree if isinstance(item.tree, exp.Star) else getattr(item.tree, "this", None)
        if isinstance(item.tree, exp.Star | exp.Column) and isinstance(star, exp.Star):
            items += _star(item.tree, source, tables)
        else:
            items.append(item)
    if len(items) > MOST_OUTPUTS:
        tables.resolution.refuse("sql.too_large", f"A SELECT may have {MOST_OUTPUTS} outputs.")
    return items[:MOST_OUTPUTS]


def _star(node: exp.Expr, source: From, tables: Tables) -> list[Item]:
    """Every column of every table, one that USING equates once; or of the table that is named."""
    star = node if isinstance(node, exp.Star) else node.this
    table = None if isinstance(node, exp.Star) else node.args.get("table")
    named = [m for m in source.scope.members if table is None or m.answers_to(str(table.this), None)]
    further = not isinstance(node, exp.Star) and (node.args.get("db") or node.args.get("catalog"))
    if any(star.args.values()) or further or not named:
        tables.resolution.unsupported(node, "This kind of star", "Name the columns.")
        return []
    return [
        Item(exp.column(exp.to_identifier(f.name, quoted=True), table=member.name), f.name)
        for member in named
        for f in member.fields
        if table is not None or source.scope.merged.get(fold(f.name), f) == f
    ]


def _given(expression: Expression) -> Expression:
    return expression


def ready_aliases(items: list[Item], outputs: list[Output]) -> dict[str, Callable[[], Expression]]:
    return {
        fold(item.name): partial(_given, output.expression)
        for item, output in zip(items, outputs, strict=True)
        if item.name is not None and not isinstance(output.expression, Missing)
    }


def name_of(tree: exp.Expr) -> str:
    """What to call an output that was given no name: its column, or its function."""
    inner = tree
    while isinstance(inner, exp.Paren | exp.Window | exp.IgnoreNulls | exp.Filter) and isinstance(inner.this, exp.Expr):
        inner = inner.this
    if isinstance(inner, exp.Column):
        return str(inner.name)
    if isinstance(inner, exp.Placeholder):
        return "literal"
    return type(inner).__name__.lower()


def has_aggregate(tree: exp.Expr, *, windows: bool = False) -> bool:
    """Whether the tree aggregates here: not in a sub-select, and not as the function of a window."""
    if isinstance(tree, exp.Subquery | exp.Select):
        return False
    if isinstance(tree, exp.Window):
        inner = [child for child in tree.iter_expressions() if child is not tree.this]
        inner += list(tree.this.iter_expressions())
        return windows or any(has_aggregate(child) for child in inner)
    if isinstance(tree, AGGREGATE_NODES):
        return True
    return any(has_aggregate(child, windows=windows) for child in tree.iter_expressions())
