"""Random private steps of every shape: the in-memory engine and DuckDB count the same, and the same is released of both."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import pyarrow as pa
import pytest

from cleanroom.domain.expression import Expression, Field, Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Relation, Scan, units_of
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.steps import ConditionalCell, PrivateStep, RawTable, Removal, column_name, hidden_names
from cleanroom.domain.types import DOUBLE, HUGEINT
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import arrow_table
from cleanroom.release import release
from cleanroom.sql.render import render_private
from tests.plans import PlanBuilder, call, col, dataset, where

BUYERS = dataset(
    "retailer.buyers", {"buyer": "BIGINT", "a": "VARCHAR", "b": "VARCHAR", "v": "BIGINT"}, units=("buyer",)
)
VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "buyer": "BIGINT", "site": "VARCHAR"}, units=("viewer",))
TABLES = {BUYERS.name: "buyers", VIEWS.name: "views"}
Datasets = Mapping[DatasetName, Sequence[Mapping[str, Value]]]
SEEDS = range(4)


def random_rows(seed: int) -> Datasets:
    dice = random.Random(seed)

    def one_of(*values: Value) -> Value:
        return dice.choice(values)

    people = (14, 60, 5, 30)[seed % 4]
    buyers = [
        {"buyer": one_of(*range(people), None), "a": one_of("n", "s", None), "b": one_of("x", "y", None)}
        for _ in range(dice.randrange(3 * people))
    ]
    seen = [
        {"viewer": one_of(*range(people), None), "buyer": one_of(*range(people + 2), None), "site": one_of("p", "q")}
        for _ in range(dice.randrange(2 * people))
    ]
    return {BUYERS.name: [{**row, "v": one_of(1, 2, 3, None)} for row in buyers], VIEWS.name: seen}


@dataclass(frozen=True)
class Rows:
    """What a step is made over: the relation, where its columns are, and what is known of its units."""

    make: PlanBuilder
    left: Scan
    relation: Relation
    units: tuple[Field, ...]
    optional: frozenset[Field] = frozenset()
    removed: Relation | None = None

    def key(self, name: str) -> Field:
        return self.make.computed(col(self.left, name), name)


def scanned() -> Rows:
    make = PlanBuilder()
    scan = make.scan(BUYERS)
    return Rows(make, scan, where(scan, call("ne", col(scan, "v"), 3)), scan.units)


def joined(kind: JoinKind) -> Callable[[], Rows]:
    def rows() -> Rows:
        make = PlanBuilder()
        left, right = make.scan(BUYERS), make.scan(VIEWS)
        some = where(right, call("eq", col(right, "site"), "p"))
        made = Join(left, some, kind, ((col(left, "buyer"), col(some, "buyer")),), False)
        optional = frozenset(right.units if kind is JoinKind.LEFT else ())
        return Rows(
            make,
            left,
            made,
            units_of(made),
            optional,
            replace(made, kind=JoinKind.SEMI) if kind is JoinKind.ANTI else None,
        )

    rows.__name__ = kind.value
    return rows


def numbers(rows: Rows) -> tuple[Field, ...]:
    v = col(rows.left, "v")
    kinds = (("count", v.type), ("sum", HUGEINT), ("avg", DOUBLE), ("count_distinct", v.type), ("stddev_pop", DOUBLE))
    return (rows.make.measure("count_rows"), *(rows.make.measure(name, v, kind) for name, kind in kinds))


def plain(rows: Rows, *keys: str) -> PrivateStep:
    aggregate = Aggregate(rows.relation, tuple(map(rows.key, keys)), numbers(rows), released=True)
    step = PrivateStep("t", aggregate, rows.units, (), (), (), 3, optional=rows.optional)
    if rows.removed is None:
        return step
    units = units_of(rows.removed)
    return replace(step, removals=(Removal(rows.removed, aggregate.keys, units), Removal(rows.removed, (), units)))


def conditional(rows: Rows, *keys: str) -> PrivateStep:
    step = plain(rows, *keys)
    v = col(rows.left, "v")
    conditions: tuple[Expression, ...] = (call("not", call("is_null", v)), call("eq", col(rows.left, "b"), "x"))
    in_x = rows.make.measure("count_distinct", v, v.type, conditions[1])
    aggregate = replace(step.aggregate, measures=(*step.aggregate.measures, in_x))
    cells = [ConditionalCell(m, 0) for m in aggregate.measures[1:-1]] + [ConditionalCell(in_x, 1)]
    distinct = (aggregate.measures[4], in_x)
    return replace(
        step, aggregate=aggregate, conditions=conditions, conditional=tuple(cells), distinct_measures=distinct
    )


def pooled(rows: Rows, *keys: str) -> PrivateStep:
    return replace(conditional(rows, *keys), small_groups=SmallGroups.POOL)


def of_grains(rows: Rows, *keys: str) -> PrivateStep:
    """Among the key sets of a cube over a and b."""
    step = replace(plain(rows, *keys), minimum_units=2)
    sets = [("a", "b"), ("a",), ("b",), ()]
    finer = [s for s in sets if set(s) > set(keys)]
    beside = [s for s in sets if not set(s) >= set(keys) and not set(s) <= set(keys)]
    named = {name: rows.key(name) for name in ("a", "b")}

    def fields(chosen: list[tuple[str, ...]]) -> tuple[tuple[Field, ...], ...]:
        return tuple(tuple(named[name] for name in s) for s in chosen)

    return replace(step, finer=fields(finer), beside=fields(beside), removals=())


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        yield connection


def by_duckdb(engine: duckdb.DuckDBPyConnection, step: PrivateStep, datasets: Datasets) -> RawTable:
    for made in (BUYERS, VIEWS):
        columns = [(c.name, c.type, [row[c.name] for row in datasets[made.name]]) for c in made.columns]
        engine.register(TABLES[made.name], arrow_table(columns))
    return RawTable(step, engine.sql(render_private(step, TABLES)).to_arrow_table())


def comparable(table: pa.Table, names: Sequence[str]) -> Counter[str]:
    """The rows, however often each is there, with doubles cut to what rounding leaves of them."""
    rows = table.select(names).to_pylist()
    return Counter(repr([f"{v:.9g}" if isinstance(v, float) else v for v in row.values()]) for row in rows)


SHAPES = (scanned, *(joined(kind) for kind in JoinKind if kind is not JoinKind.FULL))
FORMS = (plain, conditional, pooled, of_grains)
KEYS: tuple[tuple[str, ...], ...] = ((), ("a",), ("a", "b"))


@pytest.mark.parametrize("keys", KEYS, ids=lambda keys: " ".join(keys) or "no key")
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_both_engines_count_alike_and_the_same_is_released(
    engine: duckdb.DuckDBPyConnection,
    shape: Callable[[], Rows],
    form: Callable[..., PrivateStep],
    keys: tuple[str, ...],
) -> None:
    step = form(shape(), *keys)
    names = [*map(column_name, step.aggregate.fields), *hidden_names(step)]
    for seed in SEEDS:
        datasets = random_rows(seed)
        mine, theirs = MemoryEngine(datasets).run_private(step, {}), by_duckdb(engine, step, datasets)
        assert mine.rows.column_names == theirs.rows.column_names == names
        # DuckDB leaves out groups that the release would drop, and computes no other than those.
        assert comparable(theirs.rows, names) <= comparable(mine.rows, names)
        released = release(mine).rows
        assert comparable(released, released.column_names) == comparable(release(theirs).rows, released.column_names)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_the_random_steps_show_and_withhold_rows(form: Callable[..., PrivateStep]) -> None:
    shown = withheld = 0
    for shape in SHAPES:
        step = form(shape(), "a")
        for seed in SEEDS:
            raw = MemoryEngine(random_rows(seed)).run_private(step, {})
            rows = release(raw).rows.num_rows
            shown, withheld = shown + rows, withheld + raw.rows.num_rows - rows
    assert shown
    assert withheld
