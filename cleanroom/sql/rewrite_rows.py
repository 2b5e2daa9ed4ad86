"""Findings about rows that come out, or are chosen → groups that are counted, columns by name, no choice among rows."""

from __future__ import annotations

from sqlglot import exp

from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import fold
from cleanroom.sql.rewrite_draft import (
    Draft,
    Known,
    aggregates,
    clause_of,
    drop_outputs,
    find,
    is_grouped,
    known_columns,
    reference,
    select_of,
    unit_count,
)
from cleanroom.sql.rewrite_keys import cut


def group_output(draft: Draft) -> bool:
    """An output beside aggregates becomes a key."""
    column = draft.mention
    select = select_of(column) if column is not None else None
    if column is None or select is None or clause_of(column) != "expressions":
        return False
    item = next(item for item in select.expressions if any(node is column for node in item.walk()))
    group = select.args.get("group") or exp.Group(expressions=[])
    if any(value for name, value in group.args.items() if name != "expressions"):
        return False  # several sets of keys: which one lacks it is not known here
    key = column if aggregates(item) else item.unalias()
    if key in group.expressions:
        return False
    group.append("expressions", key.copy())
    select.set("group", group)
    return True


def drop_people(draft: Draft) -> bool:
    """Keys and outputs that tell people apart are left out: what remains describes groups."""
    select = draft.select
    if select is None or not is_grouped(select):
        return False
    known = known_columns(select, draft.policy)

    def tells_people_apart(tree: exp.Expr) -> bool:
        found = [] if aggregates(tree) else [find(column, known) for column in tree.find_all(exp.Column)]
        return any(k is not None and not k.groupable for k in found)

    return drop_outputs(select, tells_people_apart)


def count_groups(draft: Draft) -> bool:
    """Rows become groups: the outputs that may be grouped by, and how many people each group has."""
    select = draft.select
    counted = unit_count(select, draft) if select is not None else None
    if select is None or is_grouped(select) or counted is None:
        return False
    known = known_columns(select, draft.policy)
    outputs = [output for item in select.expressions for output in _groupable(item, known, select)]
    if not outputs:
        return False
    keys = [output.unalias().copy() for output in outputs]
    _keep_orderings(select, {fold(str(output.alias_or_name)) for output in outputs})
    select.set("expressions", [*outputs, exp.alias_(counted, "people")])
    select.set("group", exp.Group(expressions=keys))
    return True


def _groupable(item: exp.Expr, known: list[Known], draft: exp.Select) -> list[exp.Expr]:
    """What of the output may be a key: every such column of a star, a date cut to its grain."""
    tree = item.unalias()
    if isinstance(tree, exp.Star):
        return [_key(reference(k, draft), k.name, k) for k in known if k.groupable]
    found = [find(column, known) for column in tree.find_all(exp.Column)]
    if not found or not all(k is not None and k.groupable for k in found):
        return []
    first = found[0]
    if isinstance(tree, exp.Column) and first is not None:
        return [_key(tree.copy(), str(item.alias_or_name), first)]
    return [item.copy()]


def _key(column: exp.Column, name: str, known: Known) -> exp.Expr:
    use = known.rule.column(known.column.name).group
    if use is not None and use.grain is not Grain.INSTANT:
        return exp.alias_(cut(column, use.grain), name)
    return column if fold(name) == fold(str(column.name)) else exp.alias_(column, name)


def _keep_orderings(draft: exp.Select, names: set[str]) -> None:
    order = draft.args.get("order")
    kept = [o for o in order.expressions if fold(str(o.this.name)) in names] if order is not None else []
    draft.set("order", exp.Order(expressions=kept) if kept else None)


def open_star(draft: Draft) -> bool:
    """A star in a sub-select becomes the columns that the rest of the query names."""
    named = {fold(str(column.name)) for column in draft.tree.find_all(exp.Column)}
    changed = False
    for select in draft.tree.find_all(exp.Select):
        stars = [item for item in select.expressions if isinstance(item, exp.Star)]
        if select is draft.select or is_grouped(select) or len(stars) != 1:
            continue
        columns = [reference(k, select) for k in known_columns(select, draft.policy) if fold(k.name) in named]
        if columns:
            kept = [item for item in select.expressions if item is not stars[0]]
            select.set("expressions", [*columns, *kept])
            changed = True
    return changed


def drop_choice(draft: Draft) -> bool:
    """ORDER BY, LIMIT and OFFSET of sub-selects over rows are left out."""
    changed = False
    for select in draft.tree.find_all(exp.Select):
        if select is draft.select or is_grouped(select) or not known_columns(select, draft.policy):
            continue
        for clause in ("order", "limit", "offset"):
            changed = changed or select.args.get(clause) is not None
            select.set(clause, None)
    return changed
