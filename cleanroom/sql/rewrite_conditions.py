"""Findings about conditions over rows → dates asked for by whole grains, or the condition left out."""

from __future__ import annotations

import datetime

from sqlglot import exp

from cleanroom.domain.grain import Grain
from cleanroom.domain.types import Kind
from cleanroom.sql.rewrite_dates import beginning, instant_of, literal, next_beginning, not_before
from cleanroom.sql.rewrite_draft import Draft
from cleanroom.sql.rewrite_keys import cut

_TURNED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.EQ: exp.EQ,
}
_DAY = datetime.timedelta(days=1)


def whole_grains(draft: Draft) -> bool:
    """A date compared with a literal asks for whole grains: for the literal's own, and all between."""
    column = draft.mention
    use = draft.rule.column(draft.finding.column or "").filter if draft.rule is not None else None
    if column is None or use is None or use.grain is Grain.INSTANT:
        return False
    value = _cut_or_bare(column)
    is_date = draft.column is not None and draft.column.type.kind is Kind.DATE
    try:
        wanted = _asked(value.parent, value, column, use.grain, is_date)
    except OverflowError:
        return False
    if wanted is None or value.parent is None:
        return False
    value.parent.replace(wanted)
    return True


def _cut_or_bare(column: exp.Column) -> exp.Expr:
    """The column with what cuts it."""
    found: exp.Expr = column
    while isinstance(found.parent, exp.TimestampTrunc | exp.DateTrunc | exp.Cast | exp.Paren):
        found = found.parent
    return found


def _asked(
    comparison: exp.Expr | None, value: exp.Expr, column: exp.Column, grain: Grain, is_date: bool
) -> exp.Expr | None:
    """The comparison of the value in whole grains; None where it is no comparison with one date."""
    if isinstance(comparison, exp.Between) and value is comparison.this:
        low, high = instant_of(comparison.args["low"]), instant_of(comparison.args["high"])
        if low is None or high is None:
            return None
        lower, upper = literal(beginning(low, grain)), literal(next_beginning(high, grain))
        return exp.paren(exp.and_(_compare(exp.GTE, column, lower), _compare(exp.LT, column, upper)), copy=False)
    kind = type(comparison)
    if comparison is None or kind not in _TURNED:
        return None
    turned = value is comparison.expression
    instant = instant_of(comparison.this if turned else comparison.expression)
    return None if instant is None else _bound(_TURNED[kind] if turned else kind, column, instant, grain, is_date)


def _bound(
    kind: type[exp.Expr], column: exp.Column, instant: datetime.datetime, grain: Grain, is_date: bool
) -> exp.Expr:
    if kind is exp.EQ:
        return _compare(exp.EQ, cut(column, grain), literal(beginning(instant, grain)))
    if kind is exp.GTE:
        return _compare(exp.GTE, column, literal(beginning(instant, grain)))
    if kind is exp.GT:
        return _compare(exp.GTE, column, literal(beginning(instant + _DAY if is_date else instant, grain)))
    after = not_before(instant, grain) if kind is exp.LT else next_beginning(instant, grain)
    return _compare(exp.LT, column, literal(after))


def _compare(kind: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return kind(this=left.copy(), expression=right)


def take_off_case(draft: Draft) -> bool:
    """A text compared in lower or upper case is compared as it is."""
    column = draft.mention
    if column is None or not isinstance(column.parent, exp.Lower | exp.Upper | exp.Trim):
        return False
    column.parent.replace(column.copy())
    return True


def drop_condition(draft: Draft) -> bool:
    """The whole condition that names the column is left out of WHERE or HAVING; not one that asks another dataset."""
    column = draft.mention
    found: exp.Expr | None = column
    while found is not None and not (found.parent is not None and _is_top(found.parent)):
        found = found.parent
    while found is not None and isinstance(found.parent, exp.Paren):
        found = found.parent
    if found is None or found.parent is None or found.find(exp.Select) is not None:
        return False
    above = found.parent
    if isinstance(above, exp.And):
        above.replace(above.expression if found is above.this else above.this)
    else:
        above.pop()
    return True


def _is_top(node: exp.Expr) -> bool:
    """Whether the node is WHERE or HAVING, or holds parts all of which must hold."""
    found: exp.Expr | None = node
    while isinstance(found, exp.And | exp.Paren):
        found = found.parent
    return isinstance(found, exp.Where | exp.Having) and isinstance(found.parent, exp.Select)
