"""An approved plan, cut into steps: private steps that may not leave, released tables that may, one last step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from cleanroom.domain.expression import AggregateCall, Expression, Field, Value
from cleanroom.domain.identifiers import DatasetName, PartnerName
from cleanroom.domain.plan import Aggregate, Relation
from cleanroom.domain.policy import SmallGroups


@dataclass(frozen=True, slots=True)
class Claim:
    """A promise of an owner's dataset document that the typing relied on, checked on the query's own snapshot.

    `unique` True: no two rows hold the same non-NULL values in `columns`. False: `columns` (one) is never NULL.
    """

    dataset: DatasetName
    columns: tuple[str, ...]
    unique: bool


MOST_PUBLIC_GROUPS = 10_000
"""How many groups are shown for the sake of the empty ones; where there are more, small groups are dropped."""


MOST_CONDITIONS = 60
"""How many conditions a step may have: bits of a mask that a BIGINT holds, with room to spare."""


@dataclass(frozen=True, slots=True)
class ConditionalCell:
    """A measure that only some of a row's people feed: those for whom `conditions[condition]` is TRUE."""

    measure: Field
    condition: int


@dataclass(frozen=True, slots=True)
class Removal:
    """Whom an anti-join, or what is asked of a match that may be missing, took away: `relation` has those who have a match.

    `keys` are those of the step's aggregate that mean the same over `relation`; none where they are computed after the
    join: then the whole answer stands or falls. `units` are all units of `relation`.
    """

    relation: Relation
    keys: tuple[Field, ...]
    units: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class PrivateStep:
    """Run one release aggregate with its hidden counts; `release` then decides which rows and cells may leave.

    The engine answers with a RawTable of these columns, in this order:
    - one for each key and each measure, named by `column_name`;
    - `unit_count_name(j)` (BIGINT): distinct `units[j]` of the row's group, NULL not counted;
    where there are `conditions`, for each unit j:
    - `atom_minimum_name(j)`: the least number of distinct `units[j]` over the atoms of the conditions that have one at all
      (an atom: the rows of the group on which every condition is TRUE or not TRUE in the same way); NULL: none has;
    - `cell_count_name(i, j)`: distinct `units[j]` of the rows where `conditions[i]` is TRUE;
    - `distinct_minimum_name(m, j)` for each measure m of `distinct_measures`: the non-NULL values of its argument are
      sorted into classes, those that occur in exactly the same atoms together; the least number of distinct
      `units[j]` over the rows of a class that has one at all, NULL where there is none;
    - `removed_name(r, j)` for each of the `removals` r and each unit j of it: distinct units in the row's group of
      `removals[r].relation` (of all of it where it has no keys); 0 where there are none;
    where there are `finer` key sets (releases of the same rows in one answer, whose keys contain this one's):
    - `remainder_name(j)`: distinct `units[j]` of the group's rows that are in no shown row of a finer set. A row of a finer
      set is shown where it has enough units and what remains of it, after the finer sets before it that contain its
      keys, is none or `minimum_units` of every unit;
    - `shared_minimum_name(m, j)` for each COUNT(DISTINCT) measure m: its argument's values are sorted into classes, those
      that occur in exactly the same groups of the `finer` sets together (all groups that are not shown being one);
      the least number of distinct `units[j]` over the rows of a class, NULL where there is no value;
    where there are key sets `beside` it (of the same rows, neither containing the other):
    - `withheld_beside_name()`: how many groups of this set and of those beside it are not shown, in the same sense: they
      have not enough units, or too few remain of them after the sets of `finer` and `beside` that contain their keys;
    where `small_groups` is POOL:
    - `pooled_name()`: 0 for a group of its own. The groups that have not enough units come as one row instead,
      aggregated together, its keys NULL; there it is their number. With no keys it is 0.
    Enough units are `minimum_units` of each unit; of an `optional` one also none at all, of an `unasked` one any number.
    `finer` and `beside` come without conditions, removals and POOL.
    With no keys there is one row, even over no rows at all (counts 0, minima NULL).

    `optional` are the units of sources that may have no match (NULL there): a row or cell may have none of them. Of
    those, `unasked` are the ones that no key and no predicate depends on: conditional cells alone need them.
    `cell_minimums`: measures that need more units than `minimum_units`. `public_keys`: where `small_groups` is BLANK, the
    values that each key can have, as their owner made public.
    """

    table: str
    aggregate: Aggregate
    units: tuple[Field, ...]
    conditions: tuple[Expression, ...]
    conditional: tuple[ConditionalCell, ...]
    distinct_measures: tuple[Field, ...]
    minimum_units: int
    optional: frozenset[Field] = frozenset()
    unasked: frozenset[Field] = frozenset()
    removals: tuple[Removal, ...] = ()
    finer: tuple[tuple[Field, ...], ...] = ()
    beside: tuple[tuple[Field, ...], ...] = ()
    small_groups: SmallGroups = SmallGroups.DROP
    public_keys: tuple[tuple[Value, ...], ...] = ()
    cell_minimums: tuple[tuple[Field, int], ...] = ()


def contains(finer: tuple[Field, ...], coarser: tuple[Field, ...]) -> bool:
    """Whether each group of `coarser` is made of whole groups of `finer`: keys are the same where their origins are."""
    origins = [key.origin for key in finer]
    return all(key.origin in origins for key in coarser)


def column_name(field: Field) -> str:
    """The name under which a field is rendered: made by us, not writable by an analyst."""
    return f"c{field.id}"


def unit_count_name(unit: int) -> str:
    return f"n{unit}"


def atom_minimum_name(unit: int) -> str:
    return f"a{unit}"


def cell_count_name(condition: int, unit: int) -> str:
    return f"o{condition}_{unit}"


def distinct_minimum_name(measure: Field, unit: int) -> str:
    return f"d{measure.id}_{unit}"


def removed_name(removal: int, unit: int) -> str:
    return f"r{removal}_{unit}"


def remainder_name(unit: int) -> str:
    return f"e{unit}"


def shared_minimum_name(measure: Field, unit: int) -> str:
    return f"s{measure.id}_{unit}"


def withheld_beside_name() -> str:
    return "w"


def pooled_name() -> str:
    return "p"


def hidden_names(step: PrivateStep) -> Iterator[str]:
    """The names of the step's hidden columns, all BIGINT, in the order of its raw table."""
    units = range(len(step.units))
    yield from (unit_count_name(unit) for unit in units)
    if step.conditions:
        for unit in units:
            yield atom_minimum_name(unit)
            yield from (cell_count_name(condition, unit) for condition in range(len(step.conditions)))
            yield from (distinct_minimum_name(measure, unit) for measure in step.distinct_measures)
    for number, removal in enumerate(step.removals):
        yield from (removed_name(number, unit) for unit in range(len(removal.units)))
    if step.finer:
        for unit in units:
            yield remainder_name(unit)
            yield from (shared_minimum_name(measure, unit) for measure in distinct_counts(step))
    if step.beside:
        yield withheld_beside_name()
    if step.small_groups is SmallGroups.POOL:
        yield pooled_name()


def distinct_counts(step: PrivateStep) -> tuple[Field, ...]:
    """Every COUNT(DISTINCT) measure of the step."""
    calls = [(m, m.origin) for m in step.aggregate.measures]
    return tuple(m for m, call in calls if isinstance(call, AggregateCall) and call.function == "count_distinct")


@dataclass(frozen=True, slots=True)
class FinalStep:
    """The analyst's own arithmetic, HAVING, windows, order and limit, over released tables alone.

    `names` are the output columns' names for the analyst, one for each field of `relation`, unique.
    """

    relation: Relation
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExecutablePlan:
    """Made by `rules.approve` alone. Steps run in order; `claims` are checked before the first."""

    steps: tuple[PrivateStep, ...]
    final: FinalStep
    claims: tuple[Claim, ...]
    receivers: tuple[PartnerName, ...]
    minimum_units: int


@dataclass(frozen=True, slots=True)
class RawTable:
    """What a private step computed, hidden counts and all. Never leaves the worker. Made by engines alone."""

    step: PrivateStep
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class ReleasedTable:
    """Rows and cells that met every threshold; columns are those of the step's keys and measures. Made by `release` alone."""

    name: str
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class ReleasedResult:
    """The answer: what receivers get. Made by engines from released tables alone."""

    rows: pa.Table
