"""Findings about names and joins → the name in the catalog that is nearest, the pair of columns that both owners list."""

from __future__ import annotations

import difflib

from sqlglot import exp

from cleanroom.domain.identifiers import fold, owner_of
from cleanroom.domain.policy import AnalysisRule, Dataset, Policy
from cleanroom.sql.rewrite_draft import Draft, aggregates, clause_of, dataset_of, known_columns, select_of, sources

_ALIKE = 0.75
_ALIKE_WITH_PARTNER = 0.85


def nearest_dataset(draft: Draft) -> bool:
    """A dataset that is not there becomes the one whose name, or whose last part of it, is nearest."""
    table = draft.at(exp.Table)
    if table is None:
        return False
    names = {fold(name): name for name in draft.policy.rules}
    last = [name for name in names.values() if fold(name.partition(".")[2]) == fold(str(table.name))]
    near = difflib.get_close_matches(fold(f"{table.db}.{table.name}"), list(names), 1, _ALIKE_WITH_PARTNER)
    found = last[0] if len(last) == 1 else names[near[0]] if near else None
    if found is None:
        return False
    partner, _, name = found.partition(".")
    table.set("db", exp.to_identifier(partner))
    table.set("this", exp.to_identifier(name))
    return True


def nearest_column(draft: Draft) -> bool:
    """A column that is not there becomes the one whose name is nearest."""
    column = draft.at(exp.Column)
    select = select_of(column) if column is not None else None
    if column is None or select is None:
        return False
    table = fold(str(column.table))
    names = {fold(k.name): k.name for k in known_columns(select, draft.policy) if table in ("", fold(k.qualifier))}
    near = difflib.get_close_matches(fold(str(column.name)), list(names), 1, _ALIKE)
    if not near:
        return False
    column.set("this", exp.to_identifier(names[near[0]]))
    return True


def listed_join(draft: Draft) -> bool:
    """An inner join is on the columns that its dataset's owner lists with a dataset before it; other conditions stay."""
    join = _join(draft)
    select = select_of(join) if join is not None else None
    pairs = _pairs(join, select, draft.policy) if join is not None and select is not None else None
    if join is None or pairs is None or join.side or str(join.args.get("kind") or "").upper() in ("SEMI", "ANTI"):
        return False
    on = join.args.get("on")
    written = list(on.flatten()) if isinstance(on, exp.And) else [on] if on is not None else []
    pairs += [part.copy() for part in written if _is_of_one_table(part)]
    for name in ("side", "kind", "method", "using"):
        join.set(name, None)
    join.set("on", exp.and_(*pairs))
    return True


def _is_of_one_table(condition: exp.Expr) -> bool:
    return len({fold(str(c.table)) for c in condition.find_all(exp.Column)}) == 1


def _join(draft: Draft) -> exp.Join | None:
    """The join that the finding speaks of: that around its place, else the only one of its SELECT."""
    at = draft.at(exp.Column) or draft.at(exp.Table)
    around = at.find_ancestor(exp.Join) if at is not None and clause_of(at) == "joins" else None
    if around is not None:
        return around
    joins = list(draft.tree.find_all(exp.Join))
    return joins[0] if len(joins) == 1 else None


def _pairs(join: exp.Join, select: exp.Select, policy: Policy) -> list[exp.Expr] | None:
    joined = dataset_of(join.this, policy)
    rule = policy.rules.get(joined.name) if joined is not None else None
    before = [node for node in sources(select) if node is not join.this]
    for node in before:
        other = dataset_of(node, policy)
        keys = _listed(rule, other) if rule is not None and other is not None else None
        if keys is not None:
            mine, theirs = str(join.this.alias_or_name), str(node.alias_or_name)
            return [exp.column(t, table=theirs).eq(exp.column(m, table=mine)) for m, t in keys]
    return None


def _listed(rule: AnalysisRule, other: Dataset) -> tuple[tuple[str, str], ...] | None:
    return next((p.keys for p in rule.joins.partners if p.dataset == other.name), None)


def audience(draft: Draft) -> bool:
    """A joined dataset of which nothing but the join's own column is used becomes a condition: IN (SELECT …)."""
    for join in list(draft.tree.find_all(exp.Join)):
        select, on = select_of(join), join.args.get("on")
        name = fold(str(join.this.alias_or_name))
        if select is None or not isinstance(on, exp.EQ) or not _may_be_asked(join, draft):
            continue
        mine, theirs = on.this, on.expression
        if isinstance(mine, exp.Column) and fold(str(mine.table)) == name:
            mine, theirs = theirs, mine
        used = [c for c in select.find_all(exp.Column) if fold(str(c.table)) in (name, "")]
        if not isinstance(mine, exp.Column) or len(used) != 1 or used[0] is not theirs:
            continue
        chosen = exp.select(theirs.copy()).from_(join.this.copy())
        join.pop()
        select.where(exp.In(this=mine.copy(), query=exp.Subquery(this=chosen)), copy=False)
        return True
    return False


def _may_be_asked(join: exp.Join, draft: Draft) -> bool:
    """Whether the owners of the joined dataset and of the finding's allow the people of one to be asked for in another."""
    joined = dataset_of(join.this, draft.policy)
    rules = [draft.rule, draft.policy.rules.get(joined.name) if joined is not None else None]
    return all(rule is not None and "semi" in rule.joins.kinds for rule in rules)


def required_join(draft: Draft) -> bool:
    """The same by a join, where all that is asked of each group is how many people it has."""
    rule, table = draft.rule, draft.at(exp.Table)
    select = select_of(table) if table is not None else None
    if rule is None or table is None or select is None or len(sources(select)) != 1 or not _counts_people(select):
        return False
    partner = next((p for p in rule.joins.partners if owner_of(p.dataset) != owner_of(rule.dataset)), None)
    if partner is None:
        return False
    ours = str(table.alias_or_name)
    for column in select.find_all(exp.Column):
        if not column.table and select_of(column) is select:
            column.set("table", exp.to_identifier(ours))
    owner, _, name = partner.dataset.partition(".")
    pairs = [exp.column(mine, table=ours).eq(exp.column(theirs, table=name)) for mine, theirs in partner.keys]
    select.join(exp.table_(name, db=owner), on=exp.and_(*pairs), copy=False)
    return True


def _counts_people(select: exp.Select) -> bool:
    found = aggregates(select)
    return all(isinstance(a, exp.Count) and isinstance(a.this, exp.Distinct) for a in found)


def required_audience(draft: Draft) -> bool:
    """A dataset that is used only together with another's is restricted to the people who are in that one too."""
    rule = draft.rule
    table = draft.at(exp.Table)
    select = select_of(table) if table is not None else None
    if rule is None or table is None or select is None:
        return False
    for partner in rule.joins.partners:
        if len(partner.keys) == 1 and owner_of(partner.dataset) != owner_of(rule.dataset):
            mine, theirs = partner.keys[0]
            owner, _, name = partner.dataset.partition(".")
            chosen = exp.select(exp.column(theirs)).from_(exp.table_(name, db=owner))
            column = exp.column(mine, table=table.alias or None)
            select.where(exp.In(this=column, query=exp.Subquery(this=chosen)), copy=False)
            return True
    return False
