"""An approved plan, cut into steps: private steps that may not leave, released tables that may, one last step."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cleanroom.domain.expression import Expression, Field
from cleanroom.domain.identifiers import DatasetName, PartnerName
from cleanroom.domain.plan import Aggregate, Relation


@dataclass(frozen=True, slots=True)
class Claim:
    """A promise of an owner's dataset document that the typing relied on, checked on the query's own snapshot.

    `unique` True: no two rows hold the same non-NULL values in `columns`. False: `columns` (one) is never NULL.
    """

    dataset: DatasetName
    columns: tuple[str, ...]
    unique: bool


@dataclass(frozen=True, slots=True)
class ConditionalCell:
    """A measure that only some of a row's people feed: those for whom `conditions[condition]` is TRUE."""

    measure: Field
    condition: int


@dataclass(frozen=True, slots=True)
class PrivateStep:
    """Run one release aggregate with its hidden counts; `release` then decides which rows and cells may leave.

    The engine answers with a RawTable of these columns, in this order:
    - one for each key and each measure, named by `column_name`;
    - `unit_count_name(j)` (BIGINT): distinct `units[j]` of the row's group;
    and where there are `conditions`, for each unit j:
    - `atom_minimum_name(j)`: the least number of distinct `units[j]` over the non-empty atoms of the conditions
      (an atom: the rows of the group on which every condition is TRUE or not TRUE in the same way);
    - `cell_count_name(i, j)`: distinct `units[j]` of the rows where `conditions[i]` is TRUE;
    - `distinct_minimum_name(m, j)` for each measure m of `distinct_measures`: the non-NULL values of its argument are
      sorted into classes, those that occur in exactly the same atoms together; the least number of distinct
      `units[j]` over the rows of a class, NULL where there is no value at all.
    With no keys there is one row, even over no rows at all (counts 0, minima NULL).
    """

    table: str
    aggregate: Aggregate
    units: tuple[Field, ...]
    conditions: tuple[Expression, ...]
    conditional: tuple[ConditionalCell, ...]
    distinct_measures: tuple[Field, ...]
    minimum_units: int


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
