"""The pages tell the truth: every example is judged and answered, every code has its heading, every link leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cleanroom.api.results import type_name
from cleanroom.broker import judge_query, run
from cleanroom.cli.showing import result_text
from cleanroom.client import Notice, Result
from cleanroom.documents import read_folder
from cleanroom.domain.finding import Verdict
from cleanroom.domain.functions import LISTABLE_FUNCTIONS, SCALARS, WINDOWS
from cleanroom.domain.identifiers import CollaborationName
from cleanroom.domain.policy import Policy, SmallGroups
from cleanroom.engines.duckdb import DuckDBEngine
from cleanroom.engines.duckdb_connection import EngineLimits
from cleanroom.rules import RULES, approve
from cleanroom.rules.notices import notices
from cleanroom.sql.dialects import DIALECTS
from cleanroom.storage import connectors
from sample_partners import generate
from tests.fixtures import request, rows

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
COLLABORATIONS = ("retail-media", "wide-media")
BLOCK = re.compile(
    r"```sql (accepted|refused)((?: (?:under|by|in|with) [\w.,-]+)*)\n(.*?)```(?:\n```text answered\n(.*?)```)?",
    re.DOTALL,
)
FENCE = re.compile(r"^```(\w+.*)$", re.MULTILINE)
HEADING = re.compile(r"^### ([a-z_.]+)$", re.MULTILINE)
CODE = re.compile(r'"([a-z]+\.[a-z_]+)"')
NO_CODES = {"sqlglot.meta", "v.class"}
"""Text in the sources that looks like a finding's code: a word of the parser's, and a column of SQL that we render."""
NOTICES = ROOT / "cleanroom" / "rules" / "notices.py"
OTHERS = {NOTICES, *((ROOT / "cleanroom" / "rules" / name) for name in ("contradictions.py", "readiness.py"))}
"""Codes of what is no finding: the pages of notices and of readiness have them."""
LINK = re.compile(r"\]\((?!http)([^)#]+)")


@dataclass(frozen=True)
class Example:
    """A block of SQL in a page. `place` is the page and the heading of a finding above it, `codes` what the fence names."""

    place: str
    said: str
    collaboration: str
    runner: str
    dialect: str
    codes: frozenset[str]
    sql: str
    answer: str | None

    @property
    def page(self) -> str:
        return self.place.split()[0]

    @property
    def heading(self) -> str:
        return self.place.partition(" ")[2]

    def judge(self) -> Verdict:
        return judge_query(
            request(self.sql, self.collaboration, self.runner, self.dialect), policy_of(self.collaboration)
        )


def policy_of(collaboration: str) -> Policy:
    policy = read_folder(ROOT / "policies" / collaboration).policy(CollaborationName(collaboration))
    assert policy is not None
    return policy


def examples() -> list[Example]:
    """Every example of the pages, in their order."""
    return [
        _example(page, text, found) for page in PAGES for text in (page.read_text(),) for found in BLOCK.finditer(text)
    ]


def _example(page: Path, text: str, found: re.Match[str]) -> Example:
    words = found[2].split()
    given = dict(zip(words[::2], words[1::2], strict=True))
    above = HEADING.findall(text[: found.start()])
    heading = above[-1] if above else ""
    codes = given.get("with", heading if page.name == "rules.md" else "")
    return Example(
        place=f"{page.name} {heading}",
        said=found[1],
        collaboration=given.get("under", "retail-media"),
        runner=given.get("by", "publisher"),
        dialect=given.get("in", "duckdb"),
        codes=frozenset(codes.split(",")),
        sql=found[3],
        answer=found[4],
    )


PAGES = tuple(DOCS / name for name in ("rules.md", "language.md", "privacy.md"))
EXAMPLES = examples()
REFUSED = [e for e in EXAMPLES if e.said == "refused"]
ACCEPTED = [e for e in EXAMPLES if e.said == "accepted"]


def _named(example: Example) -> str:
    return f"{example.place} {' '.join(example.sql.split())[:60]}"


@pytest.mark.parametrize("example", REFUSED, ids=_named)
def test_a_refused_example_is_refused_for_what_the_page_says(example: Example) -> None:
    assert {finding.code for finding in example.judge().findings} == example.codes
    assert example.heading in {"", *example.codes}


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Example], Result]:
    """What the sample partners' data answer to an accepted example."""
    if not (ROOT / "sample_partners" / "publisher" / "creatives.parquet").exists():
        generate.main()

    def answered(example: Example) -> Result:
        verdict = example.judge()
        assert verdict.approved, verdict.findings
        folder = read_folder(ROOT / "policies" / example.collaboration)
        known = {c.name: c for c in folder.connections}
        roots = {c.partner: (c.options["root"],) for c in folder.connections}
        sources = {}
        for name in verdict.datasets:
            dataset = verdict.policy.datasets[name]
            connection = known[dataset.connection]
            sources[name] = connectors(roots)[connection.type].pin(connection, dataset, None)
        engine = DuckDBEngine(EngineLimits(), scratch=tmp_path_factory.mktemp("scratch"))
        try:
            found = run(approve(verdict), engine, sources).rows
        finally:
            engine.close()
        columns = tuple((field.name, type_name(field.type)) for field in found.schema)
        return Result(columns, tuple(rows(found)))

    return answered


@pytest.mark.parametrize("example", ACCEPTED, ids=_named)
def test_an_accepted_example_is_answered(example: Example, answer: Callable[[Example], Result]) -> None:
    found = answer(example)
    assert found.rows
    if example.answer is not None:
        told = [Notice(notice.code, notice.message) for notice in notices(approve(example.judge()))]
        assert result_text(found, told) == example.answer


def test_every_block_of_sql_is_an_example_that_is_judged() -> None:
    for page in PAGES:
        fences = [fence for fence in FENCE.findall(page.read_text()) if fence.startswith("sql")]
        assert len(fences) == sum(example.page == page.name for example in EXAMPLES), page


def test_a_refused_example_says_by_which_codes() -> None:
    assert not [example for example in REFUSED if example.codes == {""}]


def test_every_rule_of_the_owners_has_an_accepted_example_beside_the_refused_one() -> None:
    section = (DOCS / "rules.md").read_text().split("## Rules of the owners")[1].split("\n## ")[0]
    shown = {example.heading: set[str]() for example in EXAMPLES if example.page == "rules.md"}
    for example in EXAMPLES:
        if example.page == "rules.md":
            shown[example.heading].add(example.said)
    lacking = {code for code in HEADING.findall(section) if shown.get(code) != {"accepted", "refused"}}
    # No text shows these: such a dataset cannot be named, and the samples name the same receiver everywhere.
    assert lacking == {"rule.missing", "receiver.none"}


def test_every_finding_code_has_its_heading_and_no_heading_is_of_a_code_that_is_gone() -> None:
    files = [p for folder in ("sql", "rules") for p in (ROOT / "cleanroom" / folder).rglob("*.py") if p not in OTHERS]
    codes = {code for file in files for code in CODE.findall(file.read_text())} - NO_CODES
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


def test_the_language_page_names_every_dialect_notice_and_treatment_of_small_groups() -> None:
    named = set(re.findall(r"`([a-z._]+)`", (DOCS / "language.md").read_text()))
    told = set(CODE.findall(NOTICES.read_text()))
    assert told
    assert named >= {*DIALECTS, *told, *SmallGroups}


def test_both_sample_collaborations_are_about_the_same_datasets() -> None:
    one, other = (read_folder(ROOT / "policies" / name).datasets for name in COLLABORATIONS)
    assert one == other


@pytest.mark.parametrize("page", [*DOCS.rglob("*.md"), *ROOT.glob("*.md")], ids=lambda p: p.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_is_found_from_the_readme() -> None:
    found, left = set[Path](), [ROOT / "README.md"]
    while left:
        page = left.pop()
        if page not in found and page.suffix == ".md":
            found.add(page)
            left += [(page.parent / target).resolve() for target in LINK.findall(page.read_text())]
    assert found >= set(DOCS.glob("*.md")) | set(ROOT.glob("*.md"))
