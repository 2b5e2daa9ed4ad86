"""Every form of a private step through the whole engine: it passes the second opinion, and is released as its twin's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from cleanroom.domain.expression import SortKey, WindowCall
from cleanroom.domain.plan import JoinKind, SetKind, SetOperation
from cleanroom.domain.policy import SmallGroups
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import PrivateStep, ReleasedTable, Removal
from cleanroom.domain.types import BIGINT, DOUBLE, VARCHAR
from cleanroom.engines.duckdb import DuckDBEngine, EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.release import release as released
from tests.plans import PlanBuilder, call, col, dataset, final, joined, literal, per_unit, release, where, windowed

VISITS = dataset("publisher.visits", {"user_id": "BIGINT", "site": "VARCHAR", "kind": "VARCHAR", "spent": "DOUBLE"})
BUYERS = dataset("retailer.buyers", {"buyer": "BIGINT", "shop": "VARCHAR"}, units=("buyer",))
LIMITS = EngineLimits(memory_bytes=512 * 1024**2, threads=2, spill_bytes=64 * 1024**2, max_result_rows=1000)
VISIT_ROWS = (
    "SELECT (i * 7 % 23)::BIGINT AS user_id, nullif('s' || (i % 3), 's2') AS site, 'k' || (i % 4) AS kind,"
    " CASE WHEN i % 29 = 0 THEN 'nan'::DOUBLE WHEN i % 5 > 0 THEN (i % 11)::DOUBLE END AS spent FROM range(120) t(i)"
)
BUYER_ROWS = "SELECT (i * 2)::BIGINT AS buyer, 'h' || (i % 2) AS shop FROM range(9) t(i)"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(LIMITS, scratch=tmp_path)
    yield engine
    engine.close()


def _forms() -> dict[str, PrivateStep]:
    plan = PlanBuilder()
    visits, buyers = plan.scan(VISITS), plan.scan(BUYERS)
    user = col(visits, "user_id")
    site, kind = (plan.computed(col(visits, name)) for name in ("site", "kind"))
    rows, kinds = plan.measure("count_rows"), plan.measure("count_distinct", col(visits, "kind"))
    spread = plan.measure("stddev", col(visits, "spent"), DOUBLE)
    both = (*visits.units, *buyers.units)
    match = ("user_id", "buyer")
    semi, anti, left = (joined(k, visits, buyers, match) for k in (JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT))
    conditions = (call("eq", col(buyers, "shop"), "h0"),)
    number = plan.window(
        WindowCall("row_number", (), (user,), (SortKey(col(visits, "kind")), SortKey(col(visits, "site"))))
    )
    firsts = windowed(visits, number)
    often = plan.measure("count_rows")
    latest = plan.measure("arg_max", col(visits, "site"), VARCHAR, second=col(visits, "kind"))
    table = per_unit(visits, (plan.computed(user),), (often, latest))
    of_often, of_latest = plan.computed(col(table, "count_rows")), plan.computed(col(table, "arg_max"))
    removal = Removal(semi, (site,), both)
    return {
        "semi-join": release(semi, (site,), (rows, spread), units=both, minimum_units=3),
        "anti-join": release(anti, (site,), (rows,), units=visits.units, minimum_units=3, removals=(removal,)),
        "left join": release(left, (site,), (rows,), units=both, minimum_units=3, optional=buyers.units),
        "conditions": release(
            left,
            (site,),
            (rows, kinds),
            units=both,
            minimum_units=3,
            optional=buyers.units,
            conditions=conditions,
            distinct=(kinds,),
        ),
        "pooled": release(
            visits, (site, kind), (rows, kinds), units=visits.units, minimum_units=10, small_groups=SmallGroups.POOL
        ),
        "rollup": release(
            visits, (), (rows, kinds), units=visits.units, minimum_units=9, finer=((site, kind), (site,))
        ),
        "cube": release(
            visits, (site,), (rows,), units=visits.units, minimum_units=3, finer=((site, kind),), beside=((kind,),)
        ),
        "first rows": release(
            where(firsts, call("eq", col(firsts, "row_number"), 1)), (kind,), (rows,), units=visits.units
        ),
        "per-unit": release(table, (of_often, of_latest), (plan.measure("count_rows"),), units=visits.units),
    }


FORMS = _forms()


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_computed_and_released_as_its_in_memory_twin(name: str, engine: DuckDBEngine, tmp_path: Path) -> None:
    sources = {}
    given = {}
    for of, query in ((VISITS, VISIT_ROWS), (BUYERS, BUYER_ROWS)):
        path = tmp_path / f"{of.name}.parquet"
        duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
        sources[of.name] = FileSource(of, "parquet", (str(path),), "snapshot")
        given[of.name] = duckdb.connect().sql(query).to_arrow_table().to_pylist()
    used = {of: source for of, source in sources.items() if name not in ("first rows", "per-unit") or of == VISITS.name}
    found = released(engine.run_private(FORMS[name], used)).rows
    twin = released(MemoryEngine(given).run_private(FORMS[name], {})).rows
    assert found.column_names == twin.column_names
    assert words(found) == words(twin)
    assert found.num_rows


def words(table: pa.Table) -> list[list[str]]:
    """The rows in an order of their own, floating numbers to ten digits."""

    def word(value: Any) -> str:
        return f"{value:.10g}" if isinstance(value, float) else repr(value)

    return sorted([word(value) for value in row.values()] for row in table.to_pylist())


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (SetKind.UNION_ALL, [1.0, 1.5, 2.0, 2.0, None]),
        (SetKind.UNION, [1.0, 1.5, 2.0, None]),
        (SetKind.INTERSECT, [2.0]),
        (SetKind.EXCEPT, [1.0]),
    ],
)
def test_released_tables_are_put_together(kind: SetKind, expected: list[Any], engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    one, other = plan.released("a", {"n": "BIGINT"}), plan.released("b", {"x": "DOUBLE"})
    tables = {
        "a": ReleasedTable("a", pa.table({"c1": pa.array([1, 2], pa.int64())})),
        "b": ReleasedTable("b", pa.table({"c2": pa.array([2.0, 1.5, None])})),
    }
    together = SetOperation((one, other), kind, (plan.field("n", DOUBLE, literal(None)),))
    for run_by in (engine, MemoryEngine()):
        rows = run_by.run_final(final(together), tables).rows.column(0).to_pylist()
        assert sorted(rows, key=lambda value: (value is None, value)) == expected


def test_a_scalar_without_a_row_is_null_beside_every_row(engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    one, other = plan.released("a", {"n": "BIGINT"}), plan.released("b", {"m": "BIGINT"})
    tables = {
        "a": ReleasedTable("a", pa.table({"c1": pa.array([1, 2], pa.int64())})),
        "b": ReleasedTable("b", pa.table({"c2": pa.array([5], pa.int64())})),
    }
    none = where(other, call("gt", col(other, "m"), literal(9), type=BIGINT))
    for run_by in (engine, MemoryEngine()):
        rows = run_by.run_final(final(joined(JoinKind.LEFT, one, none)), tables).rows.to_pylist()
        assert sorted(tuple(row.values()) for row in rows) == [(1, None), (2, None)]
