"""Whoever meets a code finds it on a page: all that errors, failed queries and commands can carry, read out of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanroom.api.permissions import ACCESS, PUBLIC
from cleanroom.executor.wire import CODES as OF_WORKERS

ROOT = Path(__file__).parent.parent
HTTP = ROOT / "docs" / "http.md"
PACKAGE = ROOT / "cleanroom"
CODE = re.compile(r"[a-z]+\.[a-z]+(?:_[a-z]+)*\Z")
FILES = {"html", "json", "csv", "duckdb", "duckdb_extension", "parquet", "key", "db", "py"}
"""What a word with a dot in it may end in, and be the name of a file."""
NO_FINDINGS = [
    PACKAGE / name
    for name in (
        *("api", "audit", "cli", "documents", "engines", "executor", "identity", "storage", "store", "vault"),
        *("bootstrap.py", "broker.py", "client.py", "replay.py", "domain/errors.py"),
    )
]
"""Where errors are made. The codes of findings, notices and readiness are held to their pages by tests of those."""
TABLES = {"migrations", "schema.py"}
INSIDE = {
    "engine.cancelled": "ends a worker, and becomes the query's state",
    "log.exists": "becomes home.exists",
    "log.key_exists": "a key is made where there is none",
    "request.invalid": "of a class whose every use has a code of its own",
    "state.conflict": "of a class whose every use has a code of its own",
    "state.gone": "of a class whose every use has a code of its own",
    "state.moved": "of a class whose every use has a code of its own",
}
"""Codes that nobody outside meets, and why."""


def sources() -> Iterator[Path]:
    for place in NO_FINDINGS:
        yield from (p for p in ([place] if place.is_file() else place.rglob("*.py")) if not TABLES & set(p.parts))


def codes(file: Path) -> set[str]:
    """Every text in the file that is a code: neither an endpoint, a file, a module nor a line of the log's."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call)]
    logged = {id(a) for call in calls if _logs(call.func) for a in call.args}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    words = {str(n.value) for n in texts if id(n) not in logged and CODE.match(str(n.value))}
    named = {w for w in words if w.startswith("cleanroom.") or w.partition(".")[2] in FILES}
    return words - named - set(ACCESS) - PUBLIC


def _logs(called: ast.expr) -> bool:
    """Whether it is a method of a logger, makes one, or is told what to log where something fails."""
    if not isinstance(called, ast.Attribute):
        return False
    if called.attr == "_attempt":
        return True
    of = called.value.func if isinstance(called.value, ast.Call) else called.value
    return "log" in ast.unparse(of)


ALL = {code: file.relative_to(ROOT) for file in sources() for code in codes(file)}
PAGES = {page: page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md")}
NAMED = {code for text in PAGES.values() for code in re.findall(r"`([a-z]+\.[a-z_]+)`", text)}


@pytest.mark.parametrize("code", sorted(set(ALL) - set(INSIDE)))
def test_a_code_is_named_on_a_page(code: str) -> None:
    assert code in NAMED, ALL[code]


def test_no_code_that_is_said_to_stay_inside_is_gone() -> None:
    assert set(INSIDE) <= set(ALL)


def test_the_sources_are_read() -> None:
    assert {"document.moved", "quota.exceeded", "result.expired", "source.changed", "keys.missing"} <= set(ALL)


def test_every_failure_that_a_worker_may_name_is_in_the_table_of_failed_queries() -> None:
    section = PAGES[HTTP].split("### Why a query has failed")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", section)) >= OF_WORKERS


def test_what_the_errors_table_of_http_names_exists() -> None:
    section = PAGES[HTTP].split("## Errors")[1].split("\n## ")[0]
    rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    assert set(re.findall(r"`([a-z]+\.[a-z_]+)`", rows)) <= set(ALL) | {"query.rejected"}
