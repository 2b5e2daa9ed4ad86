"""What names, aggregates and windows mean in one clause of one SELECT."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

from cleanroom.domain.expression import Column, Expression
from cleanroom.domain.identifiers import fold
from cleanroom.sql.nodes import place_of
from cleanroom.sql.resolution import Resolution
from cleanroom.sql.scope import Scope

Special = Callable[[exp.Expr, "Terms"], Expression]
Alias = Callable[[], Expression]


@dataclass(frozen=True, slots=True)
class Terms:
    """The clause being read.

    `aliases` are the select list's names where the clause may use them. Where a column has the same name, and the two
    mean different things, the name is refused, or means the column where `column_wins`. `aggregate`, `window` and
    `subquery` translate such calls and sub-queries that are values, None where the clause has none.
    """

    resolution: Resolution
    scope: Scope
    clause: str
    aliases: Mapping[str, Alias] = field(default_factory=dict)
    aggregate: Special | None = None
    window: Special | None = None
    subquery: Special | None = None
    column_wins: bool = False

    def without_specials(self, clause: str) -> Terms:
        """The same names, in a place that holds neither aggregates nor windows nor sub-queries."""
        return replace(self, clause=clause, aggregate=None, window=None, subquery=None)

    def column(self, node: exp.Column) -> Expression:
        """The field that a column name means here."""
        at = place_of(node)
        names = [part for part in (node.args.get(k) for k in ("this", "table", "db", "catalog")) if part is not None]
        if not all(isinstance(part, exp.Identifier) for part in names) or len(names) > 3:
            return self.resolution.unsupported(node, "This kind of column reference")
        self.resolution.read_whole(node, "this", "table", "db")
        name, table, schema = (*(str(part.this) for part in names), None, None)[:3]
        assert name is not None
        found = self.scope.find(name, table, schema)
        alias = self.aliases.get(fold(name)) if table is None else None
        if len(found) > 1:
            return self.resolution.refuse(
                "name.ambiguous",
                f"{name} is a column of more than one table here.",
                at,
                hint=f"Write which one: <table>.{name}.",
            )
        if found and alias is not None and not self.column_wins:
            return self._either(Column(found[0], at), alias(), name)
        if found:
            return Column(found[0], at)
        if alias is not None:
            return alias()
        shown = ".".join(part for part in (schema, table, name) if part)
        return self.resolution.refuse(
            "name.unknown", f"{shown} is not a column here.", at, hint="See the catalog for the columns of a dataset."
        )

    def _either(self, column: Column, alias: Expression, name: str) -> Expression:
        if alias == column:
            return column
        return self.resolution.refuse(
            "name.ambiguous",
            f"In {self.clause}, {name} may mean the column or the output of that name.",
            column.at,
            hint="Give the output another name.",
        )
