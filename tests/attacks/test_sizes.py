"""Texts that are small as written and large once read: judged at once, refused by name, never by running out of stack."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from cleanroom.domain.steps import MOST_CONDITIONS
from cleanroom.sql.aggregation import MOST_MEASURES
from tests.fixtures import Fixture


def chained(levels: int, step: str, last: str, first: str = "SELECT region AS r FROM retailer.customers") -> str:
    """A chain of common table expressions t0, t1, … each `step` over the one before it."""
    tables = [f"t0 AS ({first})"] + [f"t{i} AS ({step.format(f't{i - 1}')})" for i in range(1, levels)]
    return f"WITH {', '.join(tables)} {last.format(f't{levels - 1}')}"


def nested(function: str, depth: int, argument: str) -> str:
    return f"{function}(" * depth + argument + ")" * depth


MOST_CALLS = 10_000_000  # under a second on one core; what grows with names written out is hundreds of millions
GROUPS = "SELECT region AS r, COUNT(*) AS n FROM retailer.customers GROUP BY region"
DOUBLED = "SELECT CASE WHEN r = 'a' THEN r ELSE r END AS r FROM {}"


def large() -> Iterator[str]:
    for levels, depth in ((10, 30), (50, 30), (60, 10), (90, 5)):
        yield chained(
            levels, f"SELECT {nested('upper', depth, 'r')} AS r FROM {{}}", "SELECT r, COUNT(*) FROM {} GROUP BY r"
        )
        yield chained(levels, f"SELECT {nested('abs', depth, 'n')} AS n FROM {{}}", "SELECT n FROM {}", GROUPS)
    yield chained(7, DOUBLED, "SELECT COUNT(*) FROM {} WHERE " + " AND ".join(["r = 'a'"] * 199))
    yield chained(12, DOUBLED, "SELECT COUNT(*) FROM {}")
    for function in ("COUNT(*) FILTER (WHERE r = '{}')", "SUM(CASE WHEN r = '{}' THEN 1 ELSE 0 END)"):
        yield chained(7, DOUBLED, "SELECT " + ", ".join(function.format(i) for i in range(50)) + " FROM {}")
    yield f"SELECT SUM({'CASE WHEN TRUE THEN ' * 30}1{' END' * 30}) FROM retailer.customers"
    yield f"SELECT SUM({'IF(TRUE, ' * 38}1{')' * 38}) FROM retailer.customers"
    yield chained(40, "SELECT 1 FROM {0} a, {0} b", "SELECT COUNT(*) FROM {}", "SELECT x FROM nowhere")
    yield chained(40, "SELECT 1 FROM {0} a, {0} b", "SELECT COUNT(*) FROM {}")
    yield chained(95, "SELECT n FROM {} WHERE n > 0 ORDER BY n LIMIT 9", "SELECT n FROM {}", GROUPS)
    yield f"SELECT {' + '.join(['1'] * 2400)} AS n FROM retailer.customers"
    yield f"SELECT COUNT(*) FROM retailer.customers WHERE {'NOT ' * 2000} region = 'a'"
    yield f"SELECT COUNT(*) FROM retailer.customers WHERE {' OR '.join(['(' * 30 + 'TRUE' + ')' * 30] * 70)}"
    yield f"SELECT COUNT(*) FROM {'(SELECT * FROM ' * 30}retailer.customers{')' * 30}"
    long = f"CASE {' '.join(['WHEN region = 1 THEN 2'] * 330)} END".replace("1", "'v'").replace("2", "'w'")
    often = " AND ".join("(" + " OR ".join(["a = 'x'"] * 100) + ")" for _ in range(5))
    yield f"SELECT COUNT(*), {long} AS a FROM retailer.customers WHERE {often}"
    yield f"SELECT {long} AS a, COUNT(*) FROM retailer.customers GROUP BY {', '.join(['a || region'] * 300)}"
    yield f"SELECT {long} AS a, COUNT(*) FROM retailer.customers GROUP BY {', '.join(f'a || {i}' for i in range(300))}"


def calls_of(work: Callable[[], object]) -> int:
    """How many Python functions the work calls: its size, on a machine however busy."""
    count = 0

    def counted(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("sql", list(large()), ids=lambda sql: str(len(sql)))
def test_a_text_that_grows_does_not_grow_the_work_beyond_bounds(sql: str, fixture: Fixture) -> None:
    assert calls_of(lambda: fixture.judge(sql)) < MOST_CALLS


@pytest.mark.parametrize("levels", [60, 90])
def test_expressions_that_build_upon_each_other_are_refused_past_a_depth(levels: int, fixture: Fixture) -> None:
    sql = chained(levels, f"SELECT {nested('upper', 10, 'r')} AS r FROM {{}}", "SELECT r, COUNT(*) FROM {} GROUP BY r")
    assert [f.code for f in fixture.judge(sql).findings] == ["sql.too_large"]


def test_no_more_aggregates_are_accepted_than_a_private_step_has_conditions(fixture: Fixture) -> None:
    many = " AND ".join(
        f"COUNT(DISTINCT CASE WHEN region = '{i}' THEN user_id END) > 0" for i in range(MOST_MEASURES + 1)
    )
    findings = fixture.judge(f"SELECT region FROM retailer.customers GROUP BY region HAVING {many}").findings
    assert MOST_MEASURES <= MOST_CONDITIONS
    assert "A SELECT may compute 60 aggregates." in {f.message for f in findings if f.code == "sql.too_large"}


def test_a_name_that_means_nothing_is_looked_into_once(fixture: Fixture) -> None:
    sql = chained(40, "SELECT 1 FROM {0} a, {0} b", "SELECT COUNT(*) FROM {}", "SELECT x FROM nowhere")
    assert {f.code for f in fixture.judge(sql).findings} == {"name.unknown"}
