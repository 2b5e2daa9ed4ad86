"""A query as another parser's tree → the few facts of its shape that explain a disagreement."""

from __future__ import annotations

from sqlglot import exp

_EXTREMES = (
    exp.Min,
    exp.Max,
    exp.Median,
    exp.Quantile,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.ApproxQuantile,
    exp.AnyValue,
)


def is_query(sql: str) -> bool:
    """Whether the statement asks for a table: anything else writes, prepares or sets."""
    return sql.lstrip("( \n").upper().startswith(("SELECT", "WITH"))


def returns_rows(tree: exp.Expr, common: dict[str, exp.Expr] | None = None) -> bool:
    """Whether what comes out is a stored table's rows: no GROUP BY, DISTINCT or aggregate on the way down to it."""
    common = {**(common or {}), **{cte.alias.lower(): cte.this for cte in _own(tree)}}
    match tree:
        case exp.Subquery():
            return returns_rows(tree.this, common)
        case exp.SetOperation():
            return returns_rows(tree.this, common) or returns_rows(tree.expression, common)
        case exp.Select():
            return not _groups(tree) and any(_is_rows(source, common) for source in _sources(tree))
    return False


def has_extreme(tree: exp.Expr) -> bool:
    """Whether it asks for the least, the greatest or a quantile."""
    named = any(call.name.lower().startswith("percentile") for call in tree.find_all(exp.Anonymous))
    return named or tree.find(*_EXTREMES) is not None


def has_computed_argument(tree: exp.Expr) -> bool:
    """Whether an aggregate is asked of anything but a column."""
    return any(not isinstance(_argument(call), exp.Column | exp.Star | None) for call in tree.find_all(exp.AggFunc))


def has_arithmetic(tree: exp.Expr) -> bool:
    """Whether it computes with numbers outside its aggregates, or rounds them."""
    return any(node.find_ancestor(exp.AggFunc) is None for node in tree.find_all(exp.Binary, exp.Round))


def joins(tree: exp.Expr) -> frozenset[str]:
    """The words before its JOINs, such as LEFT and NATURAL."""
    words = ("side", "kind", "method")
    return frozenset(str(join.args.get(word)).upper() for join in tree.find_all(exp.Join) for word in words)


def names(tree: exp.Expr) -> frozenset[str]:
    """Every word that names something, in lower case."""
    return frozenset(word.name.lower() for word in tree.find_all(exp.Identifier))


def construct(tree: exp.Expr) -> str | None:
    """The most telling construct of those that a language may lack; None where it holds none of them."""
    if any(_is_nested(node) for node in tree.find_all(exp.Table, exp.Paren)):
        return "join in parentheses"
    return next((word for word, kinds in _CONSTRUCTS if tree.find(*kinds) is not None), None)


_CONSTRUCTS: tuple[tuple[str, tuple[type[exp.Expr], ...]], ...] = (
    ("ANY or ALL", (exp.Any, exp.All)),
    ("function", (exp.Anonymous, exp.AnonymousAggFunc, exp.Rand, exp.Dot)),
    ("window", (exp.Window,)),
    ("sub-query as a value", (exp.Exists, exp.Subquery)),
    ("function", (exp.Func,)),
)


def _own(tree: exp.Expr) -> list[exp.Expr]:
    clause = tree.args.get("with_")
    return list(clause.expressions) if clause is not None else []


def _sources(select: exp.Select) -> list[exp.Expr]:
    clause = select.args.get("from_")
    return [*([clause.this] if clause else []), *(join.this for join in select.args.get("joins") or [])]


def _is_rows(source: exp.Expr, common: dict[str, exp.Expr]) -> bool:
    if isinstance(source, exp.Table) and source.args.get("db") is None and source.name.lower() in common:
        below = {name: tree for name, tree in common.items() if name != source.name.lower()}
        return returns_rows(common[source.name.lower()], below)
    if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Query):
        return returns_rows(source, common)
    return True


def _groups(select: exp.Select) -> bool:
    if select.args.get("group") or select.args.get("distinct"):
        return True
    return any(
        call.find_ancestor(exp.Select) is select and call.find_ancestor(exp.Window) is None
        for part in (*select.expressions, select.args.get("having"))
        if part is not None
        for call in part.find_all(exp.AggFunc)
    )


def _argument(call: exp.AggFunc) -> object:
    argument = call.this
    return argument.expressions[0] if isinstance(argument, exp.Distinct) and argument.expressions else argument


def _is_nested(node: exp.Expr) -> bool:
    return bool(node.args.get("joins")) and not isinstance(node, exp.Select)
