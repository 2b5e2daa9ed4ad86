"""The in-memory engine runs whole steps as DuckDB runs what is rendered for them: same rows, same hidden counts."""

from __future__ import annotations

import datetime
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest

from cleanroom.domain.errors import EngineError, SourceError
from cleanroom.domain.expression import Column, Expression, Field, FrameBound, SortKey, Value, WindowCall
from cleanroom.domain.functions import AGGREGATES, WINDOWS
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Aggregate, Join, JoinKind, Limit, OneRow, Relation, Sort, Window
from cleanroom.domain.policy import Dataset
from cleanroom.domain.ports import Engine, FileSource
from cleanroom.domain.steps import Claim, ConditionalCell, PrivateStep, ReleasedTable
from cleanroom.domain.types import BIGINT, DATE, DOUBLE, HUGEINT, VARCHAR, DataType, Kind
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_aggregates import AGGREGATE_FUNCTIONS
from cleanroom.engines.memory_arrow import arrow_table
from cleanroom.engines.memory_windows import WINDOW_FUNCTIONS
from cleanroom.sql.render import render_final, render_private
from cleanroom.sql.render_aggregate import sum_type
from tests.plans import PlanBuilder, call, col, dataset, final, inner_join, project, release, where

CUSTOMERS = dataset(
    "retailer.customers",
    {"user_id": "BIGINT", "email": "VARCHAR", "region": "VARCHAR", "age": "INTEGER", "consent": "BOOLEAN"},
)
ORDERS = dataset(
    "publisher.orders",
    {"buyer": "VARCHAR", "amount": "DECIMAL(12,2)", "weight": "DOUBLE", "day": "DATE"},
    units=("buyer",),
)
SALES = {"shop": "VARCHAR", "day": "DATE", "n": "BIGINT", "total": "DECIMAL(12,2)", "share": "DOUBLE"}
DECIMAL = DataType(Kind.DECIMAL, 12, 2)
DAYS = tuple(datetime.date(2026, 1, day) for day in (1, 5, 12))


def rows_for(seed: int) -> dict[DatasetName, list[Mapping[str, Value]]]:
    """Small tables with NULLs, duplicates and people who have many rows or none."""
    dice = random.Random(seed)

    def maybe(value: Value) -> Value:
        return None if dice.random() < 0.2 else value

    def customer() -> Mapping[str, Value]:
        return {
            "user_id": maybe(dice.randrange(9)),
            "email": maybe(dice.choice("abcdef")),
            "region": maybe(dice.choice(("north", "south"))),
            "age": maybe(dice.randrange(18, 30)),
            "consent": maybe(dice.random() < 0.8),
        }

    def order() -> Mapping[str, Value]:
        return {
            "buyer": maybe(dice.choice("abcdefg")),
            "amount": maybe(Decimal(dice.randrange(-500, 500)).scaleb(-2)),
            "weight": maybe(dice.choice((0.25, 1.5, 1e6))),
            "day": maybe(dice.choice(DAYS)),
        }

    return {CUSTOMERS.name: [customer() for _ in range(12)], ORDERS.name: [order() for _ in range(30)]}


def table_of(columns: Sequence[tuple[str, DataType]], rows: Sequence[Mapping[str, Value]]) -> pa.Table:
    return arrow_table([(name, kind, [row[name] for row in rows]) for name, kind in columns])


def in_duckdb(sql: str, tables: Mapping[str, pa.Table]) -> list[dict[str, Value]]:
    with duckdb.connect() as connection:
        for name, table in tables.items():
            connection.register(name, table)
        found: list[dict[str, Value]] = connection.sql(sql).to_arrow_table().to_pylist()
        return found


def comparable(rows: Sequence[Mapping[str, Value]]) -> list[tuple[tuple[str, object], ...]]:
    """The rows with doubles cut to what rounding leaves of them."""
    return [tuple((k, f"{v:.9g}" if isinstance(v, float) else v) for k, v in row.items()) for row in rows]


def same_rows(left: Sequence[Mapping[str, Value]], right: Sequence[Mapping[str, Value]]) -> None:
    assert sorted(comparable(left), key=repr) == sorted(comparable(right), key=repr)


# Private steps


def private(step: PrivateStep, seed: int) -> tuple[list[dict[str, Value]], list[dict[str, Value]]]:
    """The step's rows by the in-memory engine and by DuckDB, small groups left out of both."""
    rows = rows_for(seed)
    tables = {
        name: table_of([(c.name, c.type) for c in made.columns], rows[made.name])
        for name, made in (("customers", CUSTOMERS), ("orders", ORDERS))
    }
    names = {CUSTOMERS.name: "customers", ORDERS.name: "orders"}
    mine = MemoryEngine(rows).run_private(step, {}).rows.to_pylist()
    theirs = in_duckdb(render_private(step, names), tables)
    if step.aggregate.keys:
        mine = [r for r in mine if all(r[f"n{j}"] >= step.minimum_units for j in range(len(step.units)))]
    return mine, theirs


def plain_step(make: PlanBuilder) -> PrivateStep:
    customers, orders = make.scan(CUSTOMERS, lambda s: col(s, "consent")), make.scan(ORDERS)
    joined = inner_join(customers, orders, ("email", "buyer"))
    day = make.computed(call("date_trunc", "week", col(joined, "day"), type=DataType(Kind.TIMESTAMP)))
    region = make.computed(call("coalesce", col(joined, "region"), "?", type=VARCHAR))
    return release(joined, (region, day), measures_of(make, joined), units=(*customers.units, *orders.units))


def measures_of(make: PlanBuilder, rows: Relation) -> tuple[Field, ...]:
    amount, weight, age = (col(rows, name) for name in ("amount", "weight", "age"))
    sums = [make.measure("sum", c, sum_type(c.type)) for c in (amount, weight, age)]
    means = [make.measure("avg", c, DOUBLE) for c in (amount, weight, age)]
    counts = [make.measure(f, c, BIGINT) for f in ("count", "count_distinct") for c in (amount, col(rows, "user_id"))]
    return (make.measure("count_rows"), *sums, *means, *counts)


def conditional_step(make: PlanBuilder, *, keys: bool) -> PrivateStep:
    step = plain_step(make)
    joined = step.aggregate.input
    amount = col(joined, "amount")
    distinct = make.measure("count_distinct", col(joined, "age"), BIGINT)
    total = make.measure("sum", amount, sum_type(amount.type))
    conditions = (call("not", call("is_null", amount)), call("gt", col(joined, "weight"), 1.0))
    group = step.aggregate.keys if keys else ()
    some = [make.measure(f, col(joined, "age"), BIGINT, conditions[1]) for f in ("sum", "count", "count_distinct")]
    rows = make.measure("count_rows", condition=call("eq", col(joined, "region"), "north"))
    aggregate = replace(step.aggregate, keys=group, measures=(total, distinct, *some, rows))
    cells = (ConditionalCell(total, 0), ConditionalCell(distinct, 1))
    return replace(step, aggregate=aggregate, conditions=conditions, conditional=cells, distinct_measures=(distinct,))


@pytest.mark.parametrize("seed", range(8))
def test_joins_filters_groups_and_units_are_duckdbs(seed: int) -> None:
    same_rows(*private(plain_step(PlanBuilder()), seed))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("keys", [True, False], ids=["groups", "one total"])
def test_atoms_cells_and_classes_are_duckdbs(seed: int, keys: bool) -> None:
    same_rows(*private(conditional_step(PlanBuilder(), keys=keys), seed))


def test_the_raw_table_has_the_columns_of_the_step_in_order() -> None:
    step = conditional_step(PlanBuilder(), keys=True)
    names = MemoryEngine(rows_for(1)).run_private(step, {}).rows.column_names
    own = [f"c{field.id}" for field in step.aggregate.fields]
    distinct = f"d{step.distinct_measures[0].id}"
    hidden = ["n0", "n1", "a0", "o0_0", "o1_0", f"{distinct}_0", "a1", "o0_1", "o1_1", f"{distinct}_1"]
    assert names == own + hidden


def test_a_total_over_no_rows_is_one_row_of_zeros_and_nulls() -> None:
    step = conditional_step(PlanBuilder(), keys=False)
    empty: dict[DatasetName, list[Mapping[str, Value]]] = {CUSTOMERS.name: [], ORDERS.name: []}
    (row,) = MemoryEngine(empty).run_private(step, {}).rows.to_pylist()
    assert {name: value for name, value in row.items() if name[0] in "nao"} == {
        **dict.fromkeys(("n0", "n1", "o0_0", "o0_1", "o1_0", "o1_1"), 0),
        **dict.fromkeys(("a0", "a1")),
    }
    assert [value for name, value in row.items() if name[0] == "d"] == [None, None]


def test_rows_that_belong_to_nobody_are_not_scanned() -> None:
    make = PlanBuilder()
    scan = make.scan(CUSTOMERS)
    step = release(scan, (), (make.measure("count_rows"),), units=scan.units)
    nobody: dict[str, Value] = dict.fromkeys(("user_id", "email", "region", "age", "consent"))
    rows: list[Mapping[str, Value]] = [nobody, {**nobody, "user_id": 1}]
    (row,) = MemoryEngine({CUSTOMERS.name: rows}).run_private(step, {}).rows.to_pylist()
    assert list(row.values()) == [1, 1]


def test_null_keys_join_nothing_and_duplicates_join_each_other() -> None:
    make = PlanBuilder()
    left, right = make.scan(CUSTOMERS), make.scan(CUSTOMERS)
    step = release(
        inner_join(left, right, ("email", "email"), ("age", "age")), (), (make.measure("count_rows"),), units=left.units
    )
    shared: dict[str, Value] = {"user_id": 1, "region": "n", "consent": True}
    keys: list[tuple[Value, Value]] = [("a", 1), ("a", 1), ("a", 2), ("b", None), ("b", None), (None, None)]
    rows = [{**shared, "email": email, "age": age} for email, age in keys]
    (row,) = MemoryEngine({CUSTOMERS.name: rows}).run_private(step, {}).rows.to_pylist()
    assert next(iter(row.values())) == 2 * 2 + 1


# Final steps


def sales(make: PlanBuilder) -> tuple[Relation, pa.Table]:
    scan = make.released("t", SALES)
    dice = random.Random(4)
    rows: list[list[Value]] = [
        [
            dice.choice(("a", "b", "B", None)),
            dice.choice((*DAYS, None)),
            dice.choice((1, 2, 3, None)),
            dice.choice((Decimal("1.50"), Decimal("-2.25"), Decimal("0.10"), None)),
            dice.choice((0.5, 2.25, 1e9, None)),
        ]
        for _ in range(25)
    ]
    unique = list(dict.fromkeys(map(tuple, rows)))
    columns = [(f"c{f.id}", f.type, [row[at] for row in unique]) for at, f in enumerate(scan.fields)]
    return scan, arrow_table(columns)


def finished(relation: Relation, table: pa.Table) -> tuple[list[dict[str, Value]], list[dict[str, Value]]]:
    step = final(relation)
    mine = MemoryEngine().run_final(step, {"t": ReleasedTable("t", table)}).rows
    theirs = in_duckdb(render_final(step, {"t": "sales"}), {"sales": table})
    assert mine.column_names == list(step.names)
    named = [dict(zip(step.names, row.values(), strict=True)) for row in theirs]
    return mine.to_pylist(), named


def test_every_aggregate_and_window_is_implemented() -> None:
    assert set(AGGREGATES) == AGGREGATE_FUNCTIONS
    assert set(WINDOWS) == set(WINDOW_FUNCTIONS)


AGGREGATED = [
    *(("count", c, BIGINT) for c in ("n", "shop")),
    *(("count_distinct", c, BIGINT) for c in ("n", "total", "share", "shop")),
    *(("sum", c, kind) for c, kind in (("n", HUGEINT), ("total", DataType(Kind.DECIMAL, 38, 2)), ("share", DOUBLE))),
    *((f, c, DOUBLE) for f in ("avg", "median", "stddev", "variance") for c in ("n", "total", "share")),
    *(
        (f, c, kind)
        for f in ("min", "max")
        for c, kind in (("n", BIGINT), ("shop", VARCHAR), ("day", DATE), ("total", DECIMAL))
    ),
]


@pytest.mark.parametrize(("function", "column", "kind"), AGGREGATED, ids=str)
@pytest.mark.parametrize("nothing", [False, True], ids=["some rows", "no rows"])
def test_an_aggregate_is_duckdbs(function: str, column: str, kind: DataType, nothing: bool) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    measure = make.measure(function, col(scan, column), kind)
    keys = () if nothing else (make.computed(col(scan, "shop")),)
    below = where(scan, call("gt", col(scan, "n"), 99)) if nothing else scan
    same_rows(*finished(Aggregate(below, keys, (measure, make.measure("count_rows")), True), table))


@pytest.mark.parametrize(("function", "column", "kind"), AGGREGATED, ids=str)
def test_an_aggregate_under_a_condition_is_duckdbs(function: str, column: str, kind: DataType) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    few, none = (call("gt", col(scan, "n"), least) for least in (1, 99))
    measures = [make.measure(function, col(scan, column), kind, condition) for condition in (few, none)]
    measures += [make.measure("count_rows", condition=condition) for condition in (few, none)]
    keys = (make.computed(col(scan, "shop")),)
    same_rows(*finished(Aggregate(scan, keys, tuple(measures), True), table))


def test_any_value_is_one_of_them() -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    mine, _ = finished(Aggregate(scan, (), (make.measure("any_value", col(scan, "shop"), VARCHAR),), True), table)
    assert set(mine[0].values()) < {"a", "b", "B"}


FRAMES: list[tuple[FrameBound, FrameBound] | None] = [
    None,
    (FrameBound(None), FrameBound(0)),
    (FrameBound(-2), FrameBound(1)),
    (FrameBound(None), FrameBound(None)),
    (FrameBound(-3), FrameBound(-2)),
    (FrameBound(1), FrameBound(None)),
]
RANKS = ("rank", "dense_rank", "percent_rank", "cume_dist")
RANK_TYPES = {"percent_rank": DOUBLE, "cume_dist": DOUBLE}
FRAMED = {"count": BIGINT, "sum": DataType(Kind.DECIMAL, 38, 2), "avg": DOUBLE, "min": DECIMAL, "max": DECIMAL}
ONE_ORDER = ("shop", "day", "n", "total", "share")


def total_order(scan: Relation, *, descending: bool = False, nulls_first: bool = False) -> tuple[SortKey, ...]:
    """By every column: the rows are distinct, so nothing is left to chance."""
    return tuple(SortKey(col(scan, name), descending, nulls_first) for name in ONE_ORDER)


@pytest.mark.parametrize("function", RANKS)
@pytest.mark.parametrize("order", ["n", "share", None])
def test_a_ranking_with_ties_is_duckdbs(function: str, order: str | None) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    keys = () if order is None else (SortKey(col(scan, order), descending=True),)
    made = WindowCall(function, (), (col(scan, "shop"),), keys)
    same_rows(*finished(Window(scan, (make.window(made, RANK_TYPES.get(function, BIGINT)),), True), table))


@pytest.mark.parametrize("frame", FRAMES, ids=str)
@pytest.mark.parametrize("function", [*FRAMED, "count_rows", "first_value", "last_value"])
def test_a_framed_function_is_duckdbs(function: str, frame: tuple[FrameBound, FrameBound] | None) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    arguments: tuple[Expression, ...] = () if function == "count_rows" else (col(scan, "total"),)
    made = WindowCall(function, arguments, (col(scan, "day"),), total_order(scan), frame)
    kind = BIGINT if function == "count_rows" else FRAMED.get(function, DECIMAL)
    same_rows(*finished(Window(scan, (make.window(made, kind),), True), table))


def test_the_default_frame_takes_ties_together() -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    made = WindowCall("sum", (col(scan, "total"),), (), (SortKey(col(scan, "n")),))
    same_rows(*finished(Window(scan, (make.window(made, FRAMED["sum"]),), True), table))


POSITIONS: list[tuple[str, tuple[Value, ...], DataType]] = [
    ("row_number", (), BIGINT),
    *(("ntile", (buckets,), BIGINT) for buckets in (1, 3, 7, 100, None)),
    *(
        (f, offset, DECIMAL)
        for f in ("lag", "lead")
        for offset in ((), (2,), (0,), (-1,), (1, Decimal("9.99")), (None,))
    ),
]


@pytest.mark.parametrize(("function", "rest", "kind"), POSITIONS, ids=str)
def test_a_position_is_duckdbs(function: str, rest: tuple[Value, ...], kind: DataType) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    literals = call("and", *rest).arguments
    arguments = (col(scan, "total"), *literals) if function in ("lag", "lead") else literals
    made = WindowCall(function, arguments, (col(scan, "shop"),), total_order(scan))
    same_rows(*finished(Window(scan, (make.window(made, kind),), True), table))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("nulls_first", [False, True])
@pytest.mark.parametrize(("count", "offset"), [(None, 0), (5, 0), (5, 3), (0, 0), (None, 10), (100, 100)])
def test_the_order_nulls_included_is_duckdbs(
    descending: bool, nulls_first: bool, count: int | None, offset: int
) -> None:
    make = PlanBuilder()
    scan, table = sales(make)
    ordered = Sort(scan, total_order(scan, descending=descending, nulls_first=nulls_first), True)
    mine, theirs = finished(Limit(ordered, count, offset, True), table)
    assert comparable(mine) == comparable(theirs)


def test_a_select_without_a_table_has_one_row() -> None:
    make = PlanBuilder()
    mine, theirs = finished(project(OneRow(), make.computed(call("add", 1, 2, type=BIGINT))), sales(make)[1])
    assert comparable(mine) == comparable(theirs) == [(("computed_0", 3),)]


def test_released_tables_join_on_keys_and_without_keys_each_with_each() -> None:
    make = PlanBuilder()
    left, table = sales(make)
    right = make.released("u", SALES)
    made = {f"c{f.id}": table.column(at) for at, f in enumerate(right.fields)}
    tables = {"t": ReleasedTable("t", table), "u": ReleasedTable("u", pa.table(made))}
    on_shop = inner_join(left, right, ("shop", "shop"))
    sizes = [table.column(0).to_pylist().count(shop) for shop in ("a", "b", "B")]
    assert MemoryEngine().run_final(final(on_shop), tables).rows.num_rows == sum(n * n for n in sizes)
    each = Join(left, right, JoinKind.INNER, (), True)
    assert MemoryEngine().run_final(final(each), tables).rows.num_rows == table.num_rows**2


def test_a_last_step_reaches_nothing_but_its_tables() -> None:
    scan = PlanBuilder().scan(CUSTOMERS)
    with pytest.raises(EngineError):
        MemoryEngine(rows_for(1)).run_final(final(scan), {})


# Files and claims


def read_back(source: FileSource) -> list[list[Value]]:
    make = PlanBuilder()
    scan = make.scan(source.dataset)
    keys = tuple(make.computed(Column(f)) for f in scan.fields)
    step = release(scan, keys, (make.measure("count_rows"),), units=scan.units)
    rows = MemoryEngine().run_private(step, {source.dataset.name: source}).rows
    return [list(row.values())[: len(keys)] for row in rows.to_pylist()]


def source(kind: str, *paths: Path, columns: Mapping[str, str] | None = None) -> FileSource:
    declared: Dataset = dataset(
        "retailer.customers", columns or {"user_id": "BIGINT", "since": "DATE", "spend": "DECIMAL(12,2)"}
    )
    return FileSource(declared, kind, tuple(map(str, paths)), "1")


def test_csv_is_read_by_the_declared_types_and_empty_is_null(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('user_id,since,spend,other\n1,2026-01-05,1.5,x\n2,"",,\n')
    found = read_back(source("csv", file))
    assert found == [[1, DAYS[1], Decimal("1.50")], [2, None, None]]


def test_parquet_is_read_file_after_file_in_the_declared_types(tmp_path: Path) -> None:
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for n, file in enumerate(files):
        table = pa.table({"spend": [Decimal("1.5")], "user_id": pa.array([n], pa.int16()), "since": [DAYS[n]]})
        pyarrow.parquet.write_table(table, file)
    assert read_back(source("parquet", *files)) == [[n, DAYS[n], Decimal("1.50")] for n in (0, 1)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("user_id,since\n1,2026-01-05\n", "source.schema_changed"),
        ("user_id,since,spend\n1,2026-01-05,much\n", "source.schema_changed"),
        ("user_id,since,spend\n1,2026-01-05\n", "source.unreadable"),
        ("", "source.unreadable"),
    ],
    ids=["column missing", "not of the type", "ragged", "empty"],
)
def test_a_file_that_is_not_what_was_declared_is_an_error_of_the_source(tmp_path: Path, text: str, code: str) -> None:
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(SourceError) as error:
        read_back(source("csv", file))
    assert error.value.code == code
    assert "much" not in error.value.message
    assert str(tmp_path) not in error.value.message


def test_a_truncated_or_missing_file_is_an_error_of_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    for name in ("a.parquet", "b.parquet"):
        with pytest.raises(SourceError):
            read_back(source("parquet", tmp_path / name))


CLAIMED: list[tuple[tuple[str, ...], bool, list[tuple[Value, Value]], bool]] = [
    (("user_id",), True, [(1, "a"), (2, "a")], True),
    (("user_id",), True, [(1, "a"), (1, "b")], False),
    (("user_id",), True, [(None, "a"), (None, "a")], True),
    (("user_id", "email"), True, [(1, "a"), (1, "b")], True),
    (("user_id", "email"), True, [(1, "a"), (1, "a")], False),
    (("user_id", "email"), True, [(1, None), (1, None)], True),
    (("user_id",), False, [(1, "a"), (1, None)], True),
    (("email",), False, [(1, "a"), (1, None)], False),
    (("email",), False, [], True),
]


@pytest.mark.parametrize(("columns", "unique", "values", "holds"), CLAIMED)
def test_a_claim_holds_or_is_broken(
    columns: tuple[str, ...], unique: bool, values: list[tuple[Value, Value]], holds: bool
) -> None:
    claim = Claim(CUSTOMERS.name, columns, unique)
    engine = MemoryEngine({CUSTOMERS.name: [{"user_id": user, "email": email} for user, email in values]})
    assert engine.broken([claim], {}) == (() if holds else (claim,))


def test_a_claim_about_a_dataset_that_is_not_there_is_an_error() -> None:
    with pytest.raises(EngineError):
        MemoryEngine().broken([Claim(CUSTOMERS.name, ("user_id",), True)], {})


def test_the_twin_is_an_engine_and_forgets_what_it_read_on_close(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("user_id,email\n1,a\n1,b\n")
    read_from = source("csv", file, columns={"user_id": "BIGINT", "email": "VARCHAR"})
    claim = Claim(CUSTOMERS.name, ("user_id",), True)
    engine: Engine = MemoryEngine()
    assert engine.broken([claim], {CUSTOMERS.name: read_from}) == (claim,)
    file.unlink()
    assert engine.broken([claim], {CUSTOMERS.name: read_from}) == (claim,)
    engine.close()
    with pytest.raises(SourceError):
        engine.broken([claim], {CUSTOMERS.name: read_from})


def test_the_twin_needs_no_duckdb() -> None:
    code = "import sys, cleanroom.engines.memory; sys.exit('duckdb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
