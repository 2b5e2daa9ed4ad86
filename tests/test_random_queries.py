"""Whatever is accepted is sound and right: random queries over random tables, against the oracle of the semantics."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from cleanroom.broker import judge_query, run
from cleanroom.domain.policy import Policy
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import ExecutablePlan, PrivateStep, ReleasedTable
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import arrow_type
from cleanroom.release import release
from cleanroom.rules import approve
from tests.fixtures import Fixture, request, rows
from tests.oracle import Person, assert_differences, assert_others_unmoved, assert_sound, groups_of
from tests.random_queries import Rows, crowd, loosened, queries, tables
from tests.test_corpus import same

RARELY_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]


def files(data: Rows, policy: Policy, folder: Path) -> dict[object, FileSource]:
    """The tables as Parquet files of the declared types."""
    sources: dict[object, FileSource] = {}
    for name, dataset in policy.datasets.items():
        columns = {c.name: pa.array([row[c.name] for row in data[name]], arrow_type(c.type)) for c in dataset.columns}
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table(columns), path)
        sources[name] = FileSource(dataset, "parquet", (str(path),), "s")
    return sources


def released(step: PrivateStep, data: Rows) -> ReleasedTable:
    return release(MemoryEngine(data).run_private(step, {}))


def check(sql: str, data: Rows, policy: Policy, folder: Path) -> str:
    """Asserts all that is promised of one query; says how it ended."""
    verdict = judge_query(request(sql), policy)
    if not verdict.approved:
        assert verdict.findings
        return "refused: " + verdict.findings[0].code
    plan = approve(verdict)
    for step in plan.steps:
        assert_sound(step, released(step, data), data)
        assert_differences(step, released(step, data), groups_of(step, data))
        assert_a_change_of_one_person_moves_no_other(step, data)
    assert_engines_agree(plan, data, policy, folder)
    return "accepted"


def assert_a_change_of_one_person_moves_no_other(step: PrivateStep, data: Rows) -> None:
    for person in (Person("retailer.customers", "user_id", 1), Person("publisher.impressions", "email_sha256", "e1")):
        assert_others_unmoved(step, data, released, person, lambda _: None)


def assert_engines_agree(plan: ExecutablePlan, data: Rows, policy: Policy, folder: Path) -> None:
    engine = DuckDBEngine(EngineLimits(), scratch=folder)
    try:
        fast = rows(run(plan, engine, files(data, policy, folder)).rows)
    finally:
        engine.close()
    slow = rows(run(plan, MemoryEngine(data), {}).rows)
    assert same(fast, slow)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=RARELY_SLOW)
@given(sql=queries(), data=tables(), minimum=st.integers(2, 3))
def test_whatever_is_accepted_equals_the_oracle(
    sql: str, data: Rows, minimum: int, small_fixture: Fixture, tmp_path: Path
) -> None:
    event(check(sql, data, loosened(small_fixture.policy, minimum), tmp_path))


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=RARELY_SLOW)
@given(sql=queries(), data=st.integers(0, 2**32).map(crowd), minimum=st.integers(2, 3))
def test_whatever_is_accepted_over_a_crowd_equals_the_oracle(
    sql: str, data: Rows, minimum: int, small_fixture: Fixture, tmp_path: Path
) -> None:
    event(check(sql, data, loosened(small_fixture.policy, minimum), tmp_path))


@pytest.mark.long
@settings(max_examples=5_000, deadline=None, suppress_health_check=RARELY_SLOW)
@given(sql=queries(), data=tables() | st.integers(0, 2**32).map(crowd), minimum=st.integers(2, 3))
def test_whatever_is_accepted_equals_the_oracle_at_length(
    sql: str, data: Rows, minimum: int, small_fixture: Fixture, tmp_path: Path
) -> None:
    event(check(sql, data, loosened(small_fixture.policy, minimum), tmp_path))


def test_the_random_queries_are_neither_all_refused_nor_all_accepted(small_fixture: Fixture) -> None:
    ends = Counter[bool]()
    policy = loosened(small_fixture.policy, 2)

    @settings(max_examples=300, deadline=None, derandomize=True, database=None)
    @given(sql=queries())
    def count(sql: str) -> None:
        ends[judge_query(request(sql), policy).approved] += 1

    count()
    assert ends[True] > 60
    assert ends[False] > 30
