"""Names in a FROM clause → fields. Identifiers fold ASCII letters only, as the engines do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from cleanroom.domain.expression import Field
from cleanroom.domain.identifiers import fold


@dataclass(frozen=True, slots=True)
class Member:
    """One relation of a FROM clause: how it may be called, and its columns. `schema` is set for a dataset without alias."""

    name: str | None
    schema: str | None
    fields: tuple[Field, ...]

    def missing(self) -> Member:
        """The same names where the relation's row may not be there: every column may be NULL."""
        return replace(self, fields=tuple(replace(f, nullable=True) for f in self.fields))

    def answers_to(self, table: str, schema: str | None) -> bool:
        if self.name is None or fold(self.name) != fold(table):
            return False
        return schema is None or (self.schema is not None and fold(self.schema) == fold(schema))


@dataclass(frozen=True, slots=True)
class Scope:
    """The columns that a name may mean here. `merged` maps a column named in USING to the one field it stands for.

    `outer` is the scope around a sub-query: a name that means nothing inside may mean something there.
    """

    members: tuple[Member, ...] = ()
    merged: dict[str, Field] = field(default_factory=dict)
    outer: Scope | None = None

    def joined(self, member: Member, merged: dict[str, Field] | None = None) -> Scope:
        """The names with those of one more relation."""
        return replace(self, members=(*self.members, member), merged={**self.merged, **(merged or {})})

    def missing(self) -> Scope:
        """The same names where the rows may not be there."""
        merged = {name: replace(f, nullable=True) for name, f in self.merged.items()}
        return replace(self, members=tuple(m.missing() for m in self.members), merged=merged)

    def find(self, column: str, table: str | None = None, schema: str | None = None) -> tuple[Field, ...]:
        """Every field that the name may mean: none is unknown, several are ambiguous."""
        wanted = fold(column)
        if table is None and wanted in self.merged:
            return (self.merged[wanted],)
        found = tuple(
            f
            for member in self.members
            if table is None or member.answers_to(table, schema)
            for f in member.fields
            if fold(f.name) == wanted
        )
        if found or self.outer is None or any(table and m.answers_to(table, schema) for m in self.members):
            return found
        return self.outer.find(column, table, schema)

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(f for member in self.members for f in member.fields)
