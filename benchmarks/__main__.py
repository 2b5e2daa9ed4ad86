"""`python -m benchmarks` → tables on the screen and benchmarks/results/*.json. Each figure has its baseline beside it."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
import duckdb
from rich.console import Console
from rich.table import Table

from benchmarks import protected_over_plain

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--size", type=click.Choice(sorted(protected_over_plain.ROWS)), default="small", show_default=True)
def main(size: str) -> None:
    """Measures what protection costs, in this run and on this machine."""
    with tempfile.TemporaryDirectory(prefix="cleanroom-bench-") as folder:
        figures = protected_over_plain.measure(size, Path(folder))
    rows = [asdict(figure) | {"ratio": figure.ratio} for figure in figures]
    RESULTS.mkdir(exist_ok=True)
    report = {
        "figure": "protected over plain",
        "size": size,
        "rows": protected_over_plain.ROWS[size],
        "threads": protected_over_plain.THREADS,
        "cores": os.cpu_count(),
        "duckdb": duckdb.__version__,
        "cases": [{k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()} for row in rows],
    }
    (RESULTS / f"protected_over_plain-{size}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    _print(figures, f"Protected over plain, {protected_over_plain.ROWS[size]:,} impressions")


def _print(figures: list[protected_over_plain.Figure], title: str) -> None:
    table = Table(title=title)
    table.add_column("query")
    for heading in ("plain, ms", "protected, ms", "ratio"):
        table.add_column(heading, justify="right")
    for figure in figures:
        table.add_row(figure.case, f"{figure.plain_ms:.1f}", f"{figure.protected_ms:.1f}", f"{figure.ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
