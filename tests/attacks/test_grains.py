"""Whatever function or comparison of a date is accepted at an owner's grain, it is one value throughout that grain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import duckdb
import pytest

from cleanroom.broker import judge_query
from cleanroom.domain.functions import EXTRACT_GRAINS, STRFTIME_GRAINS
from cleanroom.domain.grain import DECLARABLE_GRAINS, Grain
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.policy import Policy, Use
from cleanroom.domain.types import DATE, TIMESTAMP, DataType
from tests.fixtures import Fixture, request

ORDERS = DatasetName("retailer.orders")
MOMENTS = """
    SELECT TIMESTAMP '2025-12-20' + to_hours(7 * i::INT) + to_seconds((i % 5)::INT) AS ts FROM range(240) r(i)
    UNION ALL SELECT unnest([TIMESTAMP '2026-01-01', TIMESTAMP '2025-12-31 23:59:59.999999', TIMESTAMP '2026-02-01',
        TIMESTAMP '2026-01-05', TIMESTAMP '2026-01-04 23:59:59', TIMESTAMP '2026-01-01 10:30:30.25',
        TIMESTAMP '2026-01-01 10:30:30.75', TIMESTAMP '2026-01-01 10:30:00', TIMESTAMP '2026-01-01 10:00:00'])
"""
LITERALS = (
    "DATE '2026-01-01'",
    "DATE '2026-01-05'",
    "DATE '2026-01-04'",
    "'2026-01-15'",
    "TIMESTAMP '2026-02-01 00:00:00'",
    "TIMESTAMP '2026-01-01 10:30:30'",
    "TIMESTAMP '2026-01-31 12:00:00'",
    "'2026-01-01 10:30:30.5'",
)


def policy_at(policy: Policy, grain: Grain, kind: DataType) -> Policy:
    """The strict policy with orders' ts of that type, groupable and filterable at that grain, every function allowed."""
    rule, dataset = policy.rules[ORDERS], policy.datasets[ORDERS]
    use = Use(grain)
    columns = {**rule.columns, "ts": replace(rule.columns["ts"], group=use, filter=use)}
    functions = rule.functions | {"date_diff", "strftime", "nullif", "concat", "length", "substring", "trim"}
    typed = replace(dataset, columns=tuple(replace(c, type=kind) if c.name == "ts" else c for c in dataset.columns))
    return replace(
        policy,
        rules={**policy.rules, ORDERS: replace(rule, columns=columns, functions=functions)},
        datasets={**policy.datasets, ORDERS: typed},
    )


def readings() -> Iterator[str]:
    """Expressions over ts, up to two functions deep."""
    inner = ["ts", "CAST(ts AS DATE)", "CAST(ts AS TIMESTAMP)", "coalesce(ts, DATE '2026-01-15')"]
    inner += [f"date_trunc('{grain}', ts)" for grain in ("second", "day", "week", "month", "quarter", "year")]
    inner += ["nullif(ts, DATE '2026-01-15')", "CASE WHEN ts >= DATE '2026-01-01' THEN ts END"]
    outer = ["{}", "CAST({} AS VARCHAR)", "CAST({} AS DATE)"]
    outer += [f"date_trunc('{grain}', {{}})" for grain in DECLARABLE_GRAINS]
    outer += [f"EXTRACT({part} FROM {{}})" for part in EXTRACT_GRAINS]
    outer += [f"strftime({{}}, '%{d}')" for d in STRFTIME_GRAINS]
    outer += [
        f"strftime({{}}, '{text}')" for text in ("%V %Y", "%G-%V-%m", "%V%H", "%%%Y%%m", "%%%%d", "%Y%%%d", "%G %y")
    ]
    outer += [f"date_diff('{grain}', DATE '2025-12-31', {{}})" for grain in DECLARABLE_GRAINS]
    outer += [f"date_diff('{grain}', {{}}, TIMESTAMP '2026-01-14 13:00:00')" for grain in DECLARABLE_GRAINS]
    return (text.format(part) for text, part in product(outer, inner))


def comparisons() -> Iterator[str]:
    sides = (
        "ts",
        "CAST(ts AS DATE)",
        "date_trunc('week', ts)",
        "date_trunc('month', ts)",
        "coalesce(ts, DATE '2026-01-01')",
    )
    for side, literal in product(sides, LITERALS):
        yield from (f"{side} {sign} {literal}" for sign in ("=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM"))
        yield from (f"{literal} {sign} {side}" for sign in ("=", "<", "<=", ">", ">="))
        yield f"{side} IN ({literal}, DATE '2026-01-01')"
        yield f"{literal} IN ({side})"
        yield f"{side} BETWEEN {literal} AND DATE '2026-02-01'"
        yield f"{side} NOT BETWEEN DATE '2026-01-01' AND {literal}"
        yield f"CASE {side} WHEN {literal} THEN TRUE ELSE FALSE END"
        yield f"CASE WHEN {side} > {literal} THEN TRUE END IS NULL"
    yield from ("ts IS NULL", "ts = ts", "ts IN (ts)", "NOT ts IS NULL", "EXTRACT(year FROM ts) = '2026'")


def accepted(sql: str, policy: Policy) -> bool:
    return judge_query(request(sql), policy).approved


def splitting(expressions: list[str], grain: Grain, kind: DataType) -> list[str]:
    """The expressions that tell two moments of one grain apart. Said by the engine, of the analyst's own text."""
    cells: dict[object, list[set[object]]] = {}
    with duckdb.connect(config={"threads": "1"}) as connection:
        connection.execute(f"CREATE TABLE moments AS SELECT CAST(ts AS {kind}) AS ts FROM ({MOMENTS})")
        chosen = ", ".join([f"date_trunc('{grain}', ts)", *expressions])
        for cell, *values in connection.execute(f"SELECT {chosen} FROM moments").fetchall():
            seen = cells.setdefault(cell, [set() for _ in values])
            for values_of, value in zip(seen, values, strict=True):
                values_of.add(value)
    return [e for i, e in enumerate(expressions) if any(len(seen[i]) > 1 for seen in cells.values())]


@pytest.mark.parametrize("kind", [TIMESTAMP, DATE], ids=str)
@pytest.mark.parametrize("grain", DECLARABLE_GRAINS)
def test_an_accepted_group_key_is_one_value_throughout_the_grain(
    grain: Grain, kind: DataType, small_fixture: Fixture
) -> None:
    policy = policy_at(small_fixture.policy, grain, kind)
    keys = [e for e in readings() if accepted(f"SELECT {e} AS k, COUNT(*) FROM retailer.orders GROUP BY 1", policy)]
    assert keys
    assert splitting(keys, grain, kind) == []


@pytest.mark.parametrize("kind", [TIMESTAMP, DATE], ids=str)
@pytest.mark.parametrize("grain", DECLARABLE_GRAINS)
def test_an_accepted_condition_is_one_value_throughout_the_grain(
    grain: Grain, kind: DataType, small_fixture: Fixture
) -> None:
    policy = policy_at(small_fixture.policy, grain, kind)
    found = [e for e in comparisons() if accepted(f"SELECT COUNT(*) FROM retailer.orders WHERE {e}", policy)]
    assert found
    assert splitting(found, grain, kind) == []
