"""Random tables with NULLs and duplicates: what is released satisfies the oracle, and the oracle catches what must not be."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pytest

from cleanroom.domain.expression import Column, Value
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.steps import ConditionalCell, PrivateStep, RawTable, ReleasedTable
from cleanroom.domain.types import BIGINT, DOUBLE, HUGEINT, DataType, Kind
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import arrow_table
from cleanroom.release import release
from cleanroom.sql.render import render_private
from tests import oracle
from tests.plans import PlanBuilder, call, col, dataset, inner_join, where
from tests.plans import release as private_step

CUSTOMERS = dataset("retailer.customers", {"user_id": "BIGINT", "email": "VARCHAR", "region": "VARCHAR"})
ORDERS = dataset(
    "publisher.orders", {"email": "VARCHAR", "shop": "VARCHAR", "amount": "DECIMAL(12,2)"}, units=("email",)
)
K = 3
Run: TypeAlias = Callable[[PrivateStep, oracle.Datasets], ReleasedTable]


def random_rows(seed: int) -> oracle.Datasets:
    dice = random.Random(seed)
    emails = [f"e{n}" for n in range(20)]

    def maybe(value: Value) -> Value:
        return None if dice.random() < 0.2 else value

    customers = [
        {"user_id": maybe(n), "email": maybe(dice.choice(emails)), "region": maybe(dice.choice("ns"))}
        for n in range(30)
    ]
    orders = [
        {
            "email": maybe(dice.choice(emails)),
            "shop": maybe(dice.choice("ab")),
            "amount": maybe(Decimal(dice.randrange(500)).scaleb(-2)),
        }
        for _ in range(160)
    ]
    return {CUSTOMERS.name: customers, ORDERS.name: orders}


def joined_step(*, keys: bool = True) -> PrivateStep:
    """Orders by the customer's region, with sums and counts of nullable columns."""
    make = PlanBuilder()
    customers, orders = make.scan(CUSTOMERS), make.scan(ORDERS)
    joined = inner_join(customers, where(orders, call("ne", col(orders, "shop"), "z")), ("email", "email"))
    amount, region = col(orders, "amount"), col(customers, "region")
    rows = make.measure("count_rows")
    total = make.measure("sum", amount, DataType(Kind.DECIMAL, 38, 2))
    mean = make.measure("avg", amount, DOUBLE)
    in_a = call("eq", col(orders, "shop"), "a")
    people = make.measure("count_distinct", col(orders, "shop"), BIGINT, in_a)
    step = private_step(
        joined,
        (make.computed(region),) if keys else (),
        (rows, total, mean, people),
        units=(*customers.units, *orders.units),
        conditions=(call("not", call("is_null", amount)), in_a),
        distinct=(people,),
        minimum_units=K,
    )
    cells = (ConditionalCell(total, 0), ConditionalCell(mean, 0), ConditionalCell(people, 1))
    return replace(step, conditional=cells)


def by_duckdb(step: PrivateStep, datasets: oracle.Datasets) -> ReleasedTable:
    tables = {CUSTOMERS.name: "customers", ORDERS.name: "orders"}
    with duckdb.connect() as connection:
        for made in (CUSTOMERS, ORDERS):
            rows = datasets[made.name]
            columns = [(c.name, c.type, [row[c.name] for row in rows]) for c in made.columns]
            connection.register(tables[made.name], arrow_table(columns))
        return release(RawTable(step, connection.sql(render_private(step, tables)).to_arrow_table()))


def assert_sound(step: PrivateStep, released: ReleasedTable, datasets: oracle.Datasets, minimum: int = K) -> None:
    oracle.assert_tables_are_sound([(step.aggregate, released)], datasets, oracle.Terms(minimum))


def assert_others_unmoved(
    step: PrivateStep, datasets: oracle.Datasets, run: Run, who: oracle.Person, change: oracle.Change
) -> None:
    oracle.assert_others_unmoved(
        lambda rows: [(step.aggregate, run(step, rows))], datasets, who, change, oracle.Terms(K)
    )


def run(step: PrivateStep, datasets: oracle.Datasets) -> ReleasedTable:
    return release(MemoryEngine(datasets).run_private(step, {}))


@pytest.mark.parametrize("seed", range(60))
@pytest.mark.parametrize("keys", [True, False], ids=["groups", "one total"])
def test_what_is_released_satisfies_the_oracle(seed: int, keys: bool) -> None:
    step, datasets = joined_step(keys=keys), random_rows(seed)
    assert_sound(step, run(step, datasets), datasets)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("keys", [True, False], ids=["groups", "one total"])
def test_what_duckdb_counted_is_released_alike(seed: int, keys: bool) -> None:
    step, datasets = joined_step(keys=keys), random_rows(seed)
    released = by_duckdb(step, datasets)
    assert_sound(step, released, datasets)
    assert released.rows.select([0, 1]) == run(step, datasets).rows.select([0, 1])


def test_the_random_tables_show_and_withhold_rows_and_cells() -> None:
    tables = [run(joined_step(), random_rows(seed)).rows for seed in range(60)]
    cells = [value for table in tables for value in table.column(2).to_pylist()]
    assert 0 < sum(table.num_rows for table in tables) < 3 * len(tables)
    assert None in cells
    assert any(value is not None for value in cells)


@pytest.mark.parametrize("seed", range(10))
def test_one_person_moves_nobody_elses_cells(seed: int) -> None:
    step, datasets = joined_step(), random_rows(seed)

    def richer(row: Mapping[str, Value]) -> Mapping[str, Value]:
        return {**row, "amount": Decimal("9999.99"), "shop": "b"}

    for person in ("e0", "e1", "e2"):
        who = oracle.Person(ORDERS.name, "email", person)
        assert_others_unmoved(step, datasets, run, who, richer)
        assert_others_unmoved(step, datasets, run, who, lambda row: None)


# The oracle itself: what it must not let pass.


def shown(step: PrivateStep, datasets: oracle.Datasets, minimum_units: int) -> ReleasedTable:
    """What a release would show that used another threshold than the step's."""
    return run(replace(step, minimum_units=minimum_units), datasets)


def test_the_oracle_catches_a_small_group() -> None:
    step = joined_step()
    datasets = {name: rows[: 4 if name == CUSTOMERS.name else 60] for name, rows in random_rows(1).items()}
    with pytest.raises(AssertionError, match=r"a row of"):
        assert_sound(step, shown(step, datasets, 1), datasets)


def test_the_oracle_catches_a_source_that_was_not_counted() -> None:
    step = joined_step(keys=False)
    customers: list[Mapping[str, Value]] = [{"user_id": n, "email": "e0", "region": "n"} for n in range(9)]
    orders: list[Mapping[str, Value]] = [{"email": "e0", "shop": "a", "amount": Decimal(1)}]
    datasets: oracle.Datasets = {CUSTOMERS.name: customers, ORDERS.name: orders}
    with pytest.raises(AssertionError, match="a row of 9 user_id, 1 email"):
        assert_sound(step, run(replace(step, units=step.units[:1]), datasets), datasets)


def test_the_oracle_catches_a_small_atom() -> None:
    step = joined_step(keys=False)
    # All but one of the amounts are known: the difference of the two counts is that one person.
    customers: list[Mapping[str, Value]] = [{"user_id": n, "email": f"e{n}", "region": "n"} for n in range(9)]
    orders: list[Mapping[str, Value]] = [
        {"email": f"e{n}", "shop": "a", "amount": Decimal(n) if n else None} for n in range(9)
    ]
    datasets: oracle.Datasets = {CUSTOMERS.name: customers, ORDERS.name: orders}
    assert_sound(step, run(step, datasets), datasets)
    with pytest.raises(AssertionError, match="rests on 1"):
        assert_sound(step, shown(step, datasets, 1), datasets)


@pytest.mark.parametrize("column", [1, 2, 3, 4])
def test_the_oracle_catches_a_wrong_value(column: int) -> None:
    step, datasets = joined_step(), random_rows(2)
    table = run(step, datasets).rows
    wrong = pa.array([value and value + 1 for value in table.column(column).to_pylist()], table.column(column).type)
    broken = table.set_column(column, table.column_names[column], wrong)
    assert broken != table
    with pytest.raises(AssertionError, match="is true"):
        assert_sound(step, ReleasedTable("s0", broken), datasets)


def test_the_oracle_catches_a_hidden_count_that_was_left() -> None:
    step, datasets = joined_step(), random_rows(3)
    raw = MemoryEngine(datasets).run_private(step, {})
    with pytest.raises(AssertionError):
        assert_sound(step, ReleasedTable("s0", raw.rows), datasets)


def test_the_oracle_catches_a_group_that_was_held_back() -> None:
    step, datasets = joined_step(), random_rows(3)
    table = run(step, datasets).rows
    assert table.num_rows > 0
    with pytest.raises(AssertionError, match="not shown"):
        assert_sound(step, ReleasedTable("s0", table.slice(1)), datasets)


def test_the_oracle_catches_an_answer_that_looks_at_one_person() -> None:
    step, datasets = joined_step(keys=False), random_rows(3)
    who = oracle.Person(ORDERS.name, "email", "nobody")

    def leaking(private: PrivateStep, rows: oracle.Datasets) -> ReleasedTable:
        honest = run(private, rows).rows
        seen = any(row["email"] == "nobody" for row in rows[DatasetName("publisher.orders")])
        counted = pa.array([value + seen for value in honest.column(0).to_pylist()], honest.column(0).type)
        return ReleasedTable("s0", honest.set_column(0, honest.column_names[0], counted))

    watched = {**datasets, ORDERS.name: [*datasets[ORDERS.name], {"email": "nobody", "shop": "a", "amount": None}]}
    with pytest.raises(AssertionError, match="not behind"):
        assert_others_unmoved(step, watched, leaking, who, lambda row: None)


def test_the_key_of_a_group_may_be_a_wide_number() -> None:
    make = PlanBuilder()
    customers = make.scan(CUSTOMERS)
    wide = make.field("n", HUGEINT, call("add", col(customers, "user_id"), 0, type=HUGEINT))
    step = private_step(customers, (wide,), (make.measure("count_rows"),), units=customers.units, minimum_units=1)
    assert isinstance(wide.origin, type(call("add", Column(customers.units[0]), 0)))
    assert_sound(step, run(step, random_rows(1)), random_rows(1), minimum=1)
