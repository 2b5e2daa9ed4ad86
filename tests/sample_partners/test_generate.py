"""The sample data is what the sample documents say, the same every time, and has the life that the story needs."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from cleanroom.documents import read_folder
from cleanroom.domain.policy import Dataset
from sample_partners import generate

PROJECT = Path(__file__).resolve().parent.parent.parent
DATASETS = read_folder(PROJECT / "policies" / "retail-media").datasets


@pytest.fixture(scope="module")
def partners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("partners")
    generate.main(folder)
    return folder


@pytest.fixture(scope="module")
def data(partners: Path) -> duckdb.DuckDBPyConnection:
    """One view a dataset, by the last part of its name."""
    connection = duckdb.connect()
    for dataset in DATASETS:
        path = partners / dataset.partner / dataset.source
        connection.execute(f"CREATE VIEW {name(dataset)} AS FROM read_parquet('{path}')")
    return connection


def name(dataset: Dataset) -> str:
    return dataset.name.partition(".")[2]


def number(data: duckdb.DuckDBPyConnection, sql: str) -> int:
    row = data.execute(sql).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.parametrize("dataset", DATASETS, ids=name)
def test_columns_have_the_declared_names_and_types(data: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    found = data.execute(f"SELECT column_name, column_type FROM (DESCRIBE {name(dataset)})").fetchall()
    assert found == [(column.name, str(column.type)) for column in dataset.columns]


@pytest.mark.parametrize("dataset", DATASETS, ids=name)
def test_declared_promises_hold(data: duckdb.DuckDBPyConnection, dataset: Dataset) -> None:
    for column in dataset.columns:
        nulls = number(data, f"SELECT count(*) FROM {name(dataset)} WHERE {column.name} IS NULL")
        assert (nulls > 0) == column.nullable, column.name
    for columns in dataset.unique:
        repeated = f"SELECT count(*) - count(DISTINCT ({', '.join(columns)})) FROM {name(dataset)}"
        assert number(data, repeated) == 0


def test_the_same_seed_writes_the_same_bytes(partners: Path, tmp_path: Path) -> None:
    generate.main(tmp_path)
    files = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.parquet"))
    assert len(files) == 11
    assert all((tmp_path / file).read_bytes() == (partners / file).read_bytes() for file in files)


def test_another_seed_writes_other_people(partners: Path, tmp_path: Path) -> None:
    generate.main(tmp_path, seed=7)
    file = Path("retailer/customers/part-0.parquet")
    assert (tmp_path / file).read_bytes() != (partners / file).read_bytes()


@pytest.mark.parametrize(
    ("what", "least", "sql", "most"),
    [
        ("members", 20_000, "SELECT count(*) FROM customers", 20_000),
        ("orders", 60_000, "SELECT count(*) FROM orders", 60_000),
        ("impressions", 200_000, "SELECT count(*) FROM impressions", 200_000),
        ("assets", 55, "SELECT count(*) FROM creatives", 65),
        ("islanders", 12, "SELECT count(*) FROM customers WHERE region = 'islands'", 12),
        ("orders of the whale", 300, "SELECT max(n) FROM (SELECT count(*) n FROM orders GROUP BY user_id)", 900),
        (
            "orders of the next after the whale",
            10,
            "SELECT max(n) FROM (SELECT count(*) n FROM orders WHERE user_id <> 77 GROUP BY user_id)",
            150,
        ),
        (
            "people in both",
            5_000,
            "SELECT count(DISTINCT user_id) FROM customers JOIN impressions USING (email_sha256)",
            9_000,
        ),
        (
            "reach of the smallest campaign",
            20,
            "SELECT min(n) FROM (SELECT count(DISTINCT email_sha256) n FROM impressions GROUP BY campaign)",
            40,
        ),
        (
            "percent of impressions of the largest campaign",
            25,
            "SELECT 100 * max(n) // sum(n) FROM (SELECT count(*) n FROM impressions GROUP BY campaign)",
            45,
        ),
        (
            "percent of orders in December",
            12,
            "SELECT 100 * count_if(month(ts) = 12) // count(*) FROM orders",
            25,
        ),
    ],
)
def test_there_is_life_in_it(data: duckdb.DuckDBPyConnection, what: str, least: int, sql: str, most: int) -> None:
    assert least <= number(data, sql) <= most, what
