"""One SELECT → a relation: from, where, groups, aggregates, having, windows, outputs, order, limit, in that order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from cleanroom.domain.dependencies import is_per_unit
from cleanroom.domain.expression import Column, Expression, Field, Literal, Missing, SortKey, fields_of
from cleanroom.domain.identifiers import fold
from cleanroom.domain.plan import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    OneRow,
    Project,
    Relation,
    Sort,
    Window,
)
from cleanroom.sql.aggregation import Calls, direction
from cleanroom.sql.audiences import audience_of, parts_of, with_audiences
from cleanroom.sql.expressions import MOST_LIST_ITEMS, condition, translate
from cleanroom.sql.grains import several_grains
from cleanroom.sql.grouping import Grouping, read_grouping
from cleanroom.sql.items import Item, Output, has_aggregate, items_of, lazy_aliases, name_of, ready_aliases, written
from cleanroom.sql.joins import conjuncts, joined
from cleanroom.sql.limits import limited
from cleanroom.sql.nodes import place_of
from cleanroom.sql.sources import From, Tables, read_from
from cleanroom.sql.terms import Terms

_JOIN_IT = "Compute it over groups, or join what it reads."
_CLAUSES = (
    "expressions",
    "from_",
    "joins",
    "where",
    "group",
    "having",
    "qualify",
    "distinct",
    "order",
    "limit",
    "offset",
    "with_",
)


def translate_select(select: exp.Select, tables: Tables) -> Relation | None:
    """The relation that the SELECT means; None, with findings, where its FROM names nothing."""
    tables.resolution.read_whole(select, *_CLAUSES)
    if not select.expressions:
        tables.resolution.unsupported(select, "A SELECT that selects nothing", "Name its outputs.")
    source = read_from(select, tables)
    if not source.entries:
        return None
    relation = _filtered(select, source, tables)
    items = items_of(select, source, tables)
    return _Select(select, tables, relation, source, items).relation()


def _filtered(select: exp.Select, source: From, tables: Tables) -> Relation:
    """FROM joined, filtered by what ON and WHERE say, and brought down to the audiences that WHERE asks for."""
    where = select.args.get("where")
    if where is None:
        return joined(source, [], tables)
    tables.resolution.read_whole(where, "this")
    aliases = lazy_aliases(written(select), Terms(tables.resolution, source.scope, "WHERE"))
    terms = Terms(tables.resolution, source.scope, "WHERE", aliases=aliases, column_wins=True)
    trees = parts_of(where.this)
    if len(trees) > MOST_LIST_ITEMS:
        tables.resolution.refuse("sql.too_large", f"A condition may have {MOST_LIST_ITEMS} parts.", where)
        trees = trees[:MOST_LIST_ITEMS]
    asked = [found for tree in trees if (found := audience_of(tree)) is not None]
    parts = [part for tree in trees if audience_of(tree) is None for part in conjuncts(condition(tree, terms))]
    return with_audiences(joined(source, parts, tables), asked, terms, tables)


class _Select:
    """One SELECT while it is being put together; `relation` is its only answer."""

    def __init__(self, tree: exp.Select, tables: Tables, below: Relation, source: From, items: list[Item]) -> None:
        self.tree, self.tables, self.below, self.items = tree, tables, below, items
        self.resolution = tables.resolution
        self.base = Terms(self.resolution, source.scope, "SELECT")
        self.calls = Calls(self.resolution, private=not below.released)
        self.grains: tuple[tuple[Field, ...], ...] = ()
        self.scalars: list[Relation] = []

    def relation(self) -> Relation:
        self.calls.grouped = self._is_grouped()
        if self.calls.grouped:
            self.calls.base = frozenset(f.id for f in self.below.fields)
            self.calls.keys = self._keys()
            self.calls.per_unit = self._is_per_unit(self.below, self.calls.keys)
        after = replace(self.base, aggregate=self.calls.aggregate, window=self.calls.window, subquery=self._scalar)
        outputs = [
            Output(item.name or name_of(item.tree), self.calls.settle(translate(item.tree, after)))
            for item in self.items
        ]
        after = replace(after, aliases=ready_aliases(self.items, outputs))
        having = self._condition("having", replace(after, clause="HAVING", window=None))
        self._refuse_windows_in(having)
        qualify = self._condition("qualify", replace(after, clause="QUALIFY"))
        order = self._order(replace(after, clause="ORDER BY"), outputs)
        return self._stack(outputs, having, qualify, order)

    def _is_per_unit(self, below: Relation, keys: tuple[Field, ...]) -> bool:
        return not below.released and is_per_unit(below, keys, self.resolution.policy.datasets)

    def _scalar(self, node: exp.Expr, _: Terms) -> Expression:
        """The one value of a sub-query of groups that has at most one row; NULL where that row is withheld."""
        self.resolution.read_whole(node, "this")
        found = self.tables.select(node.this, self.tables.environment)
        if found is None:
            return Missing(place_of(node))
        grouped = self.calls.grouped and not self.calls.per_unit
        if not found.released or not (self.below.released or grouped):
            return self.resolution.unsupported(node, "A sub-query as a value among rows of people", _JOIN_IT)
        if len(found.fields) != 1 or not _has_one_row(found):
            return self.resolution.unsupported(
                node, "A sub-query as a value that may have several rows or columns", "Aggregate it to one value."
            )
        if found.fields[0].id not in {f.id for scalar in self.scalars for f in scalar.fields}:
            self.scalars.append(found)
        return Column(replace(found.fields[0], nullable=True), place_of(node))

    def _is_grouped(self) -> bool:
        if self.tree.args.get("group") or self.tree.args.get("having"):
            return True
        clauses = [item.tree for item in self.items]
        clauses += [tree for name in ("order", "qualify") if (tree := self.tree.args.get(name)) is not None]
        return any(has_aggregate(tree) for tree in clauses)

    def _keys(self) -> tuple[Field, ...]:
        """The key of each written GROUP BY entry, each once; `grains` says which of them each grain has."""
        group = self.tree.args.get("group")
        if group is None:
            return ()
        if group.args.get("all"):
            self.resolution.read_whole(group, "all")
            trees = [item.tree for item in self.items if not has_aggregate(item.tree, windows=True)]
            grouping = Grouping((tuple(trees),))
        else:
            grouping = read_grouping(group, self._key_trees, self.resolution)
        terms = self._key_terms()
        made: dict[int, Field] = {}
        for tree in grouping.trees:
            listed = any(tree is item.tree for item in self.items)
            expression = translate(tree, self.base if listed else terms(tree))
            known = next((key for key in made.values() if key.origin == expression), None)
            if known is not None:
                made[id(tree)] = known
            elif isinstance(expression, Literal):
                if len(grouping.grains) > 1:
                    self.resolution.unsupported(tree, "A literal among the keys of several grains", "Take it out.")
            else:
                nullable = expression.field.nullable if isinstance(expression, Column) else True
                made[id(tree)] = self.resolution.field(
                    self._key_name(tree), expression.type, nullable=nullable, origin=expression
                )
        grains = [tuple(dict.fromkeys(made[id(t)] for t in grain if id(t) in made)) for grain in grouping.grains]
        self.grains = tuple(grains) if len(grains) > 1 else ()
        return tuple(dict.fromkeys(made.values()))

    def _key_terms(self) -> Callable[[exp.Expr], Terms]:
        """What names mean in a GROUP BY entry: a bare name may be an output's, inside an expression columns win."""
        aliases = lazy_aliases(self.items, self.base)
        bare = replace(self.base, clause="GROUP BY", aliases=aliases)
        inside = replace(bare, column_wins=True)
        return lambda tree: bare if isinstance(tree, exp.Column) else inside

    def _key_trees(self, tree: exp.Expr) -> list[exp.Expr]:
        """A GROUP BY entry with parentheses opened and a position replaced by what stands there."""
        if isinstance(tree, exp.Paren):
            return self._key_trees(tree.this)
        if isinstance(tree, exp.Tuple):
            return [part for inner in tree.expressions for part in self._key_trees(inner)]
        if isinstance(tree, exp.Literal):
            item = self._at_position(tree, "GROUP BY")
            return [] if item is None else [item.tree]
        if isinstance(tree, exp.Placeholder):
            self.resolution.unsupported(tree, "A parameter as a key of GROUP BY", "Name the output, or its position.")
            return []
        return [tree]

    def _at_position(self, tree: exp.Literal, clause: str) -> Item | None:
        if tree.is_int and 1 <= int(str(tree.this)) <= len(self.items):
            return self.items[int(str(tree.this)) - 1]
        self.resolution.refuse("name.unknown", f"There is no output at this position of {clause}.", self.tree)
        return None

    def _key_name(self, tree: exp.Expr) -> str:
        named = next((item.name for item in self.items if item.tree == tree and item.name), None)
        return named or name_of(tree)

    def _condition(self, clause: str, terms: Terms) -> Expression | None:
        tree = self.tree.args.get(clause)
        return None if tree is None else self.calls.settle(condition(tree.this, terms))

    def _refuse_windows_in(self, having: Expression | None) -> None:
        windows = {f.id for f in self.calls.windows}
        if having is not None and any(f.id in windows for f in fields_of(having)):
            self.resolution.unsupported(self.tree.args["having"], "A window function in HAVING", "Use QUALIFY.")

    def _order(self, terms: Terms, outputs: list[Output]) -> tuple[SortKey, ...]:
        order = self.tree.args.get("order")
        if order is None:
            return ()
        self.resolution.read_whole(order, "expressions")
        return tuple(key for item in order.expressions for key in self._sort_keys(item, terms, outputs))

    def _sort_keys(self, item: exp.Expr, terms: Terms, outputs: list[Output]) -> list[SortKey]:
        self.resolution.read_whole(item, "this", "desc", "nulls_first")
        descending, nulls_first = direction(item)
        match item.this:
            case exp.Var() if fold(item.this.name) == "all":
                found = [output.expression for output in outputs]
            case exp.Literal() as position if position.is_int:
                known = self._at_position(position, "ORDER BY")
                found = [] if known is None else [outputs[self.items.index(known)].expression]
            case exp.Column() as column if column.args.get("table") is None and (
                named := terms.aliases.get(fold(column.name))
            ):
                found = [named()]
            case exp.Placeholder() as parameter:
                self.resolution.unsupported(parameter, "A parameter in ORDER BY", "Name the output, or its position.")
                found = []
            case tree:
                found = [self.calls.settle(translate(tree, terms))]
        return [SortKey(expression, descending, nulls_first) for expression in found]

    def _stack(
        self,
        outputs: list[Output],
        having: Expression | None,
        qualify: Expression | None,
        order: tuple[SortKey, ...],
    ) -> Relation:
        """The clauses upon each other, in the order in which SQL means them."""
        relation = self._aggregated() if self.calls.grouped else self.below
        for scalar in self.scalars:
            relation = Join(relation, scalar, JoinKind.LEFT, (), True, place_of(self.tree))
        if having is not None:
            relation = Filter(relation, having, relation.released)
        if self.calls.windows:
            relation = Window(relation, tuple(self.calls.windows), relation.released)
        if qualify is not None:
            relation = Filter(relation, qualify, relation.released)
        fields = tuple(self._output_field(output) for output in outputs)
        if self.tree.args.get("distinct") is not None:
            relation = Project(relation, fields, relation.released)
            return limited(self.tree, *self._distinct(relation, order), self.resolution)
        sort, hidden = self._sort_over(fields, order)
        made = Project(relation, fields + hidden, relation.released)
        relation = limited(self.tree, made, sort, self.resolution)
        return self._without(relation, fields) if hidden else relation

    def _aggregated(self) -> Relation:
        at, measures = place_of(self.tree), tuple(self.calls.measures)
        if not measures and () in self.grains:
            self.resolution.unsupported(self.tree, "A grand total of no aggregate", "Select an aggregate.")
        if not self.grains:
            return Aggregate(self.below, self.calls.keys, measures, not self.calls.per_unit, at)
        return several_grains(self.below, self.calls, self.grains, at)

    def _output_field(self, output: Output) -> Field:
        expression = output.expression
        nullable = expression.field.nullable if isinstance(expression, Column) else True
        return self.resolution.field(output.name, expression.type, nullable=nullable, origin=expression)

    def _sort_over(
        self, fields: tuple[Field, ...], order: tuple[SortKey, ...]
    ) -> tuple[tuple[SortKey, ...], tuple[Field, ...]]:
        """The sort keys as columns of the outputs, and the further fields that the output lacks for them."""
        hidden: list[Field] = []
        keys = []
        for key in order:
            known = next((f for f in (*fields, *hidden) if f.origin == key.expression), None)
            if known is None:
                known = self.resolution.field("order", key.expression.type, nullable=True, origin=key.expression)
                hidden.append(known)
            keys.append(replace(key, expression=Column(known)))
        return tuple(keys), tuple(hidden)

    def _distinct(self, relation: Relation, order: tuple[SortKey, ...]) -> tuple[Relation, tuple[SortKey, ...]]:
        self.resolution.read_whole(self.tree.args["distinct"])
        keys = tuple(
            self.resolution.field(f.name, f.type, nullable=f.nullable, origin=Column(f)) for f in relation.fields
        )
        by_origin = {id(f): key for f, key in zip(relation.fields, keys, strict=True)}
        sort = []
        for item in order:
            known = next((f for f in relation.fields if f.origin == item.expression), None)
            if known is None:
                self.resolution.unsupported(self.tree.args["order"], "ORDER BY of what DISTINCT does not select")
                continue
            sort.append(replace(item, expression=Column(by_origin[id(known)])))
        released = not self._is_per_unit(relation, keys)
        return Aggregate(relation, keys, (), released, place_of(self.tree)), tuple(sort)

    def _without(self, relation: Relation, fields: tuple[Field, ...]) -> Relation:
        again = tuple(self.resolution.field(f.name, f.type, nullable=f.nullable, origin=Column(f)) for f in fields)
        return Project(relation, again, relation.released)


def _has_one_row(relation: Relation) -> bool:
    """Whether the relation has one row at most, whatever the data."""
    match relation:
        case OneRow():
            return True
        case Aggregate(keys=keys):
            return not keys
        case Limit(count=count):
            return count is not None and count <= 1
        case Project(input=below) | Filter(input=below) | Window(input=below) | Sort(input=below):
            return _has_one_row(below)
        case Join(kind=JoinKind.LEFT, keys=()):
            return _has_one_row(relation.left) and _has_one_row(relation.right)
    return False
