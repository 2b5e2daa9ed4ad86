"""`python -m benchmarks` → tables on the screen and benchmarks/results/*.json. Each figure has its baseline beside it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from benchmarks import over_http, protected_over_plain, verdict

RESULTS = Path(__file__).parent / "results"
VERDICT = ("case", "warm_ms", "warm_sqlglot_ms", "warm_ratio", "cold_ms", "cold_sqlglot_ms", "cold_ratio")
PARTS = ("case", "parse_ms", "resolve_ms", "judge_ms", "approve_ms")
HTTP = ("case", "p50_ms", "p99_ms", "p50_ratio", "submissions_per_s")
COST = ("case", "plain_ms", "protected_ms", "ratio", "answer_ms", "claims_ms")


@click.command()
@click.option("--size", type=click.Choice(sorted(protected_over_plain.ROWS)), default="small", show_default=True)
def main(size: str) -> None:
    """Measures what a verdict takes and what protection costs, in this run and on this machine."""
    verdicts = [asdict(f) | {"warm_ratio": f.warm_ratio, "cold_ratio": f.cold_ratio} for f in verdict.measure()]
    _print(verdicts, VERDICT, "A verdict, and sqlglot reading, qualifying and writing the same text, ms")
    _print(verdicts, PARTS, "The parts of the warm verdict, and what follows an approval, ms")
    _write("verdict", {"figure": "verdict over sqlglot", "sqlglot": version("sqlglot")}, verdicts)
    _measure_http(size)
    rows = protected_over_plain.ROWS[size]
    with tempfile.TemporaryDirectory(prefix="cleanroom-bench-") as folder:
        costs = [asdict(f) | {"ratio": f.ratio} for f in protected_over_plain.measure(size, Path(folder))]
    _print(costs, COST, f"Protected over plain, {rows:,} impressions, ms")
    about = {"figure": "protected over plain", "size": size, "rows": rows, "duckdb": version("duckdb")}
    _write(f"protected_over_plain-{size}", about | {"threads": protected_over_plain.THREADS}, costs)


def _measure_http(size: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cleanroom-bench-") as folder:
        seconds = over_http.SUBMITTING_S[size]
        figures = over_http.measure(Path(folder), answers=over_http.ANSWERS[size], submitting_s=seconds)
        answers = [asdict(figure) for figure in figures]
    _print(answers, HTTP, "Over HTTP, from submission to rows, ms, and submissions a second")
    _write(f"over_http-{size}", {"figure": "over HTTP", "answers": over_http.ANSWERS[size]}, answers)


def _write(name: str, about: dict[str, object], figures: Sequence[dict[str, object]]) -> None:
    RESULTS.mkdir(exist_ok=True)
    cases = [{k: round(v, 3) if isinstance(v, float) else v for k, v in figure.items()} for figure in figures]
    report = about | {"cores": os.cpu_count(), "cases": cases}
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _print(figures: Sequence[dict[str, object]], columns: Sequence[str], title: str) -> None:
    """A row a figure, of these of its values."""
    table = Table(title=title)
    for i, name in enumerate(columns):
        table.add_column(name.removesuffix("_ms").replace("_", " "), justify="right" if i else "left")
    for figure in figures:
        values = [figure[name] for name in columns]
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
