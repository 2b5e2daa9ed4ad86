"""Generated partners → what protection costs: the rendered query with its hidden counts over plain SQL for the same answer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Dataset
from cleanroom.domain.steps import PrivateStep
from cleanroom.domain.types import DOUBLE, TIMESTAMP
from cleanroom.sql.render import render_private
from tests.plans import PlanBuilder, call, col, dataset, inner_join, release, typed, where

ROWS = {"small": 1_000_000, "full": 20_000_000}
MINIMUM_UNITS = 50
THREADS = 2

IMPRESSIONS = dataset(
    "publisher.impressions", {"user_id": "BIGINT", "campaign": "VARCHAR", "day": "DATE", "cost": "DECIMAL(12,4)"}
)
ORDERS = dataset("retailer.orders", {"user_id": "BIGINT", "region": "VARCHAR", "amount": "DECIMAL(12,2)"})
TABLES = {DatasetName("publisher.impressions"): "impressions", DatasetName("retailer.orders"): "orders"}


@dataclass(frozen=True, slots=True)
class Case:
    """A query twice: as an analyst with free access would write it, and as the step that protects it."""

    name: str
    plain: str
    step: PrivateStep


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the repeats of one run, in milliseconds, and their ratio."""

    case: str
    plain_ms: float
    protected_ms: float

    @property
    def ratio(self) -> float:
        return self.protected_ms / self.plain_ms


def cases() -> Iterator[Case]:
    yield Case(
        "scan, group by campaign",
        "SELECT campaign, count(*), sum(cost) FROM impressions GROUP BY 1",
        _scan("campaign"),
    )
    yield Case(
        "scan, group by month",
        "SELECT date_trunc('month', day), count(*), sum(cost) FROM impressions GROUP BY 1",
        _scan("month"),
    )
    yield Case(
        "join of two, group by campaign and region",
        "SELECT campaign, region, count(DISTINCT i.user_id) FROM impressions i JOIN orders o USING (user_id)"
        " WHERE region <> 'north' GROUP BY 1, 2",
        _join(),
    )
    yield Case(
        "conditional, average of a column with NULLs",
        "SELECT region, avg(amount), count(DISTINCT user_id) FROM orders GROUP BY 1",
        _conditional(),
    )


def _scan(by: str) -> PrivateStep:
    plan = PlanBuilder()
    scan = plan.scan(IMPRESSIONS)
    month = call("date_trunc", "month", col(scan, "day"), type=TIMESTAMP)
    key = plan.computed(month if by == "month" else col(scan, by))
    measures = (plan.measure("count_rows"), plan.measure("sum", col(scan, "cost"), typed("DECIMAL(38,4)")))
    return release(scan, (key,), measures, units=scan.units, minimum_units=MINIMUM_UNITS)


def _join() -> PrivateStep:
    plan = PlanBuilder()
    seen, bought = plan.scan(IMPRESSIONS), plan.scan(ORDERS)
    both = where(inner_join(seen, bought, ("user_id", "user_id")), call("ne", col(bought, "region"), "north"))
    keys = (plan.computed(col(seen, "campaign")), plan.computed(col(bought, "region")))
    people = plan.measure("count_distinct", col(seen, "user_id"))
    # The join makes both units equal, so that an approved step counts one of them.
    return release(both, keys, (people,), units=seen.units, minimum_units=MINIMUM_UNITS)


def _conditional() -> PrivateStep:
    plan = PlanBuilder()
    scan = plan.scan(ORDERS)
    measures = (
        plan.measure("avg", col(scan, "amount"), DOUBLE),
        plan.measure("count_distinct", col(scan, "user_id")),
    )
    spent = call("not", call("is_null", col(scan, "amount")))
    key = plan.computed(col(scan, "region"))
    return release(scan, (key,), measures, units=scan.units, conditions=(spent,), minimum_units=MINIMUM_UNITS)


def measure(size: str, folder: Path, *, repeats: int = 7) -> list[Figure]:
    """Every case, both ways in turn, over Parquet files that are made in `folder`."""
    connection = duckdb.connect(config={"threads": str(THREADS)})
    for of, query in _generated(ROWS[size]):
        file = folder / f"{TABLES[of.name]}.parquet"
        connection.execute(f"COPY ({query}) TO '{file}' (FORMAT parquet)")
        connection.execute(f"CREATE VIEW {TABLES[of.name]} AS SELECT * FROM read_parquet('{file}')")
    return [_figure(connection, case, repeats) for case in cases()]


def _figure(connection: duckdb.DuckDBPyConnection, case: Case, repeats: int) -> Figure:
    protected = render_private(case.step, TABLES)
    times: dict[str, list[float]] = {case.plain: [], protected: []}
    for _ in range(repeats + 1):
        for sql, taken in times.items():
            started = time.perf_counter()
            connection.execute(sql).fetchall()
            taken.append((time.perf_counter() - started) * 1000)
    plain_ms, protected_ms = (statistics.median(taken[1:]) for taken in times.values())
    return Figure(case.name, plain_ms, protected_ms)


def _generated(rows: int) -> Iterator[tuple[Dataset, str]]:
    """Impressions by skewed people and campaigns, a fifth as many orders, a tenth of whose amounts are NULL."""
    people = rows // 10
    yield (
        IMPRESSIONS,
        f"SELECT (hash(i) % {people} * (hash(i + 1) % 1000) // 1000)::BIGINT AS user_id,"
        " 'campaign ' || floor(sqrt(hash(i + 2) % 40000))::INT AS campaign,"
        " DATE '2026-01-01' + (hash(i + 3) % 365)::INT AS day, (hash(i + 4) % 5000 / 1000)::DECIMAL(12,4) AS cost"
        f" FROM range({rows}) t(i)",
    )
    yield (
        ORDERS,
        f"SELECT (hash(i + 5) % {people})::BIGINT AS user_id,"
        " ['north', 'south', 'east', 'west'][(hash(i + 6) % 4 + 1)::INT] AS region,"
        " CASE WHEN hash(i + 7) % 10 > 0 THEN (hash(i + 8) % 20000 / 100)::DECIMAL(12,2) END AS amount"
        f" FROM range({rows // 5}) t(i)",
    )
