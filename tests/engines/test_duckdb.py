"""The DuckDB engine over real files: answers, schemas that do not fit, limits, and what is left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from cleanroom.domain.errors import EngineError, SourceError
from cleanroom.domain.expression import SortKey
from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.plan import Limit, Sort
from cleanroom.domain.policy import Dataset
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import Claim, PrivateStep, ReleasedTable
from cleanroom.domain.types import BIGINT, DOUBLE
from cleanroom.engines.duckdb import DuckDBEngine, EngineLimits
from tests.plans import PlanBuilder, call, col, dataset, final, inner_join, literal, project, release

ORDERS = dataset("retailer.orders", {"user_id": "BIGINT", "shop": "VARCHAR", "amount": "DECIMAL(12,2)"})
VIEWS = dataset("publisher.views", {"viewer": "BIGINT", "campaign": "VARCHAR"}, units=("viewer",))
LIMITS = EngineLimits(memory_bytes=512 * 1024**2, threads=2, spill_bytes=64 * 1024**2, max_result_rows=1000)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def engine(scratch: Path) -> Iterator[DuckDBEngine]:
    engine = DuckDBEngine(LIMITS, scratch=scratch)
    yield engine
    engine.close()
    assert list(scratch.iterdir()) == []


def parquet(path: Path, query: str) -> str:
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return str(path)


def source(of: Dataset, *paths: str, format: str = "parquet") -> FileSource:
    return FileSource(of, format, paths, "snapshot")


@pytest.fixture
def orders(tmp_path: Path) -> FileSource:
    query = (
        "SELECT (i % 40)::BIGINT AS user_id, CASE WHEN i % 3 = 0 THEN 'a' ELSE 'b' END AS shop,"
        " (i / 100)::DECIMAL(12,2) AS amount, 'never read' AS notes FROM range(120) t(i)"
    )
    return source(ORDERS, parquet(tmp_path / "orders.parquet", query))


def count_by_shop(of: Dataset = ORDERS, **options: int) -> PrivateStep:
    plan = PlanBuilder()
    scan = plan.scan(of)
    key = plan.computed(col(scan, scan.fields[1].name))
    measures = (plan.measure("count_rows"), plan.measure("sum", col(scan, scan.fields[0].name)))
    return release(scan, (key,), measures, units=scan.units, **options)


def rows(table: pa.Table) -> list[tuple[object, ...]]:
    return sorted(tuple(row.values()) for row in table.to_pylist())


def test_a_private_step_answers_with_its_documented_columns(engine: DuckDBEngine, orders: FileSource) -> None:
    raw = engine.run_private(count_by_shop(), {ORDERS.name: orders})
    assert raw.rows.schema.names == ["c4", "c5", "c6", "n0"]
    assert [str(t) for t in raw.rows.schema.types] == ["string", "int64", "decimal128(38, 0)", "int64"]
    assert rows(raw.rows) == [("a", 40, Decimal(780), 40), ("b", 80, Decimal(1560), 40)]


def test_two_sources_are_joined(engine: DuckDBEngine, orders: FileSource, tmp_path: Path) -> None:
    path = parquet(tmp_path / "v.parquet", "SELECT i::BIGINT AS viewer, 'x' AS campaign FROM range(5) t(i)")
    plan = PlanBuilder()
    left, right = plan.scan(ORDERS), plan.scan(VIEWS)
    joined = inner_join(left, right, ("user_id", "viewer"))
    step = release(joined, (), (plan.measure("count_rows"),), units=(*left.units, *right.units))
    sources = {ORDERS.name: orders, VIEWS.name: source(VIEWS, path)}
    assert rows(engine.run_private(step, sources).rows) == [(15, 5, 5)]


@pytest.mark.parametrize("keyed", [True, False])
def test_a_conditional_step_passes_the_second_opinion(
    engine: DuckDBEngine, orders: FileSource, tmp_path: Path, keyed: bool
) -> None:
    path = parquet(tmp_path / "v.parquet", "SELECT i::BIGINT AS viewer, 'a' AS campaign FROM range(5) t(i)")
    plan = PlanBuilder()
    left, right = plan.scan(ORDERS), plan.scan(VIEWS)
    joined = inner_join(left, right, ("shop", "campaign"))
    people = plan.measure("count_distinct", col(joined, "viewer"))
    step = release(
        joined,
        (plan.computed(col(joined, "shop")),) if keyed else (),
        (plan.measure("sum", col(joined, "amount")), people),
        units=(*left.units, *right.units),
        conditions=(call("not", call("is_null", col(joined, "amount"))),),
        distinct=(people,),
    )
    (row,) = engine.run_private(step, {ORDERS.name: orders, VIEWS.name: source(VIEWS, path)}).rows.to_pylist()
    assert list(row.values())[-8:] == [40, 5, 40, 40, 40, 5, 5, 5]


def test_claims_hold_or_are_broken(engine: DuckDBEngine, orders: FileSource) -> None:
    held = [Claim(ORDERS.name, ("user_id",), unique=False), Claim(ORDERS.name, ("user_id", "amount"), unique=True)]
    broken = [Claim(ORDERS.name, ("user_id",), unique=True)]
    assert engine.broken(held + broken, {ORDERS.name: orders}) == tuple(broken)
    assert engine.broken([], {}) == ()


def test_a_claim_or_step_about_a_dataset_without_source_is_an_error(engine: DuckDBEngine, orders: FileSource) -> None:
    with pytest.raises(SourceError, match="no source"):
        engine.broken([Claim(VIEWS.name, ("viewer",), unique=True)], {ORDERS.name: orders})
    with pytest.raises(SourceError, match="no source"):
        engine.run_private(count_by_shop(VIEWS), {ORDERS.name: orders})


def test_the_last_step_runs_over_released_tables_in_the_analysts_order_and_names(engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    scan = plan.released("s0", {"shop": "VARCHAR", "total": "HUGEINT"})
    double = plan.computed(call("multiply", col(scan, "total"), 2, type=BIGINT))
    by = Sort(scan, (SortKey(col(scan, "total"), descending=True),), released=True)
    step = final(project(Limit(by, 2, 0, released=True), plan.computed(col(scan, "shop"), 'q" --'), double))
    table = pa.table({"c1": ["a", "b", "c"], "c2": pa.array([1, 3, 2], pa.decimal128(38, 0))})
    result = engine.run_final(step, {"s0": ReleasedTable("s0", table)})
    assert result.rows.schema.names == ['q" --_0', "computed_1"]
    assert [tuple(r.values()) for r in result.rows.to_pylist()] == [("b", 6), ("c", 4)]


def test_the_order_of_an_unordered_answer_says_nothing_of_how_it_was_computed(engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    scan = plan.released("s0", {"shop": "VARCHAR", "n": "BIGINT"})
    step = final(Limit(project(scan, plan.computed(col(scan, "shop"))), 3, 0, released=True))
    names = ["d", "b", None, "a", "c"]
    for shuffled in (names, names[::-1], sorted(names, key=str)):
        table = ReleasedTable("s0", pa.table({"c1": shuffled, "c2": [1] * 5}))
        assert engine.run_final(step, {"s0": table}).rows.column(0).to_pylist() == ["a", "b", "c"]


def test_an_empty_released_table_keeps_its_types(engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    scan = plan.released("s0", {"shop": "VARCHAR", "n": "BIGINT"})
    empty = pa.table({"c1": pa.array([], pa.string()), "c2": pa.array([], pa.int64())})
    result = engine.run_final(final(scan), {"s0": ReleasedTable("s0", empty)})
    assert [str(t) for t in result.rows.schema.types] == ["string", "int64"]


FITS = [
    ("1::TINYINT", "BIGINT"),
    ("1::INTEGER", "BIGINT"),
    ("1::UINTEGER", "BIGINT"),
    ("1::UTINYINT", "SMALLINT"),
    ("1::FLOAT", "DOUBLE"),
    ("1::DECIMAL(10,2)", "DECIMAL(12,2)"),
    ("1::DECIMAL(10,2)", "DECIMAL(12,4)"),
    ("TIMESTAMP_MS '2026-01-01 00:00:00'", "TIMESTAMP"),
    ("'x'", "VARCHAR"),
    ("true", "BOOLEAN"),
    ("DATE '2026-01-01'", "DATE"),
]
DOES_NOT_FIT = [
    ("1::BIGINT", "INTEGER"),
    ("1::UBIGINT", "BIGINT"),
    ("1::UINTEGER", "INTEGER"),
    ("1::HUGEINT", "BIGINT"),
    ("1::DOUBLE", "FLOAT"),
    ("1::BIGINT", "DOUBLE"),
    ("1::BIGINT", "VARCHAR"),
    ("'1'", "BIGINT"),
    ("'2026-01-01'", "DATE"),
    ("1::DECIMAL(12,2)", "DECIMAL(10,2)"),
    ("1::DECIMAL(12,4)", "DECIMAL(12,2)"),
    ("1::DECIMAL(12,2)", "DECIMAL(13,4)"),
    ("1::DECIMAL(12,2)", "DOUBLE"),
    ("TIMESTAMP_NS '2026-01-01 00:00:00'", "TIMESTAMP"),
    ("TIMESTAMP '2026-01-01 00:00:00'", "DATE"),
    ("'x'::BLOB", "VARCHAR"),
    ("[1]", "BIGINT"),
    ("{'a': 1}", "VARCHAR"),
]


def read_one(engine: DuckDBEngine, path: str, declared: str, format: str = "parquet") -> None:
    of = dataset("retailer.odd", {"x": declared, "other": "VARCHAR"}, units=("x",))
    plan = PlanBuilder()
    scan = plan.scan(of)
    step = release(scan, (), (plan.measure("count", col(scan, "x")),), units=scan.units)
    assert rows(engine.run_private(step, {of.name: source(of, path, format=format)}).rows) == [(1, 1)]


@pytest.mark.parametrize(("written", "declared"), FITS)
def test_a_file_type_that_the_declared_type_holds_is_read(
    engine: DuckDBEngine, tmp_path: Path, written: str, declared: str
) -> None:
    read_one(engine, parquet(tmp_path / "x.parquet", f"SELECT {written} AS x, 'o' AS other"), declared)


@pytest.mark.parametrize(("written", "declared"), DOES_NOT_FIT)
def test_a_file_of_another_schema_is_refused(engine: DuckDBEngine, tmp_path: Path, written: str, declared: str) -> None:
    path = parquet(tmp_path / "x.parquet", f"SELECT {written} AS x, 'o' AS other")
    with pytest.raises(SourceError) as failure:
        read_one(engine, path, declared)
    assert failure.value.code == "source.schema_changed"


def test_a_source_that_failed_once_fails_again(engine: DuckDBEngine, tmp_path: Path, orders: FileSource) -> None:
    odd = source(VIEWS, parquet(tmp_path / "v.parquet", "SELECT 'x' AS viewer"))
    for _ in range(2):
        with pytest.raises(SourceError):
            engine.run_private(count_by_shop(), {VIEWS.name: odd, ORDERS.name: orders})
    assert engine.run_private(count_by_shop(), {ORDERS.name: orders}).rows.num_rows == 2


def test_one_odd_file_among_many_is_found(engine: DuckDBEngine, orders: FileSource, tmp_path: Path) -> None:
    narrow = "SELECT 1::INTEGER AS user_id, 'z' AS shop, 1::DECIMAL(5,2) AS amount"
    fits = parquet(tmp_path / "narrow.parquet", narrow)
    both = source(ORDERS, *orders.paths, fits)
    assert [row[:2] for row in rows(engine.run_private(count_by_shop(), {ORDERS.name: both}).rows)][-1] == ("z", 1)
    odd = parquet(tmp_path / "odd.parquet", "SELECT '1' AS user_id, 'z' AS shop, 1::DECIMAL(5,2) AS amount")
    missing = parquet(
        tmp_path / "missing.parquet", "SELECT 1::BIGINT AS user_id, 'z' AS Shop, 1::DECIMAL(5,2) AS amount"
    )
    for path in (odd, missing):
        with pytest.raises(SourceError) as failure:
            engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, *orders.paths, path)})
        assert failure.value.code == "source.schema_changed"


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def torn_in_the_middle(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 60 + content[64:])


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (truncated, "source.unreadable"),
    (torn_in_the_middle, "source.unreadable"),
    (lambda path: path.write_bytes(b""), "source.unreadable"),
    (lambda path: path.write_bytes(b"PAR1 not really PAR1"), "source.unreadable"),
    (lambda path: path.unlink(), "source.missing"),
]


@pytest.mark.parametrize(("harm", "code"), BROKEN)
def test_a_file_that_does_not_read_is_a_code_without_text(
    engine: DuckDBEngine, orders: FileSource, harm: Callable[[Path], object], code: str
) -> None:
    harm(Path(orders.paths[0]))
    with pytest.raises(SourceError) as failure:
        engine.run_private(count_by_shop(), {ORDERS.name: orders})
    assert failure.value.code == code
    assert failure.value.__cause__ is None
    assert "parquet" not in failure.value.message


@pytest.mark.parametrize("name", ["a*.parquet", "a?.parquet", "[ab].parquet", "{a}.parquet"])
def test_a_file_name_that_reads_as_a_pattern_is_refused(engine: DuckDBEngine, tmp_path: Path, name: str) -> None:
    path = parquet(tmp_path / name, "SELECT 1::BIGINT AS user_id, 'x' AS shop, 1::DECIMAL(12,2) AS amount")
    with pytest.raises(SourceError, match="pattern"):
        engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, path)})


def test_a_quote_in_a_file_name_is_only_a_quote(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "o'; DROP.parquet"
    Path(
        parquet(tmp_path / "x.parquet", "SELECT 1::BIGINT AS user_id, 'x' AS shop, 1::DECIMAL(12,2) AS amount")
    ).rename(path)
    assert rows(engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, str(path))}).rows) == [("x", 1, 1, 1)]


def test_a_folder_that_looks_like_a_partition_adds_no_column(engine: DuckDBEngine, tmp_path: Path) -> None:
    folder = tmp_path / "shop=hive"
    folder.mkdir()
    path = parquet(folder / "x.parquet", "SELECT 1::BIGINT AS user_id, 'file' AS shop, 1::DECIMAL(12,2) AS amount")
    assert rows(engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, path)}).rows) == [("file", 1, 1, 1)]


def csv(tmp_path: Path, text: str, name: str = "x.csv") -> FileSource:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return source(ORDERS, str(path), format="csv")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_id,shop,amount\n1,a,1.50\n2,a,\n", [("a", 2, 3, 2)]),
        ("\ufeffuser_id,shop,amount\n1,a,1.50\n", [("a", 1, 1, 1)]),
        ('amount,Weird "Name,user_id,shop\n1.00,x,1,"a,\'b""c"\n', [("a,'b\"c", 1, 1, 1)]),
        ('user_id,shop,amount\r\n1,"line\nbreak",1\r\n', [("line\nbreak", 1, 1, 1)]),
        ("user_id,shop,amount\n", []),
        ("user_id,shop,amount\n,a,1\n", []),
    ],
)
def test_a_csv_file_is_read_as_declared(
    engine: DuckDBEngine, tmp_path: Path, text: str, expected: list[tuple[object, ...]]
) -> None:
    assert rows(engine.run_private(count_by_shop(), {ORDERS.name: csv(tmp_path, text)}).rows) == expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "source.schema_changed"),
        ("user_id,shop\n1,a\n", "source.schema_changed"),
        ("user_id,shop,shop,amount\n1,a,b,1\n", "source.schema_changed"),
        ("user_id;shop;amount\n1;a;1\n", "source.schema_changed"),
        ("user_id,shop,amount\nsecret-value,a,1\n", "source.unreadable"),
        ("user_id,shop,amount\n99999999999999999999,a,1\n", "source.unreadable"),
        ("user_id,shop,amount\n1,a\n", "source.unreadable"),
        ("user_id,shop,amount\n1,a,1,extra\n", "source.unreadable"),
        ('user_id,shop,amount\n1,"open,1\n', "source.unreadable"),
    ],
)
def test_a_csv_file_that_is_not_as_declared_is_a_code_without_its_values(
    engine: DuckDBEngine, tmp_path: Path, text: str, code: str
) -> None:
    with pytest.raises(SourceError) as failure:
        engine.run_private(count_by_shop(), {ORDERS.name: csv(tmp_path, text)})
    assert failure.value.code == code
    assert "secret-value" not in str(failure.value)


def test_a_csv_file_that_is_no_utf8_is_unreadable(engine: DuckDBEngine, tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("user_id,shop,amount\n1,é,1\n".encode("latin-1"))
    with pytest.raises(SourceError) as failure:
        engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, str(path), format="csv")})
    assert failure.value.code == "source.unreadable"


def test_csv_files_of_different_headers_are_refused(engine: DuckDBEngine, tmp_path: Path) -> None:
    one = csv(tmp_path, "user_id,shop,amount\n1,a,1\n", "one.csv")
    two = csv(tmp_path, "shop,user_id,amount\na,1,1\n", "two.csv")
    with pytest.raises(SourceError) as failure:
        engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, *one.paths, *two.paths, format="csv")})
    assert failure.value.code == "source.schema_changed"


@pytest.mark.parametrize("format", ["json", "", "duckdb"])
def test_another_format_is_refused(engine: DuckDBEngine, orders: FileSource, format: str) -> None:
    with pytest.raises(SourceError, match="format"):
        engine.run_private(count_by_shop(), {ORDERS.name: source(ORDERS, *orders.paths, format=format)})


def many_groups(tmp_path: Path, groups: int) -> FileSource:
    query = f"SELECT i::BIGINT AS user_id, 'shop ' || i AS shop, 1::DECIMAL(12,2) AS amount FROM range({groups}) t(i)"
    return source(ORDERS, parquet(tmp_path / "many.parquet", query))


@pytest.mark.parametrize(("groups", "fits"), [(999, True), (1000, True), (1001, False)])
def test_an_answer_may_have_so_many_rows_and_no_more(
    engine: DuckDBEngine, tmp_path: Path, groups: int, fits: bool
) -> None:
    sources = {ORDERS.name: many_groups(tmp_path, groups)}
    if fits:
        assert engine.run_private(count_by_shop(), sources).rows.num_rows == groups
        return
    with pytest.raises(EngineError) as failure:
        engine.run_private(count_by_shop(), sources)
    assert failure.value.code == "engine.result_too_large"


def test_small_groups_do_not_count_towards_the_limit(engine: DuckDBEngine, tmp_path: Path) -> None:
    sources = {ORDERS.name: many_groups(tmp_path, 5000)}
    assert engine.run_private(count_by_shop(minimum_units=2), sources).rows.num_rows == 0


def test_more_memory_than_allowed_is_a_code_and_the_spilled_files_are_removed(scratch: Path, tmp_path: Path) -> None:
    limits = EngineLimits(memory_bytes=40 * 1024**2, threads=2, spill_bytes=1024**2, max_result_rows=10**9)
    engine = DuckDBEngine(limits, scratch=scratch)
    with pytest.raises(EngineError) as failure:
        engine.run_private(count_by_shop(), {ORDERS.name: many_groups(tmp_path, 3_000_000)})
    assert failure.value.code == "engine.memory"
    engine.close()
    engine.close()
    assert list(scratch.iterdir()) == []


def test_a_bug_in_a_plan_stays_a_bug(engine: DuckDBEngine, orders: FileSource) -> None:
    plan = PlanBuilder()
    scan = plan.scan(ORDERS)
    bad = release(scan, (), (plan.measure("max", col(scan, "user_id")),), units=scan.units)
    with pytest.raises(ValueError, match="one person"):
        engine.run_private(bad, {ORDERS.name: orders})


def test_a_failure_of_the_last_step_is_a_code_without_text(engine: DuckDBEngine) -> None:
    plan = PlanBuilder()
    scan = plan.released("s0", {"shop": "VARCHAR"})
    odd = plan.computed(call("negate", literal("secret"), type=DOUBLE))
    with pytest.raises(EngineError) as failure:
        engine.run_final(final(project(scan, odd)), {"s0": ReleasedTable("s0", pa.table({"c1": ["a"]}))})
    assert "secret" not in str(failure.value)


def test_two_engines_of_two_threads_do_not_meet(scratch: Path, orders: FileSource) -> None:
    answers: list[int] = []

    def run() -> None:
        engine = DuckDBEngine(LIMITS, scratch=scratch)
        answers.append(engine.run_private(count_by_shop(), {DatasetName(ORDERS.name): orders}).rows.num_rows)
        engine.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [2] * 4
    assert list(scratch.iterdir()) == []
