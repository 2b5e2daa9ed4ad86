"""The shape of a query and the names in it, as the explanations of differences see them."""

from __future__ import annotations

import pytest

from cleanroom.domain.identifiers import DatasetName
from cleanroom.domain.types import BIGINT, VARCHAR
from tests.peers.cases import Case, Label, Peer
from tests.peers.names import qualified, tree_of
from tests.peers.policies import PeerColumn, PeerTable, policy_of
from tests.peers.reasons import Reason, Unexplained, reason_of
from tests.peers.shape import returns_rows
from tests.peers.verdicts import judge_all

VISITS = PeerTable(
    DatasetName("clinic.visits"),
    ("patient",),
    (PeerColumn("patient", BIGINT, join=True), PeerColumn("ward", VARCHAR), PeerColumn("days", BIGINT)),
)


def told(sql: str, label: Label, said: str = "") -> Reason | None:
    peer = Peer("clinic", "duckdb", policy_of((VISITS,)), (Case("", sql, label, said),))
    return reason_of(judge_all(peer)[0], peer)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ward FROM clinic.visits",
        "SELECT * FROM (SELECT ward FROM clinic.visits) v",
        "WITH v AS (SELECT * FROM clinic.visits) SELECT ward FROM v",
        "SELECT SUM(days) OVER (PARTITION BY ward) FROM clinic.visits",
        "SELECT ward FROM clinic.visits UNION ALL SELECT 'a'",
        "SELECT (SELECT COUNT(*) FROM clinic.visits) FROM clinic.visits",
    ],
)
def test_rows_are_returned(sql: str) -> None:
    tree = tree_of(sql, "duckdb")
    assert tree is not None
    assert returns_rows(tree)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM clinic.visits",
        "SELECT DISTINCT ward FROM clinic.visits",
        "SELECT ward FROM clinic.visits GROUP BY ward",
        "SELECT n FROM (SELECT COUNT(*) AS n FROM clinic.visits) v",
        "WITH v AS (SELECT COUNT(*) AS n FROM clinic.visits) SELECT n FROM v",
        "SELECT 1",
    ],
)
def test_groups_are_returned(sql: str) -> None:
    tree = tree_of(sql, "duckdb")
    assert tree is not None
    assert not returns_rows(tree)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT ward FROM clinic.visits", Reason.ROWS),
        ("SELECT MAX(days) FROM clinic.visits", Reason.EXTREME),
        ("SELECT patient, COUNT(*) FROM clinic.visits GROUP BY patient", Reason.PER_PERSON),
        ("SELECT COUNT(*) FROM clinic.visits WHERE patient = 7", Reason.KEY),
        ("SELECT SUM(days * days) FROM clinic.visits", Reason.COMPUTED),
        ("SELECT COUNT(*) FROM clinic.stays", Reason.UNNAMED),
        ("DELETE FROM clinic.visits", Reason.NO_QUERY),
        ("SELECT COUNT( FROM", Reason.UNREAD),
    ],
)
def test_a_refusal_that_the_project_does_not_share_has_its_reason(sql: str, reason: Reason) -> None:
    assert told(sql, Label.ACCEPTS) is reason


def test_what_a_project_only_reads_is_no_judgement() -> None:
    assert told("SELECT ward FROM clinic.visits", Label.READS) is Reason.READS


def test_agreement_needs_no_reason() -> None:
    assert told("SELECT COUNT(*) FROM clinic.visits", Label.ACCEPTS) is None
    assert told("SELECT ward FROM clinic.visits", Label.REFUSES) is None


def test_an_acceptance_that_the_project_does_not_share_is_explained_by_its_error() -> None:
    said = "Feature 'DISTINCT' is not currently supported."
    assert told("SELECT DISTINCT ward FROM clinic.visits", Label.REFUSES, said) is Reason.NO_SYNTAX


def test_a_difference_without_a_reason_is_an_error() -> None:
    with pytest.raises(Unexplained):
        told("SELECT ward, COUNT(*) FROM clinic.visits GROUP BY ward", Label.REFUSES, "It singles people out.")


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("SELECT visits.ward FROM visits", "SELECT visits.ward FROM clinic.visits"),
        ("SELECT 1 FROM Visits v, visits", "SELECT 1 FROM clinic.Visits v, clinic.visits"),
        ("SELECT 1 FROM other.visits", "SELECT 1 FROM other.visits"),
        ("SELECT 1 FROM stays", "SELECT 1 FROM stays"),
        ("WITH visits AS (SELECT 1) SELECT 1 FROM visits", "WITH visits AS (SELECT 1) SELECT 1 FROM visits"),
        ("SELECT 'FROM visits' FROM", "SELECT 'FROM visits' FROM"),
    ],
)
def test_bare_tables_get_their_partner_and_nothing_else_changes(sql: str, written: str) -> None:
    assert qualified(sql, "postgres", {"visits": "clinic"}) == written
