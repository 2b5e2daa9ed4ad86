"""What the owners ask, and a released table → each shown row with the people's rows behind it, which are enough."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from cleanroom.domain.expression import Column, SourceColumn
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import scans
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import column_name
from tests.oracle_cells import Released, Shown, brute_force, close
from tests.oracle_rows import Row


@dataclass(frozen=True, slots=True)
class Terms:
    """What the owners ask of an answer. `small_groups` by dataset: DROP where there is none.

    `of_column`: what an aggregate of a column must describe, where it is more. `public`: the values that a column's owner
    made public.
    """

    minimum: int
    small_groups: Mapping[DatasetName, SmallGroups] = field(default_factory=dict)
    of_column: Mapping[tuple[DatasetName, str], int] = field(default_factory=dict)
    public: Mapping[tuple[DatasetName, str], tuple[str, ...]] = field(default_factory=dict)


def terms_of(verdict: Verdict) -> Terms:
    """The strictest of what the rules of the query's datasets say."""
    rules = [verdict.policy.rules[name] for name in verdict.datasets]
    columns = [(rule.dataset, name, column) for rule in rules for name, column in rule.columns.items()]
    declared = [(name, c) for name in verdict.datasets for c in verdict.policy.datasets[name].columns]
    return Terms(
        minimum=max(rule.minimum_units for rule in rules),
        small_groups={rule.dataset: rule.small_groups for rule in rules},
        of_column={(d, name): c.minimum_units for d, name, c in columns if c.minimum_units is not None},
        public={(d, c.name): c.values for d, c in declared if c.values is not None},
    )


def small_groups(released: Released, terms: Terms, *, alone: bool = True) -> SmallGroups:
    """What becomes of the release's small groups: the strictest of its owners' wishes. With several grains pooling is
    dropping."""
    wishes = {terms.small_groups.get(scan.dataset, SmallGroups.DROP) for scan in scans(released.aggregate.input)}
    strictest = min(wishes, key=list(SmallGroups).index)
    return SmallGroups.DROP if strictest is SmallGroups.POOL and not alone else strictest


# --- rows ----------------------------------------------------------------------------------------------------------


def matched(released: Released, terms: Terms, small: SmallGroups) -> list[tuple[Shown, list[Row]]]:
    """(a) Each shown row with its group's rows, which are enough; rows left empty for a public key are not among them.

    A row whose keys are all NULL may be the groups of too few together, where the owners pool those.
    """
    pooled = _pool(released) if small is SmallGroups.POOL else []
    found: list[tuple[Shown, list[Row]]] = []
    seen: set[Hashable] = set()
    blanks: set[Hashable] = set()
    for row in released.shown:
        key = released.key(row)
        if small is SmallGroups.BLANK and _is_blank(released, row, terms):
            blanks.add(key)
            continue
        members = released.groups.get(key, [])
        if pooled and key and not any(k is not None for k in key) and not _fits(released, row, members, seen):
            members, pooled, key = pooled, [], ("pooled",)
        assert key not in seen, "a group is shown twice"
        seen.add(key)
        assert released.enough_for_a_row(members), f"a row of {_counts(released, members)} is shown"
        found.append((row, members))
    _assert_all_blanks(released, terms, blanks, seen)
    return found


def _fits(released: Released, row: Shown, members: Sequence[Row], seen: set[Hashable]) -> bool:
    """Whether the row is the group of its own key, not seen before."""
    shown = [m for m in released.measures if row[column_name(m)] is not None]
    right = all(close(row[column_name(m)], brute_force(m, members)) for m in shown)
    return released.key(row) not in seen and released.enough_for_a_row(members) and right


def _pool(released: Released) -> list[Row]:
    few = [members for members in released.groups.values() if not released.enough_for_a_row(members)]
    return [row for members in few for row in members] if len(few) > 1 else []


def _counts(released: Released, members: Sequence[Row]) -> str:
    paths = [path for row in members for path in row.paths]
    return ", ".join(f"{len(released.people.units(s, c, paths))} {c}" for s, c in released.people.columns)


def _domains(released: Released, terms: Terms) -> list[tuple[str, ...]] | None:
    """The public values of each key; None where a key has none."""
    found = []
    for key in released.aggregate.keys:
        origin: object = key.origin
        while isinstance(origin, Column):
            origin = origin.field.origin
        if not isinstance(origin, SourceColumn) or (origin.dataset, origin.column) not in terms.public:
            return None
        found.append(terms.public[origin.dataset, origin.column])
    return found or None


def _is_blank(released: Released, row: Shown, terms: Terms) -> bool:
    domains = _domains(released, terms)
    empty = not released.shown_measures(row)
    return empty and domains is not None and all(k in d for k, d in zip(released.key(row), domains, strict=True))


def _assert_all_blanks(released: Released, terms: Terms, blanks: set[Hashable], seen: set[Hashable]) -> None:
    """Where one public key is kept empty all are: a missing one would say that there is nobody."""
    domains = _domains(released, terms)
    if not blanks or domains is None:
        return
    for key in product(*domains):
        assert key in blanks or key in seen, "a public key is missing where others are shown empty"
