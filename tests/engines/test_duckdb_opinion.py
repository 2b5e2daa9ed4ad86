"""The binder's second opinion: what reads anything but the plan's columns is stopped before it runs."""

from __future__ import annotations

import pytest

from cleanroom.domain.errors import EngineError
from cleanroom.domain.expression import SortKey, WindowCall
from cleanroom.domain.plan import JoinKind
from cleanroom.domain.steps import Removal
from cleanroom.engines.duckdb_opinion import Twin, columns_read, require_reads_only
from cleanroom.sql.render import render_private
from tests.plans import PlanBuilder, call, col, dataset, inner_join, joined, per_unit, release, where, windowed

CUSTOMERS = dataset(
    "retailer.customers", {"user_id": "BIGINT", "region": "VARCHAR", "email": "VARCHAR", "consent": "BOOLEAN"}
)
TWINS = {
    "t0": Twin('"user_id" BIGINT, "region" VARCHAR, "email" VARCHAR', frozenset({"user_id", "region"})),
    "t1": Twin('"user_id" BIGINT, "secret" VARCHAR', frozenset({"user_id"})),
}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT region, count(DISTINCT user_id) FROM t0 GROUP BY 1",
        "SELECT count(t0.user_id) FROM t0 JOIN t1 ON (t0.user_id = t1.user_id) WHERE t0.region IN ('a', 'b')",
        "WITH b AS MATERIALIZED (SELECT region AS c FROM t0) SELECT x.c FROM b AS x LEFT JOIN b AS y ON (x.c = y.c)",
        "SELECT region, row_number() OVER (ORDER BY region) FROM t0 ORDER BY 1 LIMIT 5 OFFSET 2",
        "SELECT 1",
        "SELECT user_id, row_number() OVER (PARTITION BY user_id ORDER BY region) FROM t0",
        "SELECT l.region FROM t0 AS l ANTI JOIN t1 AS r ON (l.user_id = r.user_id)",
        "SELECT l.region, u FROM t0 AS l JOIN (SELECT user_id AS k, min(user_id) AS u FROM t1 GROUP BY 1) AS r"
        " ON (l.user_id = k)",
        "SELECT l.region, r.user_id FROM t0 AS l LEFT JOIN t1 AS r ON (l.user_id IS NOT DISTINCT FROM r.user_id)",
        "SELECT list_sort(list(DISTINCT region)), bool_or(user_id > 3) FROM t0 CROSS JOIN (SELECT count(user_id) FROM t1)",
    ],
)
def test_sql_that_reads_what_the_plan_reads_passes(sql: str) -> None:
    require_reads_only(sql, TWINS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT email FROM t0",
        "SELECT * FROM t0",
        "SELECT t0 FROM t0",
        "SELECT count(*) FILTER (WHERE email = 'x') FROM t0",
        "SELECT count(user_id) FROM t0 WHERE email IS NULL",
        "SELECT count(user_id) FROM t0 ORDER BY max(email)",
        "SELECT rowid FROM t0",
        "SELECT count(t0.user_id) FROM t0 JOIN t1 ON (t0.region = t1.secret)",
        "SELECT user_id FROM t0 WHERE EXISTS (SELECT 1 FROM t1 WHERE t1.secret = t0.region)",
        "SELECT l.region FROM t0 AS l ANTI JOIN t1 AS r ON (l.region = r.secret)",
        "SELECT l.region FROM t0 AS l SEMI JOIN t1 AS r ON (l.region = r.secret)",
        "SELECT user_id, row_number() OVER (PARTITION BY email) FROM t0",
        "SELECT user_id, first_value(region) OVER (PARTITION BY user_id ORDER BY email) FROM t0",
        "SELECT region, arg_min(region, email) FROM t0 GROUP BY 1",
        "SELECT user_id, (SELECT max(secret) FROM t1) FROM t0",
        "SELECT user_id FROM t0 INTERSECT SELECT user_id FROM t1",
        "SELECT user_id FROM t0 EXCEPT SELECT user_id FROM t1",
        "SELECT user_id FROM t2",
        "SELECT name FROM duckdb_settings()",
        "SELECT table_name FROM information_schema.tables",
        "SELECT * FROM range(5)",
        "SELECT unnest([1, 2])",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT user_id FROM query('SELECT * FROM t0')",
        "SELECT user_id FROM t0 UNION ALL SELECT user_id FROM t1",
        "SELECT DISTINCT user_id FROM t0",
        "SELECT user_id FROM t0 USING SAMPLE 3",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT a FROM r",
        "INSERT INTO t0 VALUES (1, 'a', 'b')",
        "DELETE FROM t0",
        "CREATE TABLE x AS SELECT user_id FROM t0",
        "COPY t0 TO '/tmp/x.csv'",
        "SET threads = 1",
        "SELECT user_id FROM t0; SELECT user_id FROM t1",
        "SELECT user_id FROM t0; DROP TABLE t0",
        "SELEC",
        "",
    ],
)
def test_sql_that_does_anything_else_is_unsafe(sql: str) -> None:
    with pytest.raises(EngineError) as failure:
        require_reads_only(sql, TWINS)
    assert failure.value.code == "engine.unsafe"


SETS = [
    "SELECT user_id FROM t0 UNION ALL SELECT user_id FROM t1",
    "SELECT user_id FROM t0 UNION SELECT user_id FROM t1",
    "(SELECT user_id FROM t0 INTERSECT SELECT user_id FROM t1) EXCEPT (SELECT 1)",
    "SELECT region FROM t0 LEFT JOIN (SELECT max(user_id) AS most FROM t1) AS m ON (TRUE)",
    "SELECT region FROM t0 FULL JOIN t1 ON (t0.user_id = t1.user_id)",
]


@pytest.mark.parametrize("sql", SETS)
def test_released_tables_may_be_put_together(sql: str) -> None:
    require_reads_only(sql, TWINS, released=True)


@pytest.mark.parametrize("sql", SETS[:3])
def test_rows_of_people_are_not_put_together(sql: str) -> None:
    with pytest.raises(EngineError):
        require_reads_only(sql, TWINS)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT user_id FROM t0 UNION SELECT secret FROM t1",
        "SELECT email FROM t0 EXCEPT SELECT region FROM t0",
        "SELECT user_id FROM t0 UNION ALL SELECT * FROM range(5)",
        "SELECT unnest([1, 2]) UNION SELECT 3",
        "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT a FROM r",
        "INSERT INTO t0 SELECT 1, 'a', 'b' UNION SELECT 2, 'a', 'b'",
    ],
)
def test_what_is_put_together_is_read_as_closely(sql: str) -> None:
    with pytest.raises(EngineError):
        require_reads_only(sql, TWINS, released=True)


def test_the_columns_of_a_step_are_those_that_anything_in_it_names() -> None:
    plan = PlanBuilder()
    left = plan.scan(CUSTOMERS, lambda s: call("eq", col(s, "consent"), True))
    right = plan.scan(
        dataset("publisher.views", {"viewer": "BIGINT", "mail": "VARCHAR", "x": "VARCHAR"}, units=("viewer",))
    )
    both = where(inner_join(left, right, ("email", "mail")), call("eq", col(left, "region"), "north"))
    units = (*left.units, *right.units)
    step = release(both, (), (plan.measure("count_rows"),), units=units)
    assert columns_read(step) == {
        "retailer.customers": {"user_id", "email", "consent", "region"},
        "publisher.views": {"viewer", "mail"},
    }
    some = plan.measure("count_rows", condition=call("eq", col(right, "x"), "a"))
    assert columns_read(release(both, (), (some,), units=units))["publisher.views"] == {"viewer", "mail", "x"}


def test_a_rendered_step_has_the_same_second_opinion_and_a_doctored_one_has_not() -> None:
    plan = PlanBuilder()
    scan = plan.scan(CUSTOMERS)
    key = plan.computed(col(scan, "region"))
    condition = call("not", call("is_null", col(scan, "consent")))
    step = release(
        scan, (key,), (plan.measure("count", col(scan, "consent")),), units=scan.units, conditions=(condition,)
    )
    columns = ", ".join(f'"{c.name}" {c.type}' for c in CUSTOMERS.columns)
    twins = {"t0": Twin(columns, columns_read(step)[CUSTOMERS.name])}
    sql = render_private(step, {CUSTOMERS.name: "t0"})
    require_reads_only(sql, twins)
    with pytest.raises(EngineError):
        require_reads_only(sql.replace('"region"', '"email"'), twins)


VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "mail": "VARCHAR", "x": "VARCHAR"}, units=("viewer",))


def test_columns_of_removals_and_of_other_key_sets_are_the_steps_own() -> None:
    plan = PlanBuilder()
    left, right = plan.scan(CUSTOMERS), plan.scan(VIEWS)
    key = plan.computed(col(left, "region"))
    units = (*left.units, *right.units)
    taken = joined(JoinKind.SEMI, left, where(right, call("eq", col(right, "x"), "a")), ("email", "mail"))
    step = release(left, (key,), units=left.units, removals=(Removal(taken, (key,), units),))
    assert columns_read(step) == {
        "retailer.customers": {"user_id", "region", "email"},
        "publisher.views": {"viewer", "mail", "x"},
    }
    crossing = release(
        left,
        (key,),
        units=left.units,
        finer=((key, plan.computed(col(left, "email"))),),
        beside=((plan.computed(col(left, "consent")),),),
    )
    assert columns_read(crossing) == {"retailer.customers": {"user_id", "region", "email", "consent"}}


def test_columns_of_per_unit_tables_and_windows_are_those_that_anything_in_them_names() -> None:
    plan = PlanBuilder()
    views = plan.scan(VIEWS)
    order = (SortKey(col(views, "x")),)
    numbered = windowed(views, plan.window(WindowCall("row_number", (), (col(views, "viewer"),), order)))
    first = plan.measure("arg_min", col(views, "viewer"), condition=call("eq", 1, 1), second=col(views, "mail"))
    table = per_unit(numbered, (plan.computed(col(views, "viewer")),), (first,))
    step = release(table, (), (plan.measure("count", col(table, "arg_min")),), units=views.units)
    assert columns_read(step) == {"publisher.views": {"viewer", "x", "mail"}}
