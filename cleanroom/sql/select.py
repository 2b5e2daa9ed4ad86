"""One SELECT → a relation: from, where, groups, aggregates, having, windows, outputs, order, limit, in that order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial

from sqlglot import exp

from cleanroom.domain.expression import Call, Column, Expression, Field, Literal, Missing, SortKey, fields_of
from cleanroom.domain.identifiers import fold
from cleanroom.domain.plan import Aggregate, Filter, Limit, Project, Relation, Sort, Window
from cleanroom.domain.types import BOOLEAN
from cleanroom.sql.aggregation import Calls, direction
from cleanroom.sql.expressions import AGGREGATE_NODES, condition, translate
from cleanroom.sql.nodes import place_of
from cleanroom.sql.sources import From, Tables, join_all, read_from
from cleanroom.sql.terms import Terms

MOST_OUTPUTS = 50
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


def translate_select(select: exp.Select, tables: Tables) -> Relation | None:
    """The relation that the SELECT means; None, with findings, where its FROM names nothing."""
    tables.resolution.read_whole(select, *_CLAUSES)
    if not select.expressions:
        tables.resolution.unsupported(select, "A SELECT that selects nothing", "Name its outputs.")
    source = read_from(select, tables)
    if not source.relations:
        return None
    relation = _filtered(select, source, tables)
    items = _items(select, source, tables)
    return _Select(select, tables, relation, source, items).relation()


def _filtered(select: exp.Select, source: From, tables: Tables) -> Relation:
    """FROM joined on every equality between two of its tables, then filtered by what else ON and WHERE say."""
    terms = Terms(tables.resolution, source.scope, "ON")
    parts = [part for tree in source.conditions for part in _conjuncts(condition(tree, terms))]
    where = select.args.get("where")
    if where is not None:
        aliases = _lazy_aliases(_named(select), Terms(tables.resolution, source.scope, "WHERE"))
        terms = replace(terms, clause="WHERE", aliases=aliases, column_wins=True)
        parts += _conjuncts(condition(where.this, terms))
    equal = [(part, _pair(part)) for part in parts]
    pairs = source.pairs + tuple(pair for _, pair in equal if pair is not None)
    joined, idle = join_all(source, pairs, tables)
    remaining = [part for part, pair in equal if pair is None or pairs.index(pair) in idle]
    if not remaining:
        return joined
    predicate = remaining[0] if len(remaining) == 1 else Call("and", tuple(remaining), BOOLEAN)
    return Filter(joined, predicate, joined.released)


def _conjuncts(expression: Expression) -> list[Expression]:
    if isinstance(expression, Call) and expression.function == "and":
        return [part for argument in expression.arguments for part in _conjuncts(argument)]
    return [expression]


def _pair(expression: Expression) -> tuple[Column, Column] | None:
    match expression:
        case Call(function="eq", arguments=(Column() as left, Column() as right)):
            return left, right
    return None


def _named(select: exp.Select) -> list[Item]:
    return [
        Item(tree.this, str(tree.args["alias"].this)) if isinstance(tree, exp.Alias) else Item(tree, None)
        for tree in select.expressions
    ]


def _lazy_aliases(items: list[Item], terms: Terms) -> dict[str, Callable[[], Expression]]:
    """Names of the select list, each read once and only when it is used, and then without further aliases."""
    return {
        fold(item.name): cache(partial(translate, item.tree, terms))
        for item in items
        if item.name is not None and not isinstance(item.tree, exp.Star)
    }


def _items(select: exp.Select, source: From, tables: Tables) -> list[Item]:
    """The select list, a star over released columns written out."""
    items: list[Item] = []
    for item in _named(select):
        star = item.tree if isinstance(item.tree, exp.Star) else getattr(item.tree, "this", None)
        if isinstance(item.tree, exp.Star | exp.Column) and isinstance(star, exp.Star):
            items += _star(item.tree, source, tables)
        else:
            items.append(item)
    if len(items) > MOST_OUTPUTS:
        tables.resolution.refuse("sql.too_large", f"A SELECT may have {MOST_OUTPUTS} outputs.")
    return items[:MOST_OUTPUTS]


def _star(node: exp.Expr, source: From, tables: Tables) -> list[Item]:
    simple = isinstance(node, exp.Star) and not any(node.args.values())
    if not simple or not all(relation.released for relation in source.relations):
        tables.resolution.refuse(
            "output.not_aggregate", "A star over rows of people is not accepted.", node, hint="Name the columns."
        )
        return []
    return [
        Item(exp.column(exp.to_identifier(f.name, quoted=True), table=member.name), f.name)
        for member in source.scope.members
        for f in member.fields
    ]


class _Select:
    """One SELECT while it is being put together; `relation` is its only answer."""

    def __init__(self, tree: exp.Select, tables: Tables, below: Relation, source: From, items: list[Item]) -> None:
        self.tree, self.tables, self.below, self.items = tree, tables, below, items
        self.resolution = tables.resolution
        self.base = Terms(self.resolution, source.scope, "SELECT")
        self.calls = Calls(self.resolution, private=not below.released)

    def relation(self) -> Relation:
        self.calls.grouped = self._is_grouped()
        if self.calls.grouped:
            self.calls.base = frozenset(f.id for f in self.below.fields)
            self.calls.keys = self._keys()
        after = replace(self.base, aggregate=self.calls.aggregate, window=self.calls.window)
        outputs = [
            Output(item.name or _name_of(item.tree), self.calls.settle(translate(item.tree, after)))
            for item in self.items
        ]
        after = replace(after, aliases=_ready_aliases(self.items, outputs))
        having = self._condition("having", replace(after, clause="HAVING", window=None))
        self._refuse_windows_in(having)
        qualify = self._condition("qualify", replace(after, clause="QUALIFY"))
        order = self._order(replace(after, clause="ORDER BY"), outputs)
        return self._stack(outputs, having, qualify, order)

    def _is_grouped(self) -> bool:
        if self.tree.args.get("group") or self.tree.args.get("having"):
            return True
        clauses = [item.tree for item in self.items]
        clauses += [tree for name in ("order", "qualify") if (tree := self.tree.args.get(name)) is not None]
        return any(_has_aggregate(tree) for tree in clauses)

    def _keys(self) -> tuple[Field, ...]:
        group = self.tree.args.get("group")
        if group is None:
            return ()
        self.resolution.read_whole(group, "expressions", "all")
        if group.args.get("all"):
            trees = [item.tree for item in self.items if not _has_aggregate(item.tree, windows=True)]
        else:
            trees = [part for tree in group.expressions for part in self._key_trees(tree)]
        terms = self._key_terms()
        keys: list[Field] = []
        for tree in trees:
            listed = any(tree is item.tree for item in self.items)
            expression = translate(tree, self.base if listed else terms(tree))
            if isinstance(expression, Literal) or any(expression == key.origin for key in keys):
                continue
            nullable = expression.field.nullable if isinstance(expression, Column) else True
            keys.append(
                self.resolution.field(self._key_name(tree), expression.type, nullable=nullable, origin=expression)
            )
        return tuple(keys)

    def _key_terms(self) -> Callable[[exp.Expr], Terms]:
        """What names mean in a GROUP BY entry: a bare name may be an output's, inside an expression columns win."""
        aliases = _lazy_aliases(self.items, self.base)
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
        return [tree]

    def _at_position(self, tree: exp.Literal, clause: str) -> Item | None:
        if tree.is_int and 1 <= int(str(tree.this)) <= len(self.items):
            return self.items[int(str(tree.this)) - 1]
        self.resolution.refuse("name.unknown", f"There is no output at this position of {clause}.", self.tree)
        return None

    def _key_name(self, tree: exp.Expr) -> str:
        named = next((item.name for item in self.items if item.tree == tree and item.name), None)
        return named or _name_of(tree)

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
        relation = self.below
        if self.calls.grouped:
            relation = Aggregate(relation, self.calls.keys, tuple(self.calls.measures), True, place_of(self.tree))
        if having is not None:
            relation = Filter(relation, having, relation.released)
        if self.calls.windows:
            relation = Window(relation, tuple(self.calls.windows), relation.released)
        if qualify is not None:
            relation = Filter(relation, qualify, relation.released)
        fields = tuple(self._output_field(output) for output in outputs)
        if self.tree.args.get("distinct") is not None:
            relation = Project(relation, fields, relation.released)
            return self._limited(*self._distinct(relation, order))
        sort, hidden = self._sort_over(fields, order)
        relation = self._limited(Project(relation, fields + hidden, relation.released), sort)
        return self._without(relation, fields) if hidden else relation

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
        return Aggregate(relation, keys, (), True, place_of(self.tree)), tuple(sort)

    def _limited(self, relation: Relation, sort: tuple[SortKey, ...]) -> Relation:
        if sort:
            relation = Sort(relation, sort, relation.released)
        limit, offset = self._whole("limit"), self._whole("offset")
        if limit is not None or offset:
            at = place_of(self.tree.args.get("limit") or self.tree.args["offset"]) or place_of(self.tree)
            relation = Limit(relation, limit, offset or 0, relation.released, at)
        return relation

    def _whole(self, clause: str) -> int | None:
        node = self.tree.args.get(clause)
        if node is None:
            return None
        self.resolution.read_whole(node, "expression")
        value = node.args.get("expression")
        if isinstance(value, exp.Literal) and value.is_int and int(str(value.this)) < 2**31:
            return int(str(value.this))
        self.resolution.unsupported(node, f"A computed {clause.upper()}", "Write a whole number.")
        return None

    def _without(self, relation: Relation, fields: tuple[Field, ...]) -> Relation:
        again = tuple(self.resolution.field(f.name, f.type, nullable=f.nullable, origin=Column(f)) for f in fields)
        return Project(relation, again, relation.released)


def _given(expression: Expression) -> Expression:
    return expression


def _ready_aliases(items: list[Item], outputs: list[Output]) -> dict[str, Callable[[], Expression]]:
    return {
        fold(item.name): partial(_given, output.expression)
        for item, output in zip(items, outputs, strict=True)
        if item.name is not None and not isinstance(output.expression, Missing)
    }


def _name_of(tree: exp.Expr) -> str:
    """What to call an output that was given no name: its column, or its function."""
    inner = tree
    while isinstance(inner, exp.Paren | exp.Window | exp.IgnoreNulls | exp.Filter) and isinstance(inner.this, exp.Expr):
        inner = inner.this
    if isinstance(inner, exp.Column):
        return str(inner.name)
    return type(inner).__name__.lower()


def _has_aggregate(tree: exp.Expr, *, windows: bool = False) -> bool:
    """Whether the tree aggregates here: not in a sub-select, and not as the function of a window."""
    if isinstance(tree, exp.Subquery | exp.Select):
        return False
    if isinstance(tree, exp.Window):
        inner = [child for child in tree.iter_expressions() if child is not tree.this]
        inner += list(tree.this.iter_expressions())
        return windows or any(_has_aggregate(child) for child in inner)
    if isinstance(tree, AGGREGATE_NODES):
        return True
    return any(_has_aggregate(child, windows=windows) for child in tree.iter_expressions())
