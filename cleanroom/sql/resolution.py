"""The notebook of one resolution: fresh ids, findings kept in order, limits on size."""

from __future__ import annotations

import datetime
from types import MappingProxyType

from sqlglot import exp

from cleanroom.domain.expression import (
    AggregateCall,
    Expression,
    Field,
    Literal,
    Missing,
    Place,
    SourceColumn,
    WindowCall,
    inputs,
    walk,
)
from cleanroom.domain.expression import Column as ColumnNode
from cleanroom.domain.finding import Finding
from cleanroom.domain.identifiers import DatasetName, SourceId
from cleanroom.domain.parameters import Parameters
from cleanroom.domain.plan import Relation
from cleanroom.domain.policy import Policy
from cleanroom.domain.types import DataType
from cleanroom.sql.dialects import DUCKDB, Dialect
from cleanroom.sql.nodes import place_of, unread, words_of
from cleanroom.sql.placeholders import numbered

MOST_SOURCES = 8
MOST_WEIGHT = 2_000


class TooLarge(Exception):
    """The query needs more than the house will expand; `resolve` turns it into one finding."""


class Resolution:
    """What one run of `resolve` gathers. Not shared, not kept. `now` is what CURRENT_TIMESTAMP means, in UTC.

    `parameters` are the values that `:name`s have.
    """

    def __init__(
        self,
        policy: Policy,
        now: datetime.datetime,
        dialect: Dialect = DUCKDB,
        parameters: Parameters = MappingProxyType({}),
    ) -> None:
        self.policy = policy
        self.dialect = dialect
        self.now = now.astimezone(datetime.UTC)
        self.findings: list[Finding] = []
        self.unread: list[Relation] = []
        self._parameters = parameters
        self._placed: set[int] = set()
        self._fields = 0
        self._sources = 0

    def parameter(self, node: exp.Placeholder) -> Literal | None:
        """The value that stands for the `:name` here; None where there is none of that name."""
        self._placed.add(numbered(node))
        return self._parameters.get(str(node.this))

    def misplaced(self, tree: exp.Expr) -> exp.Placeholder | None:
        """A `:name` of the tree that no literal could stand for: nothing asked for its value."""
        return next((node for node in tree.find_all(exp.Placeholder) if numbered(node) not in self._placed), None)

    def source(self) -> SourceId:
        """A source id not used yet in this plan. Raises TooLarge past MOST_SOURCES."""
        self._sources += 1
        if self._sources > MOST_SOURCES:
            raise TooLarge(f"a query may read {MOST_SOURCES} tables, each time it names one")
        return SourceId(self._sources)

    def field(
        self,
        name: str,
        type: DataType,
        *,
        nullable: bool,
        origin: SourceColumn | AggregateCall | WindowCall | Expression,
    ) -> Field:
        """A field with an id not used yet in this plan. Raises TooLarge where its origin written out is past MOST_WEIGHT."""
        self._fields += 1
        weight = sum(
            node.field.weight if isinstance(node, ColumnNode) else 1 for part in inputs(origin) for node in walk(part)
        )
        if weight > MOST_WEIGHT:
            raise TooLarge("expressions built upon expressions grow too long")
        return Field(self._fields, name, type, nullable, origin, max(1, weight))

    def refuse(
        self,
        code: str,
        message: str,
        at: exp.Expr | Place | None = None,
        *,
        hint: str | None = None,
        dataset: DatasetName | None = None,
        column: str | None = None,
    ) -> Missing:
        """Keeps a finding (once) and gives what stands in the refused thing's place."""
        where = place_of(at) if isinstance(at, exp.Expr) else at
        finding = Finding(code, message, dataset, column, where, hint)
        if finding not in self.findings:
            self.findings.append(finding)
        return Missing(where)

    def unsupported(self, node: exp.Expr, what: str | None = None, hint: str | None = None) -> Missing:
        """Refuses a construct that has no translation."""
        return self.refuse("sql.unsupported", f"{what or words_of(node)} is not supported.", node, hint=hint)

    def read_whole(self, node: exp.Expr, *known: str) -> None:
        """Refuses the node where it holds an argument beside the `known` ones: what is not translated is not accepted."""
        for name in unread(node, *known):
            self.unsupported(node, f"{words_of(node)} with {name.rstrip('_').replace('_', ' ').upper()}")
