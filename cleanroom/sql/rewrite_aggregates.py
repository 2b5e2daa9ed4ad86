"""Findings about aggregates → the nearest one that the owner lists, or the output left out where others remain."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.sql.rewrite_draft import Draft, aggregates, clause_of, drop_outputs, select_of, unit_count

_TYPICAL = (
    exp.Median,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Quantile,
    exp.ApproxQuantile,
    exp.AnyValue,
    exp.Mode,
)


def count_people(draft: Draft) -> bool:
    """Rows, or values that may not be counted, become distinct people."""
    found = _aggregate(draft)
    select = select_of(found) if found is not None else None
    counted = unit_count(select, draft) if select is not None else None
    if not isinstance(found, exp.Count) or counted is None or found == counted or not _is_plain(found):
        return False
    found.replace(counted)
    return True


def _is_plain(count: exp.Count) -> bool:
    """Whether it counts rows or a column, not an expression."""
    counted = count.this.expressions if isinstance(count.this, exp.Distinct) else [count.this]
    return len(counted) == 1 and isinstance(counted[0], exp.Star | exp.Column)


def count_rows(draft: Draft) -> bool:
    """A column's count becomes that of rows, where it is on every row."""
    found = _aggregate(draft)
    declared = draft.column
    plain = isinstance(found, exp.Count) and isinstance(found.this, exp.Column)
    if found is None or not plain or declared is None or declared.nullable:
        return False
    found.replace(exp.Count(this=exp.Star()))
    return True


def average(draft: Draft) -> bool:
    """A median or other typical value becomes the average."""
    found = _aggregate(draft)
    return isinstance(found, _TYPICAL) and _average(found)


def average_instead(draft: Draft) -> bool:
    """Any aggregate of a bare column becomes its average."""
    found = _aggregate(draft)
    return found is not None and not isinstance(found, exp.Count | exp.Avg) and _average(found)


def _average(found: exp.Expr) -> bool:
    if not isinstance(found.this, exp.Column):
        return False
    found.replace(exp.Avg(this=found.this.copy()))
    return True


def condition_to_where(draft: Draft) -> bool:
    """A FILTER that all aggregates of the SELECT share becomes its WHERE."""
    found = _aggregate(draft)
    select = select_of(found) if found is not None else None
    if select is None:
        return False
    filters = [a.parent for a in aggregates(select)]
    if not all(isinstance(f, exp.Filter) and f.expression == filters[0].expression for f in filters):  # type: ignore[union-attr]
        return False
    condition = filters[0].expression.this.copy()  # type: ignore[union-attr]
    for node in filters:
        assert node is not None
        node.replace(node.this.copy())
    select.where(condition, copy=False)
    return True


def drop_aggregate(draft: Draft) -> bool:
    """Outputs that are made from the aggregate are left out, where another aggregate remains."""
    found = _aggregate(draft)
    select = select_of(found) if found is not None else None
    if found is None or select is None or clause_of(found) == "where":
        return False

    def is_made_from_it(tree: exp.Expr) -> bool:
        return any(found == other for other in tree.find_all(exp.AggFunc))

    others = [item for item in select.expressions if aggregates(item) and not is_made_from_it(item)]
    return bool(others) and drop_outputs(select, is_made_from_it)


def people_instead(draft: Draft) -> bool:
    """The only aggregate gives way to a count of distinct people, under a name that says so."""
    found = _aggregate(draft)
    select = select_of(found) if found is not None else None
    counted = unit_count(select, draft) if select is not None else None
    if found is None or select is None or counted is None:
        return False
    items = [item for item in select.expressions if not any(found == other for other in item.find_all(exp.AggFunc))]
    if len(items) == len(select.expressions) or any(aggregates(item) for item in items):
        return False
    drop_outputs(select, lambda tree: any(found == other for other in tree.find_all(exp.AggFunc)))
    select.set("expressions", [*items, exp.alias_(counted, "people")])
    return True


def _aggregate(draft: Draft) -> exp.AggFunc | None:
    return draft.at(exp.AggFunc)
