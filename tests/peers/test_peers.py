"""Other projects' queries are judged as docs/peers.md says, and every difference has its reason."""

from __future__ import annotations

import pytest

from cleanroom.documents.rule_contradictions import beside, contradictions
from tests.peers.cases import VARIABLE, Label, Peer, corpora
from tests.peers.names import tree_of
from tests.peers.projects import PROJECTS
from tests.peers.reasons import Reason, reason_of
from tests.peers.shape import is_query, returns_rows
from tests.peers.table import PAGE, START, section
from tests.peers.verdicts import Judged


def test_the_page_says_what_is_judged(peer: Peer, judged: tuple[Judged, ...]) -> None:
    now = section(peer, judged)
    print(now)
    assert now in PAGE.read_text(encoding="utf-8"), f"run python -m tests.peers; now it is\n{now}"


def test_no_rows_of_a_table_are_ever_returned(peer: Peer, judged: tuple[Judged, ...]) -> None:
    trees = [(j, tree_of(j.case.sql, peer.dialect)) for j in judged if is_query(j.case.sql)]
    rows = [j for j, tree in trees if tree is not None and returns_rows(tree)]
    assert rows
    assert [j.case.sql for j in rows if j.verdict.approved] == []


def test_what_is_accepted_against_the_project_is_no_matter_of_thresholds(
    peer: Peer, judged: tuple[Judged, ...]
) -> None:
    harmless = {Reason.ARITHMETIC, Reason.NO_SYNTAX, Reason.GENERALISES, Reason.BOUNDS, Reason.KEYLESS}
    against = [j for j in judged if j.verdict.approved and j.case.label is Label.REFUSES]
    assert {reason_of(j, peer) for j in against} <= harmless


def test_some_of_a_projects_queries_are_accepted_and_more_are_refused(judged: tuple[Judged, ...]) -> None:
    accepted = sum(j.verdict.approved for j in judged)
    assert 0 < accepted < len(judged) / 2


def test_its_metadata_makes_rules_that_documents_could_hold(peer: Peer) -> None:
    for name, rule in peer.policy.rules.items():
        assert [*contradictions(rule), *beside(rule, peer.policy.datasets[name])] == []


def test_the_page_has_a_section_for_every_project_and_no_other() -> None:
    _, _, tables = PAGE.read_text(encoding="utf-8").partition(START)
    assert [line[3:] for line in tables.splitlines() if line.startswith("## ")] == list(PROJECTS)


@pytest.mark.skipif(corpora() is None, reason=f"{VARIABLE} names no folder of other projects' queries")
def test_every_project_of_the_folder_that_has_cases_is_judged() -> None:
    folder = corpora()
    assert folder is not None
    assert {path.parent.name for path in folder.glob("*/cases.jsonl")} == set(PROJECTS)
