"""The corpus' fixture and policies as the tests use them: real Parquet files, and a collaboration's policy over them."""

from __future__ import annotations

import datetime
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import duckdb
from ruamel.yaml import YAML

from cleanroom.broker import judge_query, run
from cleanroom.documents import read_folder
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import CollaborationName, DatasetName, PartnerName, PrincipalId, QueryId
from cleanroom.domain.policy import Policy, PolicyFolder
from cleanroom.domain.ports import Engine, FileSource
from cleanroom.domain.query import Principal, QueryRequest, Role, everywhere
from cleanroom.engines.memory import MemoryEngine
from cleanroom.engines.memory_arrow import read
from cleanroom.engines.memory_relations import NamedRow
from cleanroom.rules import approve

CORPUS = Path(__file__).parent / "corpus"
TABLES = ("retailer.customers", "retailer.orders", "publisher.impressions")


def cases(name: str) -> list[dict[str, Any]]:
    """The corpus' queries of one file."""
    return list(YAML(typ="safe", pure=True).load((CORPUS / name).read_text()))


def principal(partner: str = "publisher") -> Principal:
    return Principal(PrincipalId(f"{partner}/analyst"), PartnerName(partner), everywhere(Role.ANALYST))


def request(
    sql: str, collaboration: str = "strict", partner: str = "publisher", dialect: str = "duckdb"
) -> QueryRequest:
    return QueryRequest(
        QueryId("q"),
        CollaborationName(collaboration),
        principal(partner),
        sql,
        dialect,
        datetime.datetime.now(datetime.UTC),
    )


@dataclass(frozen=True)
class Fixture:
    """The fixture's files below `folder`, the folder of policies beside them, and the policy of one collaboration."""

    folder: Path
    policies: PolicyFolder
    policy: Policy

    def sources(self) -> dict[DatasetName, FileSource]:
        return {
            name: FileSource(dataset, "parquet", (str(self.folder / "data" / dataset.partner / dataset.source),), "s")
            for name, dataset in self.policy.datasets.items()
        }

    @cached_property
    def data(self) -> dict[DatasetName, list[NamedRow]]:
        """The fixture's rows, read once."""
        return {name: read(source) for name, source in self.sources().items()}

    @cached_property
    def oracle(self) -> MemoryEngine:
        """The slow engine over the fixture's rows."""
        return MemoryEngine(self.data)

    def under(self, collaboration: str) -> Fixture:
        """The same data under another collaboration of the corpus."""
        policies = read_folder(CORPUS / "policies" / collaboration)
        policy = policies.policy(CollaborationName(collaboration))
        assert policy is not None
        return Fixture(self.folder, policies, policy)

    def judge(self, sql: str, partner: str = "publisher", dialect: str = "duckdb") -> Verdict:
        return judge_query(request(sql, self.policy.collaboration.name, partner, dialect), self.policy)

    def answer(self, sql: str, engine: Engine, dialect: str = "duckdb") -> list[tuple[object, ...]]:
        """The released rows of an accepted query."""
        verdict = self.judge(sql, dialect=dialect)
        assert verdict.approved, verdict.findings
        try:
            return rows(run(approve(verdict), engine, self.sources()).rows)
        finally:
            engine.close()

    def plain(self, sql: str) -> list[tuple[object, ...]]:
        """What the analyst's own text answers with no protection at all."""
        with duckdb.connect() as connection:
            for table in TABLES:
                schema, name = table.split(".")
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                path = self.folder / "data" / schema / f"{name}.parquet"
                connection.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{path}')")
            return rows(connection.sql(sql).to_arrow_table())


def rows(table: Any) -> list[tuple[object, ...]]:
    """The table's rows as plain tuples."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_columns else []


def make_fixture(folder: Path, *, fraction: int = 1) -> Fixture:
    """Writes the corpus' data as Parquet below the folder and reads the strict policy over it.

    `fraction` makes every table and every range of keys that many times smaller, region atoll's ten people stay.
    """
    script = (CORPUS / "fixture.sql").read_text()
    for size in (160000, 60000, 24000, 20000):
        script = script.replace(f"range({size})", f"range({size // fraction})")
        script = script.replace(f"% {size})", f"% {size // fraction})")
    with duckdb.connect() as connection:
        connection.execute(script)
        for table in TABLES:
            schema, name = table.split(".")
            (folder / "data" / schema).mkdir(parents=True, exist_ok=True)
            connection.execute(f"COPY {table} TO '{folder}/data/{schema}/{name}.parquet' (FORMAT parquet)")
    shutil.copytree(CORPUS / "policies" / "strict", folder / "policies" / "strict")
    policies = read_folder(folder / "policies" / "strict")
    policy = policies.policy(CollaborationName("strict"))
    assert policy is not None
    return Fixture(folder, policies, policy)
