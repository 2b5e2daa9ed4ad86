"""The pages tell the truth: every example is judged, every code has its heading, every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cleanroom.broker import judge_query
from cleanroom.documents import read_folder
from cleanroom.domain.functions import LISTABLE_FUNCTIONS, SCALARS, WINDOWS
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.rules import RULES
from tests.fixtures import request

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"```sql (accepted|refused)(?: by (\w+))?\n(.*?)```", re.DOTALL)
HEADING = re.compile(r"^### ([a-z_.]+)$", re.MULTILINE)
CODE = re.compile(
    r'"((?:sql|name|type|column|join|aggregate|function|output|rows|window|release|receiver|runner|rule|predicate|literal)\.[a-z_]+)"'
)
LINK = re.compile(r"\]\((?!http)([^)#]+)")


def examples() -> list[tuple[str, str, str, str]]:
    """(place, accepted or refused, who asks, SQL) of every example; the place is page and heading."""
    found = []
    for page in ("rules.md", "language.md"):
        text = (DOCS / page).read_text()
        for match in BLOCK.finditer(text):
            above = HEADING.findall(text[: match.start()])
            found.append((f"{page} {above[-1] if above else ''}", match[1], match[2] or "publisher", match[3]))
    return found


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e[0]} {e[1]}")
def test_an_example_is_judged_as_the_page_says(example: tuple[str, str, str, str]) -> None:
    place, said, who, sql = example
    policy = read_folder(ROOT / "policies" / "retail-media").policy(CollaborationName("retail-media"))
    assert policy is not None
    verdict = judge_query(request(sql, "retail-media", who), policy)
    codes = {finding.code for finding in verdict.findings}
    page, _, heading = place.partition(" ")
    if said == "accepted":
        assert verdict.approved, verdict.findings
    elif page == "rules.md":
        assert codes == {heading}
    else:
        assert codes


def test_every_finding_code_has_its_heading_and_no_heading_is_of_a_code_that_is_gone() -> None:
    sources = [p.read_text() for folder in ("sql", "rules") for p in (ROOT / "cleanroom" / folder).glob("*.py")]
    codes = {code for text in sources for code in CODE.findall(text)}
    assert set(HEADING.findall((DOCS / "rules.md").read_text())) == codes


def test_every_rule_is_named_after_its_code() -> None:
    headings = set(HEADING.findall((DOCS / "rules.md").read_text()))
    assert {rule.__name__.replace("_", ".", 1) for rule in RULES} <= headings


def test_the_language_page_names_every_function() -> None:
    text = (DOCS / "language.md").read_text()
    words = set(re.findall(r"[a-z_0-9]+", text))
    syntax = {name for name, scalar in SCALARS.items() if scalar.listed is None and scalar.private}
    arithmetic = {"add", "subtract", "multiply", "divide", "integer_divide", "modulo", "negate"}
    assert (set(SCALARS) - syntax - arithmetic) | LISTABLE_FUNCTIONS <= words
    assert WINDOWS


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target
