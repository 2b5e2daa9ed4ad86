"""Findings about keys and outputs → the date cut to its grain, the function taken off, the column left out."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.domain.grain import Grain
from cleanroom.sql.rewrite_draft import Draft, clause_of, drop_outputs, is_grouped, select_of

_KEYS = ("expressions", "group", "having", "qualify", "order")


def cut(column: exp.Expr, grain: Grain) -> exp.Expr:
    """date_trunc of the column."""
    return exp.TimestampTrunc(this=column.copy(), unit=exp.Var(this=grain.value.upper()))


def cut_key(draft: Draft) -> bool:
    """A key finer than its column's grain becomes date_trunc of that grain, wherever the SELECT repeats it."""
    column = _key(draft)
    use = draft.rule.column(draft.finding.column or "").group if draft.rule is not None else None
    if column is None or use is None or use.grain is Grain.INSTANT:
        return False
    return _put(column, cut(column, use.grain))


def take_off_function(draft: Draft) -> bool:
    """A key under a function that may not be applied becomes the column itself."""
    column = _key(draft)
    return column is not None and _outermost(column) is not column and _put(column, column.copy())


def drop_column(draft: Draft) -> bool:
    """Outputs, keys and orderings that are made from the column are left out; not of groups that the query goes on with."""
    column = _key(draft)
    select = select_of(column) if column is not None else None
    if column is None or select is None or (is_grouped(select) and select is not draft.select):
        return False
    return drop_outputs(select, lambda tree: any(column == found for found in tree.find_all(exp.Column)))


def _key(draft: Draft) -> exp.Column | None:
    column = draft.mention
    return column if column is not None and clause_of(column) in _KEYS else None


def _outermost(column: exp.Expr) -> exp.Expr:
    """The column with every function around it that is not an aggregate."""
    found = column
    while isinstance(found.parent, exp.Func | exp.Paren) and not isinstance(found.parent, exp.AggFunc | exp.Case):
        found = found.parent
    return found


def _put(column: exp.Column, wanted: exp.Expr) -> bool:
    """Everything equal to what stands around the column, in keys and outputs of its SELECT, is what is wanted."""
    select, old = select_of(column), _outermost(column)
    if select is None:
        return False
    name = str(column.name)
    equal = [n for n in select.find_all(type(old)) if n == old and select_of(n) is select and clause_of(n) in _KEYS]
    for node in equal:
        if node.parent is select:
            node.replace(exp.alias_(wanted.copy(), name) if old is column else wanted.copy())
        elif not (isinstance(node, exp.Column) and clause_of(node) == "order"):
            node.replace(wanted.copy())
    return bool(equal)
