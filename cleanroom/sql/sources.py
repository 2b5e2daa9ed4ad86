"""FROM and JOIN → their relations, how each is joined, and the names in them: datasets, CTEs, derived tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from cleanroom.domain.expression import Column, Field, Place, SourceColumn
from cleanroom.domain.identifiers import DatasetName, fold
from cleanroom.domain.plan import JoinKind, OneRow, Project, Relation, Scan
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
class Entry:
    """One relation of FROM, and how it is joined with those before it.

    `mirrored`: it is the side that is kept, those before it the side that may be missing (RIGHT JOIN). `pairs` are what
    USING equates, `conditions` the trees of ON.
    """

    relation: Relation
    kind: JoinKind = JoinKind.INNER
    mirrored: bool = False
    pairs: tuple[tuple[Column, Column], ...] = ()
    conditions: tuple[exp.Expr, ...] = ()
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class From:
    """Everything FROM names, in order. `scope` are its names; `inside` also those that only ON may use (SEMI, ANTI)."""

    entries: tuple[Entry, ...] = ()
    scope: Scope = field(default_factory=Scope)
    inside: Scope = field(default_factory=Scope)


def read_from(select: exp.Select, tables: Tables, outer: Scope | None = None) -> From:
    """What the SELECT's FROM clause names; findings for what it may not. `outer` are names that a sub-query may use too."""
    start = From(scope=Scope(outer=outer), inside=Scope(outer=outer))
    clause = select.args.get("from_")
    if clause is None:
        return replace(start, entries=(Entry(OneRow()),))
    tables.resolution.read_whole(clause, "this")
    found = start
    for node, join in [(clause.this, None), *((join.this, join) for join in select.args.get("joins") or [])]:
        for inner, how in _opened(node, join):
            found = _add(found, inner, how, tables)
    return found


def _opened(node: exp.Expr, join: exp.Join | None) -> list[tuple[exp.Expr, exp.Join | None]]:
    """Joins in parentheses as they stand without: where they come first, or are inner-joined like everything in them.

    With an alias they are a table of all their columns.
    """
    group = node.this if isinstance(node, exp.Subquery) else None
    if not isinstance(group, exp.Table | exp.Subquery):
        return [(node, join)]
    inside = list(group.args.get("joins") or [])
    first = group.copy()
    first.set("joins", None)
    if node.args.get("alias"):
        everything = exp.Select(expressions=[exp.Star()], from_=exp.From(this=first), joins=inside)
        return [(exp.Subquery(this=everything, alias=node.args["alias"]), join)]
    further = any(value for name, value in node.args.items() if name != "this")
    if further or not (join is None or all(map(_is_inner, (join, *inside)))):
        return [(node, join)]
    return [*_opened(first, join), *((one.this, one) for one in inside)]


def _is_inner(join: exp.Join) -> bool:
    return not (join.args.get("side") or join.args.get("method")) and str(join.args.get("kind") or "") in ("", "INNER")


def _add(found: From, node: exp.Expr, join: exp.Join | None, tables: Tables) -> From:
    member = _member(node, tables)
    if member is None:
        return found
    relation, names = member
    _refuse_same_name(found.inside, names, node, tables)
    if join is None:
        return From((*found.entries, Entry(relation)), found.scope.joined(names), found.inside.joined(names))
    kind, mirrored = _kind(join, relation, tables)
    pairs, merged = _using(join, found.scope, names, tables)
    if mirrored:
        merged = {name: theirs.field for (_, theirs), name in zip(pairs, merged, strict=True)}
    on = join.args.get("on")
    at = place_of(on) if on is not None else place_of(node)
    entry = Entry(relation, kind, mirrored, pairs, (on,) if on is not None else (), at)
    inside = found.inside.joined(names, merged)
    if kind in (JoinKind.SEMI, JoinKind.ANTI):
        return From((*found.entries, entry), found.scope, inside)
    return From((*found.entries, entry), _after(found.scope, names, merged, entry), inside)


def _after(scope: Scope, names: Member, merged: dict[str, Field], entry: Entry) -> Scope:
    """The names behind the join: what may be missing may be NULL."""
    if entry.kind in (JoinKind.LEFT, JoinKind.FULL) and (not entry.mirrored):
        names = names.missing()
    if entry.mirrored or entry.kind is JoinKind.FULL:
        scope = scope.missing()
    return scope.joined(names, merged)


def _refuse_same_name(scope: Scope, names: Member, node: exp.Expr, tables: Tables) -> None:
    taken = {(fold(m.name), m.schema) for m in scope.members if m.name is not None}
    if names.name is not None and (fold(names.name), names.schema) in taken:
        tables.resolution.refuse(
            "name.ambiguous", "Two tables have one name here.", node, hint="Give each its own alias."
        )


_KINDS: dict[tuple[str, str], tuple[JoinKind, bool]] = {
    ("", ""): (JoinKind.INNER, False),
    ("", "INNER"): (JoinKind.INNER, False),
    ("", "CROSS"): (JoinKind.INNER, False),
    ("LEFT", ""): (JoinKind.LEFT, False),
    ("LEFT", "OUTER"): (JoinKind.LEFT, False),
    ("RIGHT", ""): (JoinKind.LEFT, True),
    ("RIGHT", "OUTER"): (JoinKind.LEFT, True),
    ("FULL", ""): (JoinKind.FULL, False),
    ("FULL", "OUTER"): (JoinKind.FULL, False),
    ("", "SEMI"): (JoinKind.SEMI, False),
    ("", "ANTI"): (JoinKind.ANTI, False),
    ("LEFT", "SEMI"): (JoinKind.SEMI, False),
    ("LEFT", "ANTI"): (JoinKind.ANTI, False),
}


def _kind(join: exp.Join, relation: Relation, tables: Tables) -> tuple[JoinKind, bool]:
    """The kind of join; with a finding, an inner one, where it is none that is read: the rest is then judged all the same."""
    tables.resolution.read_whole(join, "this", "on", "using", "kind", "side", "method")
    side, kind, method = (str(join.args.get(slot) or "").upper() for slot in ("side", "kind", "method"))
    known = _KINDS.get((side, kind))
    if method or known is None:
        word = method or " ".join(part for part in (side, kind) if part)
        tables.resolution.unsupported(join, f"A {word} join", hint="Write the join with ON.")
        return JoinKind.INNER, False
    if known[0] is JoinKind.FULL and join.args.get("using"):
        tables.resolution.unsupported(join, "A FULL join with USING", "Write it with ON, and COALESCE of both columns.")
    if known[0] is JoinKind.FULL and not relation.released:
        tables.resolution.refuse(
            "join.not_allowed",
            "A FULL join of rows of people is not allowed.",
            join,
            hint="Join with LEFT JOIN, keeping the side that you count.",
        )
        return JoinKind.INNER, False
    return known


def _using(
    join: exp.Join, left: Scope, right: Member, tables: Tables
) -> tuple[tuple[tuple[Column, Column], ...], dict[str, Field]]:
    pairs: list[tuple[Column, Column]] = []
    merged: dict[str, Field] = {}
    for name in join.args.get("using") or []:
        word = str(name.this) if isinstance(name, exp.Identifier) else str(name.name)
        ours, theirs = replace(left, outer=None).find(word), Scope((right,)).find(word)
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
        case exp.Subquery(this=exp.Select() | exp.SetOperation()):
            return _derived(node, tables)
    tables.resolution.unsupported(node, "Anything but a dataset, a common table expression or a sub-select in FROM")
    return None


def _alias(node: exp.Expr, tables: Tables, *, renamed: bool = False) -> str | None:
    alias = node.args.get("alias")
    if alias is None:
        return None
    if alias.args.get("columns") and not renamed:
        tables.resolution.unsupported(alias, "A column list behind an alias", hint="Rename columns in a sub-select.")
    tables.resolution.read_whole(alias, "this", "columns")
    return str(alias.this.this) if isinstance(alias.this, exp.Identifier) else None


def _derived(node: exp.Subquery, tables: Tables) -> tuple[Relation, Member] | None:
    tables.resolution.read_whole(node, "this", "alias")
    relation = tables.select(node.this, tables.environment)
    renamed = _column_names(node)
    alias = _alias(node, tables, renamed=True)
    if relation is None:
        return None
    relation = _renamed(relation, renamed, node, tables)
    return relation, Member(alias, None, relation.fields)


def _column_names(node: exp.Expr) -> list[str]:
    alias = node.args.get("alias")
    columns = [] if alias is None else alias.args.get("columns") or []
    return [str(column.this) for column in columns]


def _renamed(relation: Relation, names: list[str], node: exp.Expr, tables: Tables) -> Relation:
    """The relation with its columns named anew, by position; as many names as columns."""
    if not names:
        return relation
    if len(names) != len(relation.fields):
        tables.resolution.unsupported(node, "A column list that names more or fewer columns than there are")
        return relation
    return _again(relation, tables.resolution, names)


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


def _again(relation: Relation, resolution: Resolution, names: list[str] | None = None) -> Relation:
    fields = tuple(
        resolution.field(name, f.type, nullable=f.nullable, origin=Column(f))
        for name, f in zip(names or [f.name for f in relation.fields], relation.fields, strict=True)
    )
    return Project(relation, fields, relation.released)
