"""Texts over the corpus' tables, made larger → what protection costs: private steps over the analyst's own text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from ruamel.yaml import YAML

from benchmarks.timing import medians_ms, taken_ms
from cleanroom.broker import judge_query, run
from cleanroom.documents import read_folder
from cleanroom.domain.identifiers import CollaborationName, DatasetName
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.domain.ports import FileSource
from cleanroom.domain.steps import ExecutablePlan
from cleanroom.engines.duckdb import DuckDBEngine, EngineLimits
from cleanroom.rules import approve
from cleanroom.sql.render import render_claim, render_private
from tests.fixtures import CORPUS, request

ROWS = {"small": 1_000_000, "full": 20_000_000}
REPEATS = {"small": 5, "full": 3}
THREADS = 2
COLLABORATION = "advanced"
QUESTIONS = Path(__file__).parent / "questions.yaml"
_CORPUS_ROWS = 160_000
_SIZES = re.compile(r"(range\(|% )(160000|60000|24000|20000)\)")
"""Where the corpus' script says how many rows a table has and how many people there are."""


@dataclass(frozen=True, slots=True)
class Question:
    """An analyst's text, and what the owners wish for its small groups."""

    name: str
    sql: str
    small_groups: SmallGroups


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over the repeats of one run, in milliseconds.

    `plain_ms`: the analyst's own text. `protected_ms`: the private steps' SQL on the same connection; `ratio` is of these.
    `answer_ms`: the whole way of an approved query, from a new engine to released rows. `claims_ms`, once: the owners'
    promises checked, as is done for each snapshot.
    """

    case: str
    plain_ms: float
    protected_ms: float
    answer_ms: float
    claims_ms: float

    @property
    def ratio(self) -> float:
        return self.protected_ms / self.plain_ms


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables as Parquet files, and a connection that knows each by its name and by one that the renderer writes."""

    sources: dict[DatasetName, FileSource]
    names: dict[DatasetName, str]
    connection: duckdb.DuckDBPyConnection
    scratch: Path


def measure(size: str, folder: Path) -> Iterator[Figure]:
    """Every question, all ways in turn, over files that are made in `folder`."""
    policy = read_policy()
    tables = make_tables(policy, ROWS[size], folder)
    return (figure(question, policy, tables, REPEATS[size]) for question in questions())


def questions() -> tuple[Question, ...]:
    read = YAML(typ="safe", pure=True).load(QUESTIONS)
    return tuple(Question(q["name"], q["sql"], SmallGroups(q.get("small_groups", "drop"))) for q in read)


def read_policy() -> Policy:
    policy = read_folder(CORPUS / "policies" / COLLABORATION).policy(CollaborationName(COLLABORATION))
    assert policy is not None
    return policy


def figure(question: Question, policy: Policy, tables: Tables, repeats: int) -> Figure:
    plan = _approved(question, policy)
    private = [render_private(step, tables.names) for step in plan.steps]
    promises = [render_claim(c, tables.names[c.dataset], policy.datasets[c.dataset]) for c in plan.claims]

    def fetch(statements: list[str]) -> None:
        for statement in statements:
            tables.connection.execute(statement).fetchall()

    ways = {
        "plain": lambda: fetch([question.sql]),
        "protected": lambda: fetch(private),
        "answer": lambda: _answer(plan, tables),
    }
    medians = medians_ms(ways, repeats)
    return Figure(
        case=question.name,
        plain_ms=medians["plain"],
        protected_ms=medians["protected"],
        answer_ms=medians["answer"],
        claims_ms=taken_ms(lambda: fetch(promises)),
    )


def _approved(question: Question, policy: Policy) -> ExecutablePlan:
    wishes = {name: replace(rule, small_groups=question.small_groups) for name, rule in policy.rules.items()}
    return approve(judge_query(request(question.sql, COLLABORATION), replace(policy, rules=wishes)))


def _answer(plan: ExecutablePlan, tables: Tables) -> None:
    engine = DuckDBEngine(EngineLimits(threads=THREADS), scratch=tables.scratch)
    try:
        run(plan, engine, tables.sources, known=frozenset(plan.claims))
    finally:
        engine.close()


def make_tables(policy: Policy, impressions: int, folder: Path) -> Tables:
    """The corpus' tables with so many impressions, and customers and orders in proportion."""
    script = _SIZES.sub(
        lambda found: f"{found[1]}{int(found[2]) * impressions // _CORPUS_ROWS})", (CORPUS / "fixture.sql").read_text()
    )
    files = {name: folder / f"{name}.parquet" for name in policy.datasets}
    with duckdb.connect(str(folder / "made.duckdb")) as making:
        making.execute(script)
        for name, file in files.items():
            making.execute(f"COPY {name} TO '{file}' (FORMAT parquet)")
    return Tables(
        sources={n: FileSource(policy.datasets[n], "parquet", (str(file),), "s") for n, file in files.items()},
        names={name: f"t{i}" for i, name in enumerate(files)},
        connection=_connected(files),
        scratch=folder,
    )


def _connected(files: dict[DatasetName, Path]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": str(THREADS)})
    for i, (name, file) in enumerate(files.items()):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
        for view in (name, f"t{i}"):
            connection.execute(f"CREATE VIEW {view} AS SELECT * FROM read_parquet('{file}')")
    return connection
