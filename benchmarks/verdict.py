"""Texts of the corpus → how long a verdict takes, beside sqlglot's own reading, qualifying and writing of the same text.

`python -m benchmarks.verdict verdict L091` does it once, in this new process, and prints the milliseconds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot.optimizer.qualify import qualify

from benchmarks.protected_over_plain import COLLABORATION, read_policy
from benchmarks.timing import Way, medians_ms, taken_ms
from cleanroom.broker import judge_query
from cleanroom.domain.policy import Policy
from cleanroom.domain.steps import ExecutablePlan
from cleanroom.rules import approve, judge
from cleanroom.sql import parse, resolve
from cleanroom.sql.parse import ParsedQuery
from cleanroom.sql.render import render_final, render_private
from tests.fixtures import cases, request

QUERIES = {"two tables": "L091", "three tables": "L121", "nested WITH": "V29"}
WARM_RUNS = 300
COLD_RUNS = 5


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians in milliseconds. Warm: over many runs of one process; cold: the first in each of several new ones.

    `parse_ms` and `resolve_ms`, `judge_ms` are parts of the warm verdict; `approve_ms` (with rendering) comes after it.
    """

    case: str
    warm_ms: float
    warm_sqlglot_ms: float
    cold_ms: float
    cold_sqlglot_ms: float
    parse_ms: float
    resolve_ms: float
    judge_ms: float
    approve_ms: float

    @property
    def warm_ratio(self) -> float:
        return self.warm_ms / self.warm_sqlglot_ms

    @property
    def cold_ratio(self) -> float:
        return self.cold_ms / self.cold_sqlglot_ms


def measure() -> Iterator[Figure]:
    """One figure a query, warm and cold, both ways in turn."""
    policy = read_policy()
    for case, name in QUERIES.items():
        sql = text_of(name)
        warm = medians_ms({way: make(sql, policy) for way, make in WAYS.items()} | parts_of(sql, policy), WARM_RUNS)
        cold = _cold(name)
        yield Figure(
            case=case,
            warm_ms=warm["verdict"],
            warm_sqlglot_ms=warm["sqlglot"],
            cold_ms=cold["verdict"],
            cold_sqlglot_ms=cold["sqlglot"],
            **{f"{part}_ms": warm[part] for part in ("parse", "resolve", "judge", "approve")},
        )


def _verdict(sql: str, policy: Policy) -> Way:
    asked = request(sql, COLLABORATION)
    return lambda: judge_query(asked, policy)


def _sqlglot(sql: str, policy: Policy) -> Way:
    """What a program does that only rewrites names: reads the text, resolves them by the schema, writes it again."""
    datasets = policy.datasets.values()
    schema: dict[str, object] = {
        owner: {
            d.name.removeprefix(f"{owner}."): {c.name: str(c.type) for c in d.columns}
            for d in datasets
            if d.partner == owner
        }
        for owner in {d.partner for d in datasets}
    }

    def way() -> str:
        tree = qualify(sqlglot.parse_one(sql, read="duckdb"), dialect="duckdb", schema=schema)
        return tree.sql(dialect="duckdb")

    return way


WAYS: dict[str, Callable[[str, Policy], Way]] = {"verdict": _verdict, "sqlglot": _sqlglot}


def parts_of(sql: str, policy: Policy) -> dict[str, Way]:
    """The steps of a verdict each alone, and what follows an approval."""
    asked, verdict = request(sql, COLLABORATION), judge_query(request(sql, COLLABORATION), policy)
    assert verdict.approved, verdict.findings
    parsed = parse(sql)
    assert isinstance(parsed, ParsedQuery)
    return {
        "parse": lambda: parse(sql),
        "resolve": lambda: resolve(parsed, verdict.policy, asked.submitted_at),
        "judge": lambda: judge(verdict.plan, (), verdict.policy, verdict.question),
        "approve": lambda: rendered(approve(verdict), policy),
    }


def rendered(plan: ExecutablePlan, policy: Policy) -> tuple[str, ...]:
    """The SQL of every step, the last one over released tables."""
    tables = {name: f"t{i}" for i, name in enumerate(policy.datasets)}
    private = (render_private(step, tables) for step in plan.steps)
    return (*private, render_final(plan.final, {step.table: step.table for step in plan.steps}))


def _cold(name: str) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(COLD_RUNS):
        for way, found in times.items():
            found.append(once_in_a_new_process(way, name))
    return {way: statistics.median(found) for way, found in times.items()}


def once_in_a_new_process(way: str, name: str) -> float:
    """The milliseconds of the first and only run; reading the modules and the policy is not in them."""
    command = [sys.executable, "-m", "benchmarks.verdict", way, name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def text_of(name: str) -> str:
    texts = {
        case["id"]: str(case["sql"]) for file in ("analyst_core.yaml", "analyst_advanced.yaml") for case in cases(file)
    }
    return texts[name]


if __name__ == "__main__":
    print(taken_ms(WAYS[sys.argv[1]](text_of(sys.argv[2]), read_policy())))
