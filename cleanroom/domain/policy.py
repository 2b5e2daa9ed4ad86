"""What partners wrote down: collaborations, connections, datasets, analysis rules. Frozen values, as `documents/` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from cleanroom.domain.expression import Value
from cleanroom.domain.functions import DEFAULT_FUNCTIONS
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import (
    CollaborationName,
    ConnectionName,
    DatasetName,
    PartnerName,
    TemplateName,
    owner_of,
)
from cleanroom.domain.parameters import Parameters
from cleanroom.domain.types import DataType


class Ability(StrEnum):
    CONTRIBUTE = "contribute"
    QUERY = "query"
    RECEIVE_RESULTS = "receive_results"


@dataclass(frozen=True, slots=True)
class Member:
    partner: PartnerName
    abilities: frozenset[Ability]


@dataclass(frozen=True, slots=True)
class Collaboration:
    name: CollaborationName
    description: str
    members: tuple[Member, ...]

    def can(self, partner: PartnerName, ability: Ability) -> bool:
        return any(m.partner == partner and ability in m.abilities for m in self.members)

    def has(self, partner: PartnerName) -> bool:
        return any(m.partner == partner for m in self.members)


class ConnectionType(StrEnum):
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a partner keeps its data. For `files`, `options["root"]` is a folder (absolute once applied).

    `secret` is a reference ("env:CLEANROOM_SECRET_<PARTNER>_…"), never the secret itself.
    """

    name: ConnectionName
    partner: PartnerName
    type: ConnectionType
    options: Mapping[str, str]
    secret: str | None = None


class Domain(StrEnum):
    EVENT = "event"
    AUDIENCE = "audience"
    CREATIVE = "creative"


@dataclass(frozen=True, slots=True)
class DatasetColumn:
    """A declared column. `nullable` False is a promise that every query checks; `values` is a public domain, or None."""

    name: str
    type: DataType
    nullable: bool = True
    description: str = ""
    unit: str | None = None
    values: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A registered table. `privacy_units`: the columns that name the protected people of a row.

    `unique`: sets of columns of which no two rows hold the same non-NULL values.
    """

    name: DatasetName
    connection: ConnectionName
    source: str
    domain: Domain
    owner: str
    description: str
    privacy_units: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...]
    columns: tuple[DatasetColumn, ...]
    service_level: Mapping[str, str] = field(default_factory=dict)

    @property
    def partner(self) -> PartnerName:
        return owner_of(self.name)

    def column(self, name: str) -> DatasetColumn | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Use:
    """A column may be used this way; a date or time only cut to `grain` (INSTANT: as it is)."""

    grain: Grain = Grain.INSTANT


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What a column may be used for. Absent means no.

    `minimum_units`: of an aggregate of this column, where it must describe more units than the dataset's rows.
    """

    join: bool = False
    group: Use | None = None
    filter: Use | None = None
    aggregate: frozenset[str] = frozenset()
    minimum_units: int | None = None


class JoinRequirement(StrEnum):
    NONE = "none"
    ANY = "any"
    ALL = "all"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class JoinPartner:
    """One way to join: all `keys` (mine, theirs) together, with that dataset."""

    dataset: DatasetName
    keys: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class JoinRule:
    required: JoinRequirement = JoinRequirement.NONE
    kinds: frozenset[str] = frozenset({"inner"})
    partners: tuple[JoinPartner, ...] = ()


class SmallGroups(StrEnum):
    """What becomes of groups of too few: strictest first. BLANK shows them with empty cells, POOL merges them into one row."""

    DROP = "drop"
    BLANK = "blank"
    POOL = "pool"


class AggregateArguments(StrEnum):
    """What an aggregate may be asked of: COLUMNS, bare ones of all rows; EXPRESSIONS, also of the rows that meet a condition."""

    COLUMNS = "columns"
    EXPRESSIONS = "expressions"


class Analyses(StrEnum):
    """Which queries a dataset may stand in: any that the rule allows, or of those only approved templates."""

    FREE = "free"
    TEMPLATES = "templates"


@dataclass(frozen=True, slots=True)
class AnalysisRule:
    """What an owner allows with one dataset in one collaboration. A column not named is blocked.

    `minimum_units`: distinct privacy units behind every released row. `literals`: the columns that may be compared with a
    literal; None: all that may be filtered on. `row_filters`: the owner's condition for a runner, where it is another than
    `row_filter`, which holds for all others.
    """

    dataset: DatasetName
    collaboration: CollaborationName
    minimum_units: int
    columns: Mapping[str, ColumnRule]
    joins: JoinRule = JoinRule()
    small_groups: SmallGroups = SmallGroups.DROP
    count_rows: bool = False
    functions: frozenset[str] = frozenset(DEFAULT_FUNCTIONS)
    query_runners: frozenset[PartnerName] = frozenset()
    result_receivers: frozenset[PartnerName] = frozenset()
    row_filter: str | None = None
    row_filters: Mapping[PartnerName, str] = field(default_factory=dict)
    aggregate_arguments: AggregateArguments = AggregateArguments.COLUMNS
    per_unit_analysis: bool = False
    literals: frozenset[str] | None = None
    analyses: Analyses = Analyses.FREE

    def for_runner(self, runner: PartnerName) -> AnalysisRule:
        """The rule as it holds for this runner: its row filter is the only one, and is the one that is applied.

        A runner for whom a rule with filters by runner has none sees no row.
        """
        otherwise = "FALSE" if self.row_filters and self.row_filter is None else self.row_filter
        return replace(self, row_filter=self.row_filters.get(runner, otherwise), row_filters={})

    def column(self, name: str) -> ColumnRule:
        """The column's rule; one that allows nothing where the owner named none."""
        return self.columns.get(name, _BLOCKED)


_BLOCKED = ColumnRule()


@dataclass(frozen=True, slots=True)
class TemplateParameter:
    """One `:name` of a template and what may stand in its place. `values` is a closed list; the bounds are inclusive."""

    name: str
    type: DataType
    description: str = ""
    values: tuple[Value, ...] | None = None
    minimum: Value = None
    maximum: Value = None


@dataclass(frozen=True, slots=True)
class Template:
    """A query of a collaboration, written by one partner. `approvals`: the partners that agreed to exactly this text."""

    name: TemplateName
    collaboration: CollaborationName
    partner: PartnerName
    sql: str
    dialect: str = "duckdb"
    description: str = ""
    parameters: tuple[TemplateParameter, ...] = ()
    approvals: frozenset[PartnerName] = frozenset()

    def asks_the_same(self, other: Template) -> bool:
        """Whether what was agreed to in one of them holds for the other: text, dialect and parameters are equal."""
        return (self.sql, self.dialect, self.parameters) == (other.sql, other.dialect, other.parameters)

    def agreed_as(self, standing: Template | None) -> Template:
        """The template with those approvals alone that hold now: an approval is of what asks the same in the template that
        stands, and comes back with no earlier text."""
        same = standing is not None and standing.partner == self.partner and self.asks_the_same(standing)
        return replace(self, approvals=standing.approvals if standing is not None and same else frozenset())


@dataclass(frozen=True, slots=True)
class Policy:
    """All that holds in one collaboration: the agreement, its datasets, each owner's rule where there is one, templates.

    `versions` names the exact document versions ("dataset:retailer.customers" → 3), for the log and for pinning.
    """

    collaboration: Collaboration
    datasets: Mapping[DatasetName, Dataset]
    rules: Mapping[DatasetName, AnalysisRule]
    versions: Mapping[str, int] = field(default_factory=dict)
    templates: Mapping[TemplateName, Template] = field(default_factory=dict)

    def for_runner(self, runner: PartnerName) -> Policy:
        """The policy as it holds for this runner."""
        return replace(self, rules={name: rule.for_runner(runner) for name, rule in self.rules.items()})


@dataclass(frozen=True, slots=True)
class PolicyTestCase:
    name: str
    runner: PartnerName
    sql: str
    expect: tuple[str, ...] | None  # the finding codes, sorted; None: approved
    line: int
    dialect: str = "duckdb"
    template: TemplateName | None = None
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PolicyTest:
    collaboration: CollaborationName
    cases: tuple[PolicyTestCase, ...]
    file: str


@dataclass(frozen=True, slots=True)
class PolicyFolder:
    """Every document of a policy folder, as values.

    `places`: path through the folder ("rules[2].columns.region") → file and line; empty where it was not read from files.
    """

    collaborations: tuple[Collaboration, ...] = ()
    connections: tuple[Connection, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    rules: tuple[AnalysisRule, ...] = ()
    tests: tuple[PolicyTest, ...] = ()
    templates: tuple[Template, ...] = ()
    places: Mapping[str, tuple[str, int]] = field(default_factory=dict, compare=False, repr=False)

    def policy(self, name: CollaborationName) -> Policy | None:
        """What holds in that collaboration, or None where the folder has none of that name."""
        collaboration = next((c for c in self.collaborations if c.name == name), None)
        if collaboration is None:
            return None
        rules = {r.dataset: r for r in self.rules if r.collaboration == name}
        datasets = {d.name: d for d in self.datasets if d.name in rules}
        return Policy(collaboration, datasets, rules, templates=templates_of(collaboration, self.templates))


def templates_of(collaboration: Collaboration, templates: Iterable[Template]) -> dict[TemplateName, Template]:
    """Those of the collaboration whose partner is a member: whoever leaves takes its templates along."""
    return {t.name: t for t in templates if t.collaboration == collaboration.name and collaboration.has(t.partner)}
