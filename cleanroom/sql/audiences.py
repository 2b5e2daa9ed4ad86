"""IN (SELECT …) and EXISTS (SELECT …) in WHERE → semi- and anti-joins on equal columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from cleanroom.domain.expression import Call, Column, Expression, fields_of
from cleanroom.domain.plan import Join, JoinKind, Project, Relation
from cleanroom.sql.expressions import condition, translate
from cleanroom.sql.joins import conjuncts, joined
from cleanroom.sql.nodes import place_of
from cleanroom.sql.sources import Tables, read_from
from cleanroom.sql.terms import Terms

_INSIDE_EXISTS = ("expressions", "from_", "joins", "where")


@dataclass(frozen=True, slots=True)
class Audience:
    """A condition of WHERE that asks whether a row has a match in a sub-query. `tree` is the sub-query."""

    kind: JoinKind
    tree: exp.Expr
    value: exp.Expr | None
    at: exp.Expr


def parts_of(tree: exp.Expr) -> list[exp.Expr]:
    """The parts of a condition that must all hold, parentheses opened."""
    parts: list[exp.Expr] = []
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, exp.Paren):
            waiting.append(part.this)
        elif type(part) is exp.And:
            waiting += [part.args["expression"], part.this]
        else:
            parts.append(part)
    return parts


def audience_of(part: exp.Expr) -> Audience | None:
    """The sub-query that the part of a condition asks about; None where it asks nothing of the kind."""
    kind, asked = JoinKind.SEMI, part
    while isinstance(asked, exp.Not | exp.Paren):
        if isinstance(asked, exp.Not):
            kind = JoinKind.ANTI if kind is JoinKind.SEMI else JoinKind.SEMI
        asked = asked.this
    match asked:
        case exp.In() if isinstance(asked.args.get("query"), exp.Expr):
            return Audience(kind, _opened(asked.args["query"]), asked.this, asked)
        case exp.Exists():
            return Audience(kind, _opened(asked.this), None, asked)
    return None


def _opened(tree: exp.Expr) -> exp.Expr:
    while isinstance(tree, exp.Subquery) and not tree.args.get("alias") and isinstance(tree.this, exp.Expr):
        tree = tree.this
    return tree


def with_audiences(relation: Relation, asked: Sequence[Audience], terms: Terms, tables: Tables) -> Relation:
    """The rows that have a match in, or are absent from, each sub-query."""
    for audience in asked:
        made = (
            _in(relation, audience, terms, tables)
            if audience.value is not None
            else _exists(relation, audience, terms, tables)
        )
        relation = relation if made is None else made
    return relation


def _in(relation: Relation, audience: Audience, terms: Terms, tables: Tables) -> Relation | None:
    assert audience.value is not None
    tables.resolution.read_whole(audience.at, "this", "query")
    value = translate(audience.value, terms)
    found = tables.select(audience.tree, tables.environment)
    if found is None:
        return None
    if len(found.fields) != 1:
        tables.resolution.unsupported(audience.at, "IN over a sub-query of several columns", "Select one column.")
        return None
    if not isinstance(value, Column):
        tables.resolution.refuse(
            "join.not_allowed",
            "IN over a sub-query compares a bare column.",
            audience.at,
            hint="Join on the columns themselves, without functions or casts.",
        )
        return None
    key = found.fields[0]
    if audience.kind is JoinKind.ANTI and (key.nullable or value.field.nullable):
        tables.resolution.unsupported(
            audience.at, "NOT IN over a column that may be NULL", "Write NOT EXISTS, which means what NOT IN seems to."
        )
    return _join(relation, found, ((value, Column(key, value.at)),), audience, tables)


def _exists(relation: Relation, audience: Audience, terms: Terms, tables: Tables) -> Relation | None:
    """EXISTS: its WHERE holds equalities with outer columns, everything else is about the sub-query alone."""
    select = audience.tree
    if type(select) is not exp.Select or select.args.get("from_") is None:
        tables.resolution.unsupported(audience.at, "EXISTS over this", "Write EXISTS (SELECT 1 FROM … WHERE …).")
        return None
    tables.resolution.read_whole(audience.at, "this")
    tables.resolution.read_whole(select, *_INSIDE_EXISTS)
    source = read_from(select, tables, terms.scope)
    if not source.entries:
        return None
    inner = Terms(tables.resolution, source.scope, "WHERE")
    trees = parts_of(select.args["where"].this) if select.args.get("where") is not None else []
    nested = [found for part in trees if (found := audience_of(part)) is not None]
    plain = [part for tree in trees if audience_of(tree) is None for part in conjuncts(condition(tree, inner))]
    own = {f.id for entry in source.entries for f in entry.relation.fields}
    correlated = [part for part in plain if any(f.id not in own for f in fields_of(part))]
    rows = joined(source, [part for part in plain if part not in correlated], tables)
    rows = with_audiences(rows, nested, inner, tables)
    tables.resolution.unread.append(_outputs(select, rows, inner))
    keys = [pair for part in correlated if (pair := _correlation(part, own)) is not None]
    if len(keys) < len(correlated) or not keys:
        tables.resolution.unsupported(
            audience.at,
            "EXISTS tied to the outer query by anything but equal columns",
            "Write EXISTS (SELECT 1 FROM … WHERE inner.key = outer.key AND conditions on the inner rows).",
        )
        return None
    return _join(relation, rows, tuple(keys), audience, tables)


def _outputs(select: exp.Select, rows: Relation, terms: Terms) -> Relation:
    """What EXISTS selects: never computed, but what is blocked is blocked there too."""
    trees = [tree.this if isinstance(tree, exp.Alias) else tree for tree in select.expressions]
    parts = [translate(tree, terms) for tree in trees if not isinstance(tree, exp.Star)]
    fields = tuple(terms.resolution.field("output", part.type, nullable=True, origin=part) for part in parts)
    return Project(rows, fields, rows.released)


def _correlation(part: Expression, own: set[int]) -> tuple[Column, Column] | None:
    """(outer column, inner column) of an equality between the two."""
    match part:
        case Call(function="eq", arguments=(Column() as one, Column() as other)):
            if one.field.id in own and other.field.id not in own:
                return other, one
            if other.field.id in own and one.field.id not in own:
                return one, other
    return None


def _join(
    relation: Relation, found: Relation, keys: tuple[tuple[Column, Column], ...], audience: Audience, tables: Tables
) -> Relation | None:
    if relation.released != found.released:
        tables.resolution.unsupported(
            audience.at,
            "A sub-query of groups in a condition on rows of people, or of rows in one on groups",
            "Both sides must be rows of people, or both groups.",
        )
        return None
    return Join(relation, found, audience.kind, keys, relation.released, place_of(audience.at))
