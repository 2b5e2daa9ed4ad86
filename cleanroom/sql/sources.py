"""FROM and JOIN → one relation and the names in it. Datasets, common table expressions, derived tables; inner joins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from cleanroom.domain.expression import Column, Field, SourceColumn
from cleanroom.domain.identifiers import DatasetName, fold
from cleanroom.domain.plan import Join, JoinKind, OneRow, Project, Relation, Scan
from cleanroom.domain.policy import Dataset
from cleanroom.sql.nodes import place_of
from cleanroom.sql.resolution import Resolution
from cleanroom.sql.row_filter import resolve_row_filter
from cleanroom.sql.scope import Member, Scope


@dataclass(slots=True, eq=False)
class Cte:
    """A common table expression as written, and the names that it may use.

    `released` keeps it once it is a release; `unreadable` says that it was read, with findings, and gave no relation.
    """

    tree: exp.Expr
    environment: Environment
    used: bool = False
    released: Relation | None = None
    unreadable: bool = False


Environment = Mapping[str, Cte]
ResolveSelect = Callable[[exp.Expr, Environment], Relation | None]


@dataclass(frozen=True, slots=True)
class Tables:
    """Where names of tables are looked up, and how a sub-select is read."""

    resolution: Resolution
    environment: Environment
    select: ResolveSelect


@dataclass(frozen=True, slots=True)
class From:
    """Everything FROM names: relations in order, the pairs that USING equates, the trees of all ON conditions."""

    relations: tuple[Relation, ...] = ()
    scope: Scope = field(default_factory=Scope)
    pairs: tuple[tuple[Column, Column], ...] = ()
    conditions: tuple[exp.Expr, ...] = ()


def read_from(select: exp.Select, tables: Tables) -> From:
    """What the SELECT's FROM clause names; findings for what it may not."""
    clause = select.args.get("from_")
    if clause is None:
        return From((OneRow(),))
    tables.resolution.read_whole(clause, "this")
    found = _add(From(), clause.this, None, tables)
    for join in select.args.get("joins") or []:
        found = _add(found, join.this, join, tables)
    return found


def _add(found: From, node: exp.Expr, join: exp.Join | None, tables: Tables) -> From:
    member = _member(node, tables)
    if member is None:
        return found
    relation, names = member
    scope = Scope((*found.scope.members, names), found.scope.merged)
    _refuse_same_name(found.scope, names, node, tables)
    pairs, merged = _using(join, found.scope, names, tables) if join is not None else ((), {})
    conditions = found.conditions
    if join is not None:
        _read_join(join, tables)
        conditions += (join.args["on"],) if join.args.get("on") is not None else ()
    return From(
        (*found.relations, relation),
        Scope(scope.members, {**scope.merged, **merged}),
        found.pairs + pairs,
        conditions,
    )


def _refuse_same_name(scope: Scope, names: Member, node: exp.Expr, tables: Tables) -> None:
    taken = {(fold(m.name), m.schema) for m in scope.members if m.name is not None}
    if names.name is not None and (fold(names.name), names.schema) in taken:
        tables.resolution.refuse(
            "name.ambiguous", "Two tables have one name here.", node, hint="Give each its own alias."
        )


def _read_join(join: exp.Join, tables: Tables) -> None:
    """A finding where the join is not an inner one; the rest of the query is then read as if it were."""
    tables.resolution.read_whole(join, "this", "on", "using", "kind", "side", "method")
    side = str(join.args.get("side") or "").upper()
    kind = str(join.args.get("kind") or "").upper()
    method = str(join.args.get("method") or "").upper()
    if method:
        tables.resolution.unsupported(join, f"A {method} join", hint="Write the join with ON.")
    elif side or kind not in ("", "INNER", "CROSS"):
        name = " ".join(word for word in (side, kind) if word)
        tables.resolution.refuse(
            "join.not_allowed", f"A {name} join is not allowed.", join, hint="Use JOIN … ON with equal join columns."
        )


def _using(
    join: exp.Join, left: Scope, right: Member, tables: Tables
) -> tuple[tuple[tuple[Column, Column], ...], dict[str, Field]]:
    pairs: list[tuple[Column, Column]] = []
    merged: dict[str, Field] = {}
    for name in join.args.get("using") or []:
        word = str(name.this) if isinstance(name, exp.Identifier) else str(name.name)
        ours, theirs = left.find(word), Scope((right,)).find(word)
        if len(ours) != 1 or len(theirs) != 1:
            code = "name.ambiguous" if len(ours) > 1 or len(theirs) > 1 else "name.unknown"
            tables.resolution.refuse(code, f"{word} is not one column on each side of USING.", name)
            continue
        pairs.append((Column(ours[0], place_of(name)), Column(theirs[0], place_of(name))))
        merged[fold(word)] = ours[0]
    return tuple(pairs), merged


def _member(node: exp.Expr, tables: Tables) -> tuple[Relation, Member] | None:
    match node:
        case exp.Table(this=exp.Identifier()):
            return _table(node, tables)
        case exp.Subquery(this=exp.Select()):
            return _derived(node, tables)
    tables.resolution.unsupported(node, "Anything but a dataset, a common table expression or a sub-select in FROM")
    return None


def _alias(node: exp.Expr, tables: Tables) -> str | None:
    alias = node.args.get("alias")
    if alias is None:
        return None
    if alias.args.get("columns"):
        tables.resolution.unsupported(alias, "A column list behind an alias", hint="Rename columns in a sub-select.")
    tables.resolution.read_whole(alias, "this", "columns")
    return str(alias.this.this) if isinstance(alias.this, exp.Identifier) else None


def _derived(node: exp.Subquery, tables: Tables) -> tuple[Relation, Member] | None:
    tables.resolution.read_whole(node, "this", "alias")
    alias = _alias(node, tables)
    relation = tables.select(node.this, tables.environment)
    return None if relation is None else (relation, Member(alias, None, relation.fields))


def _table(node: exp.Table, tables: Tables) -> tuple[Relation, Member] | None:
    tables.resolution.read_whole(node, "this", "db", "catalog", "alias")
    alias, name = _alias(node, tables), str(node.this.this)
    schema, catalog = node.args.get("db"), node.args.get("catalog")
    if schema is None and fold(name) in tables.environment:
        return _cte(tables.environment[fold(name)], alias or name, tables)
    dataset = None
    if isinstance(schema, exp.Identifier) and catalog is None:
        dataset = _dataset(f"{schema.this}.{name}", tables)
    if dataset is None:
        tables.resolution.refuse(
            "name.unknown",
            "There is no such dataset in this collaboration.",
            node,
            hint="Name it <partner>.<dataset>, as the catalog does.",
        )
        return None
    scan = _scan(dataset, alias or name, node, tables)
    return scan, Member(alias or name, None if alias else dataset.partner, scan.fields)


def _dataset(name: str, tables: Tables) -> Dataset | None:
    wanted = fold(name)
    return next((d for n, d in tables.resolution.policy.datasets.items() if fold(n) == wanted), None)


def _scan(dataset: Dataset, alias: str, node: exp.Expr, tables: Tables) -> Scan:
    resolution = tables.resolution
    source = resolution.source()
    fields = tuple(
        resolution.field(
            column.name,
            column.type,
            # The scan drops rows without a unit, whatever the document promises.
            nullable=column.nullable and column.name not in dataset.privacy_units,
            origin=SourceColumn(source, dataset.name, column.name),
        )
        for column in dataset.columns
    )
    units = tuple(f for unit in dataset.privacy_units for f in fields if f.name == unit)
    rule = resolution.policy.rules.get(DatasetName(dataset.name))
    condition = resolve_row_filter(rule, fields, resolution) if rule is not None else None
    return Scan(source, dataset.name, alias, fields, units, condition, place_of(node))


def _cte(cte: Cte, name: str, tables: Tables) -> tuple[Relation, Member] | None:
    """Reads the definition anew for each mention of rows; a release is computed once and mentioned as often as liked."""
    cte.used = True
    if cte.unreadable:
        return None
    relation = cte.released or tables.select(cte.tree, cte.environment)
    if relation is None:
        cte.unreadable = True
        return None
    if relation.released:
        cte.released = relation
        relation = _again(relation, tables.resolution)
    return relation, Member(name, None, relation.fields)


def _again(relation: Relation, resolution: Resolution) -> Relation:
    fields = tuple(resolution.field(f.name, f.type, nullable=f.nullable, origin=Column(f)) for f in relation.fields)
    return Project(relation, fields, relation.released)


def join_all(found: From, pairs: tuple[tuple[Column, Column], ...], tables: Tables) -> tuple[Relation, tuple[int, ...]]:
    """The relations joined from left to right on the pairs, and the indexes of the pairs that joined nothing."""
    joined, used = found.relations[0], set[int]()
    for right in found.relations[1:]:
        left_ids, right_ids = {f.id for f in joined.fields}, {f.id for f in right.fields}
        keys: list[tuple[Column, Column]] = []
        for index, (one, other) in enumerate(pairs):
            if one.field.id in left_ids and other.field.id in right_ids:
                keys.append((one, other))
                used.add(index)
            elif other.field.id in left_ids and one.field.id in right_ids:
                keys.append((other, one))
                used.add(index)
        if joined.released != right.released:
            tables.resolution.refuse(
                "sql.unsupported",
                "A released result is not joined with rows.",
                hint="Make both sides releases with the same keys, then join them.",
            )
        elif joined.released and not keys:
            tables.resolution.refuse("join.not_allowed", "Released results are joined by equal columns.")
        at = next((column.at for pair in keys for column in pair if column.at), None)
        at = at or (right.at if isinstance(right, Scan) else None)
        joined = Join(joined, right, JoinKind.INNER, tuple(keys), joined.released and right.released, at)
    return joined, tuple(i for i in range(len(pairs)) if i not in used)
