"""One query over one scenario → how it ended. Whatever is accepted is held against the oracle, both engines and plain SQL."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.broker import judge_query, run
from cleanroom.domain.expression import SourceColumn, Value
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import scans
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import ExecutablePlan, ReleasedTable
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import arrow_type
from cleanroom.engines.memory_expressions import evaluate
from cleanroom.release import release
from cleanroom.rules import approve
from tests import oracle
from tests.fixtures import request, rows
from tests.random_tables import Rows, Scenario
from tests.test_corpus import same

COLLABORATION = "advanced"
ASKED_OF_DUCKDB = 3  # one answer in so many


def judged(sql: str, policy: Policy, collaboration: str = COLLABORATION) -> Verdict:
    return judge_query(request(sql, collaboration), policy)


def check(sql: str, scenario: Scenario, folder: Path, chance: random.Random, collaboration: str = COLLABORATION) -> str:
    """Asserts all that is promised of one query; "accepted", or the code of the first finding.

    The real engine, which takes longest by far, is asked now and then.
    """
    verdict = judged(sql, scenario.policy, collaboration)
    if not verdict.approved:
        assert verdict.findings, "refused without a reason"
        return verdict.findings[0].code
    plan = approve(verdict)
    oracle.assert_answer_is_sound(verdict, plan, scenario.data, released(plan, scenario.data))
    assert_a_change_of_one_person_moves_no_other(verdict, plan, scenario.data, chance)
    if not chance.randrange(ASKED_OF_DUCKDB):
        assert_engines_agree(plan, scenario, folder)
    return "accepted"


def released(plan: ExecutablePlan, data: Rows) -> Mapping[str, ReleasedTable]:
    """What each step of the plan releases, by the slow engine."""
    return {step.table: release(MemoryEngine(data).run_private(step, {})) for step in plan.steps}


def assert_a_change_of_one_person_moves_no_other(
    verdict: Verdict, plan: ExecutablePlan, data: Rows, chance: random.Random
) -> None:
    """The rows of one person, of any dataset, may go, or each become that of somebody else's."""
    name = chance.choice(verdict.datasets)
    column = verdict.policy.datasets[name].privacy_units[0]
    people = sorted({row[column] for row in data[name]} - {None}, key=str)
    if not people:
        return
    unique = {c for columns in verdict.policy.datasets[name].unique for c in columns}
    other = chance.choice(list(data[name]))
    swapped = {c: v for c, v in other.items() if c not in unique}
    change = chance.choice((lambda _: None, lambda row: {**row, **swapped}))
    oracle.assert_others_unmoved(
        lambda rows: oracle.shown_tables(verdict, plan, released(plan, rows)),
        data,
        oracle.Person(name, column, chance.choice(people)),
        change,
        oracle.terms_of(verdict),
    )


def files(data: Rows, policy: Policy, folder: Path) -> dict[DatasetName, FileSource]:
    """The tables as Parquet files of the declared types."""
    sources: dict[DatasetName, FileSource] = {}
    for name, dataset in policy.datasets.items():
        path = folder / f"{name}.parquet"
        pq.write_table(table_of(data, policy, name), path)
        sources[name] = FileSource(dataset, "parquet", (str(path),), "s")
    return sources


def table_of(data: Rows, policy: Policy, name: DatasetName) -> pa.Table:
    columns = policy.datasets[name].columns
    return pa.table({c.name: pa.array([row[c.name] for row in data[name]], arrow_type(c.type)) for c in columns})


def by_duckdb(plan: ExecutablePlan, scenario: Scenario, folder: Path) -> list[tuple[object, ...]]:
    engine = DuckDBEngine(EngineLimits(), scratch=folder)
    try:
        return rows(run(plan, engine, files(scenario.data, scenario.policy, folder)).rows)
    finally:
        engine.close()


def assert_engines_agree(plan: ExecutablePlan, scenario: Scenario, folder: Path) -> None:
    fast = by_duckdb(plan, scenario, folder)
    slow = rows(run(plan, MemoryEngine(scenario.data), {}).rows)
    assert same(fast, slow), f"the engines differ: DuckDB {fast}, in memory {slow}"


# --- against the analyst's own text --------------------------------------------------------------------------------


def _undefined_as_null(found: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The rows with no number where a number is not defined: a correlation without spread is NULL here."""
    return [tuple(None if isinstance(v, float) and math.isnan(v) else v for v in row) for row in found]


def assert_means_what_it_says(sql: str, scenario: Scenario, folder: Path) -> bool:
    """Where a single person is enough, the answer is that of the analyst's own text over the same rows.

    FALSE where that cannot be compared: a total of nobody is no row here, and NULL or 0 there.
    """
    open_rules = {
        name: replace(
            rule,
            minimum_units=1,
            small_groups=SmallGroups.DROP,
            columns={c: replace(use, minimum_units=None) for c, use in rule.columns.items()},
        )
        for name, rule in scenario.policy.rules.items()
    }
    policy = replace(scenario.policy, rules=open_rules)
    verdict = judged(sql, policy)
    if not verdict.approved:
        return False
    plan = approve(verdict)
    if any(not step.aggregate.keys for step in plan.steps) or _may_withhold(plan):
        return False
    ours = _undefined_as_null(by_duckdb(plan, replace(scenario, policy=policy), folder))
    theirs = _undefined_as_null(plain(sql, scenario.data, policy, verdict))
    assert same(ours, theirs), f"the text says {sorted(map(repr, theirs))}, the answer {sorted(map(repr, ours))}"
    return True


def _may_withhold(plan: ExecutablePlan) -> bool:
    """Whether a cell of nobody is withheld, which plain SQL shows as 0."""
    return any(step.conditions or step.removals or step.finer for step in plan.steps)


def plain(sql: str, data: Rows, policy: Policy, verdict: Verdict) -> list[tuple[object, ...]]:
    """The text run as it is over the rows that the owners let in."""
    assert verdict.plan is not None
    with duckdb.connect() as connection:
        for name in policy.datasets:
            schema, _, table = name.partition(".")
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            kept = [row for row in data[name] if _let_in(row, name, verdict)]
            connection.register("given", table_of({**data, name: kept}, policy, name))
            connection.execute(f"CREATE TABLE {schema}.{table} AS SELECT * FROM given")
            connection.unregister("given")
        return rows(connection.sql(sql).to_arrow_table())


def _let_in(row: Mapping[str, Value], name: DatasetName, verdict: Verdict) -> bool:
    assert verdict.plan is not None
    scan = next((s for s in scans(verdict.plan.root) if s.dataset == name), None)
    if scan is None:
        return True
    values = {f.id: row[f.origin.column] for f in scan.fields if isinstance(f.origin, SourceColumn)}
    allowed = scan.row_filter is None or evaluate(scan.row_filter, values) is True
    return allowed and all(values[unit.id] is not None for unit in scan.units)
