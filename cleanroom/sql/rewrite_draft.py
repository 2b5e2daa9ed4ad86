"""A draft of a query: the analyst's tree, copied to be changed. Where things stand in it, and what its FROM offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from sqlglot import exp

from cleanroom.domain.expression import Place
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import fold
from cleanroom.domain.policy import AnalysisRule, Dataset, DatasetColumn, Policy
from cleanroom.sql.nodes import place_of

MOST_LEVELS = 8
_LISTS = ("group", "order")
_Node = TypeVar("_Node", bound=exp.Expr)


@dataclass(frozen=True, slots=True)
class Draft:
    """The analyst's tree, read once more to be changed, and the one finding to change it for. `places` are those of the tree
    as it was read."""

    tree: exp.Expr
    places: Mapping[Place, Sequence[exp.Expr]]
    policy: Policy
    finding: Finding

    def at(self, kind: type[_Node]) -> _Node | None:
        """The outermost node of the kind that begins at the finding's place and is still there."""
        nodes = self.places.get(self.finding.at, ()) if self.finding.at is not None else ()
        return next((node for node in nodes if isinstance(node, kind) and _is_in(node, self.tree)), None)

    @property
    def select(self) -> exp.Select | None:
        """The SELECT whose rows come out; None where they come from several."""
        return self.tree if isinstance(self.tree, exp.Select) else None

    @property
    def mention(self) -> exp.Column | None:
        """The column at the finding's place, or in the function that begins there."""
        column = self.at(exp.Column)
        around = self.at(exp.Func) if column is None else None
        return around.find(exp.Column) if around is not None else column

    @property
    def rule(self) -> AnalysisRule | None:
        """The rule of the finding's dataset."""
        return None if self.finding.dataset is None else self.policy.rules.get(self.finding.dataset)

    @property
    def column(self) -> DatasetColumn | None:
        """The finding's column as its dataset declares it."""
        dataset = None if self.finding.dataset is None else self.policy.datasets.get(self.finding.dataset)
        return None if dataset is None else dataset.column(self.finding.column or "")


def places_in(tree: exp.Expr) -> Mapping[Place, Sequence[exp.Expr]]:
    """Where every node begins, as `nodes.place_of` has it, in one walk; outermost nodes first."""
    nodes = list(tree.walk())
    begins: dict[int, Place] = {}
    for node in reversed(nodes):
        inside = (begins[id(child)] for child in node.iter_expressions() if id(child) in begins)
        place = place_of(node) if "line" in node.meta else next(inside, None)
        if place is not None:
            begins[id(node)] = place
    found: dict[Place, list[exp.Expr]] = {}
    for node in nodes:
        if id(node) in begins:
            found.setdefault(begins[id(node)], []).append(node)
    return found


def _is_in(node: exp.Expr, tree: exp.Expr) -> bool:
    """Whether the node still stands in the tree: a node that was left out keeps its parent, the parent does not keep it."""
    above = node.parent
    if above is None:
        return node is tree
    held = above.args.get(node.arg_key or "")
    return any(node is child for child in (held if isinstance(held, list) else [held])) and _is_in(above, tree)


@dataclass(frozen=True, slots=True)
class Known:
    """A column of people's rows that FROM offers, as `qualifier`.`name`, and whose it is."""

    qualifier: str
    name: str
    dataset: Dataset
    column: DatasetColumn
    rule: AnalysisRule

    @property
    def groupable(self) -> bool:
        use = self.rule.column(self.column.name)
        return use.group is not None and not use.join

    @property
    def countable(self) -> bool:
        """Whether it names the protected people and may be counted."""
        named = self.column.name in self.dataset.privacy_units
        return named and "count_distinct" in self.rule.column(self.column.name).aggregate


def clause_of(node: exp.Expr) -> str | None:
    """The clause of its own SELECT in which the node stands: "expressions", "where", "group", "joins" …"""
    found: exp.Expr | None = node
    while found is not None and not isinstance(found.parent, exp.Select):
        found = found.parent
    return None if found is None else found.arg_key


def select_of(node: exp.Expr) -> exp.Select | None:
    """The SELECT whose clause holds the node."""
    return node.find_ancestor(exp.Select)


def sources(select: exp.Select) -> list[exp.Expr]:
    """What FROM and JOIN name, in order."""
    clause = select.args.get("from_")
    return [*([clause.this] if clause is not None else []), *(j.this for j in select.args.get("joins") or [])]


def dataset_of(node: exp.Expr, policy: Policy) -> Dataset | None:
    """The dataset that the node of FROM names."""
    if not isinstance(node, exp.Table) or not node.db:
        return None
    wanted = fold(f"{node.db}.{node.name}")
    return next((d for name, d in policy.datasets.items() if fold(name) == wanted), None)


def known_columns(select: exp.Select, policy: Policy, levels: int = MOST_LEVELS) -> list[Known]:
    """Every column of people's rows that the SELECT can name, through sub-selects and common table expressions."""
    return [known for node in sources(select) for known in _offered(node, policy, levels)]


def _offered(node: exp.Expr, policy: Policy, levels: int) -> Iterator[Known]:
    name = str(node.alias_or_name)
    dataset = dataset_of(node, policy)
    rule = policy.rules.get(dataset.name) if dataset is not None else None
    if dataset is not None and rule is not None:
        yield from (Known(name, column.name, dataset, column, rule) for column in dataset.columns)
        return
    inner = _definition(node)
    if inner is None or levels == 0 or is_grouped(inner):
        return
    below = known_columns(inner, policy, levels - 1)
    for item in inner.expressions:
        tree = item.unalias()
        if isinstance(tree, exp.Star):
            yield from (replace(known, qualifier=name) for known in below)
        elif isinstance(tree, exp.Column) and (known := find(tree, below)) is not None:
            yield replace(known, qualifier=name, name=str(item.alias_or_name))


def _definition(node: exp.Expr) -> exp.Select | None:
    """The SELECT behind a sub-select, or behind the name of a common table expression."""
    if isinstance(node, exp.Subquery):
        return node.this if isinstance(node.this, exp.Select) else None
    above = node.parent
    while above is not None:
        clause = above.args.get("with_") if isinstance(above, exp.Select) else None
        for cte in clause.expressions if clause is not None else ():
            if fold(str(cte.alias)) == fold(str(node.name)) and isinstance(cte.this, exp.Select):
                return None if _is_within(node, cte) else cte.this
        above = above.parent
    return None


def _is_within(node: exp.Expr, outer: exp.Expr) -> bool:
    found: exp.Expr | None = node
    while found is not None and found is not outer:
        found = found.parent
    return found is outer


def find(column: exp.Column, known: list[Known]) -> Known | None:
    """The one known column that the reference means."""
    table = str(column.table)
    found = [k for k in known if fold(k.name) == fold(str(column.name)) and fold(table) in ("", fold(k.qualifier))]
    return found[0] if len(found) == 1 else None


def is_grouped(select: exp.Select) -> bool:
    """Whether its rows are groups."""
    if any(select.args.get(name) is not None for name in ("group", "having", "distinct")):
        return True
    return any(aggregates(item) for item in select.expressions)


def aggregates(tree: exp.Expr) -> list[exp.AggFunc]:
    """The aggregates in the tree that are not those of a sub-select."""
    outer = tree if isinstance(tree, exp.Select) else tree.find_ancestor(exp.Select)
    return [found for found in tree.find_all(exp.AggFunc) if found.find_ancestor(exp.Select) is outer]


def reference(known: Known, select: exp.Select) -> exp.Column:
    """How the SELECT names the column: with its table where there is more than one."""
    return exp.column(known.name, table=known.qualifier if len(sources(select)) > 1 else None)


def unit_count(select: exp.Select, draft: Draft) -> exp.Expr | None:
    """COUNT(DISTINCT …) of the people of the finding's dataset, or of the first whose owner lets them be counted."""
    found = [known for known in known_columns(select, draft.policy) if known.countable]
    found.sort(key=lambda known: known.dataset.name != draft.finding.dataset)
    return exp.Count(this=exp.Distinct(expressions=[reference(found[0], select)])) if found else None


def drop_outputs(select: exp.Select, unwanted: Callable[[exp.Expr], bool]) -> bool:
    """Outputs, keys and orderings without what is unwanted. False, nothing changed: none is, or no output would be left."""
    gone = [item for item in select.expressions if unwanted(item)]
    kept = [item for item in select.expressions if not any(item is other for other in gone)]
    if not kept or not (gone or any(unwanted(tree) for name in _LISTS for tree in _entries(select, name))):
        return False
    names = {fold(str(item.alias)) for item in gone if isinstance(item, exp.Alias)}
    _open_positions(select)

    def is_gone(tree: exp.Expr) -> bool:
        named = isinstance(tree, exp.Column) and not tree.table and fold(str(tree.name)) in names
        return named or unwanted(tree) or any(tree == item.unalias() for item in gone)

    for name in _LISTS:
        clause = select.args.get(name)
        if clause is not None:
            left = [e for e in clause.expressions if not is_gone(e.this if isinstance(e, exp.Ordered) else e)]
            clause.set("expressions", left)
            if not any(clause.args.values()):
                select.set(name, None)
    select.set("expressions", kept)
    return True


def _entries(select: exp.Select, name: str) -> list[exp.Expr]:
    """What GROUP BY or ORDER BY lists."""
    clause = select.args.get(name)
    entries = clause.expressions if clause is not None else []
    return [entry.this if isinstance(entry, exp.Ordered) else entry for entry in entries]


def _open_positions(select: exp.Select) -> None:
    """What GROUP BY and ORDER BY name by position is written out: positions move when an output goes."""
    items = list(select.expressions)
    for tree in [entry for name in _LISTS for entry in _entries(select, name)]:
        if isinstance(tree, exp.Literal) and tree.is_int and 1 <= int(str(tree.this)) <= len(items):
            tree.replace(items[int(str(tree.this)) - 1].unalias().copy())
