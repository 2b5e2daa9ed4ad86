"""Findings and results → text for a terminal, or JSON for a program."""

from __future__ import annotations

import datetime
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from cleanroom.client import Finding, Notice, Result

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL")


def print_json(value: Any) -> None:
    """The value is on standard output as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_listing(names: Sequence[str], rows: Iterable[Sequence[Any]], output: str) -> None:
    """The rows are on standard output: as JSON objects, or as a table in which nothing stands for what is absent."""
    if output == "json":
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    shown = [["" if value is None else value for value in row] for row in rows]
    click.echo(rendered(table([(name, "VARCHAR") for name in names], shown)), nl=False)


def when(at: datetime.datetime | None) -> str | None:
    """The second, in UTC (RFC 3339)."""
    return None if at is None else at.isoformat(timespec="seconds").replace("+00:00", "Z")


def finding_json(finding: Finding) -> dict[str, Any]:
    """The finding as the HTTP server writes it, absent parts left out."""
    names = ("code", "message", "dataset", "column", "line", "position", "hint", "rewrite")
    return {name: value for name in names if (value := getattr(finding, name)) is not None}


def finding_lines(findings: Iterable[Finding], sql: str) -> Iterator[str]:
    """Every finding, in the order of their places: the line that it speaks of, a caret, and what would be accepted.

    Then each whole query that would be, once: it answers several findings.
    """
    findings = tuple(findings)
    text = sql.split("\n")
    for finding in sorted(findings, key=lambda f: (f.line or 0, f.position or 0)):
        yield ""
        if finding.line is not None and 1 <= finding.line <= len(text):
            yield f"  {finding.line:>3} | {printable(text[finding.line - 1].expandtabs(1))}"
            yield f"      | {' ' * ((finding.position or 1) - 1)}^"
        yield f"  {finding.code}: {finding.message}"
        if finding.hint:
            yield f"    hint: {finding.hint}"
    for rewrite in dict.fromkeys(finding.rewrite for finding in findings if finding.rewrite):
        yield from ("", "  this would be accepted:", "")
        yield from (f"    {printable(line)}" for line in rewrite.split("\n"))


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Table:
    """A table whose numbers stand at the right; NULL is written so."""
    shown = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name, kind in columns:
        shown.add_column(printable(name), justify="right" if kind.startswith(NUMBERS) else "left")
    for row in rows:
        shown.add_row(*(_cell(value) for value in row))
    return shown


def result_text(result: Result, notices: Iterable[Notice] = ()) -> str:
    """The rows as a table, and below it their number and what the answer may lack."""
    count = len(result.rows)
    below = "".join(f"{notice.message}\n" for notice in notices)
    return f"{rendered(table(result.columns, result.rows))}({count} row{'' if count == 1 else 's'})\n{below}"


def rendered(shown: Table) -> str:
    """The table as plain text, as wide as it needs to be."""
    console = Console(width=10_000, highlight=False, markup=False, color_system=None, file=io.StringIO())
    with console.capture() as capture:
        console.print(shown)
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())


def printable(text: str) -> str:
    """The text on one line, without what steers a terminal: somebody else may have written it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _cell(value: Any) -> str:
    return "NULL" if value is None else printable(str(value))
