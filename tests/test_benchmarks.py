"""What is measured can be measured: every text is approved and runs both ways, over tables of a few thousand rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import over_http, protected_over_plain, verdict
from benchmarks.protected_over_plain import Question, Tables, figure, make_tables, questions, read_policy
from benchmarks.timing import medians_ms

POLICY = read_policy()


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    made = make_tables(POLICY, 4_000, tmp_path_factory.mktemp("benchmarks"))
    yield made
    made.connection.close()


def test_the_tables_have_the_rows_that_were_asked_for_and_others_in_proportion(tables: Tables) -> None:
    counted = [tables.connection.execute(f"SELECT count(*) FROM {name}").fetchall() for name in sorted(tables.names)]
    assert counted == [[(4_000,)], [(500,)], [(1_500,)]]


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.name)
def test_a_question_is_approved_and_timed_both_ways(question: Question, tables: Tables) -> None:
    found = figure(question, POLICY, tables, repeats=1)
    assert found.plain_ms > 0
    assert found.answer_ms > 0
    assert found.ratio == found.protected_ms / found.plain_ms


@pytest.mark.parametrize("way", verdict.WAYS)
def test_a_verdict_and_its_baseline_are_timed_in_new_processes(way: str) -> None:
    assert verdict.once_in_a_new_process(way, verdict.QUERIES["nested WITH"]) > 0


@pytest.mark.parametrize("name", verdict.QUERIES.values())
def test_a_verdict_has_parts_that_run_alone(name: str) -> None:
    sql = verdict.text_of(name)
    ways = verdict.parts_of(sql, POLICY)
    assert set(ways) == {"parse", "resolve", "judge", "approve"}
    assert all(way() for way in ways.values())


def test_answers_over_http_are_timed_beside_a_bare_endpoint_on_both_databases(tmp_path: Path) -> None:
    figures = over_http.measure(tmp_path, answers=2, submitting_s=0.2)
    assert [figure.case for figure in figures] == ["bare Flask and DuckDB", "SQLite", "PostgreSQL"]
    assert all(figure.submissions_per_s > 0 and figure.p99_ms >= figure.p50_ms > 0 for figure in figures)
    assert figures[0].p50_ratio == 1


def test_ways_are_taken_in_turns_and_the_first_turn_is_not_counted() -> None:
    taken: list[str] = []
    medians = medians_ms({"one": lambda: taken.append("one"), "other": lambda: taken.append("other")}, repeats=2)
    assert taken == ["one", "other"] * 3
    assert set(medians) == {"one", "other"}


def test_sizes_have_names_that_both_tables_know() -> None:
    assert set(protected_over_plain.ROWS) == set(protected_over_plain.REPEATS)
