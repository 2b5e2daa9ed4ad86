"""What a query was asked with, and templates and their versions, as the store keeps them."""

from __future__ import annotations

import datetime
from dataclasses import replace
from decimal import Decimal

import pytest

from cleanroom.domain.document import key_of
from cleanroom.domain.events import EventKind
from cleanroom.domain.expression import Literal
from cleanroom.domain.identifiers import QueryId, TemplateName
from cleanroom.domain.parameters import parameters_of, spelled
from cleanroom.domain.policy import Template, TemplateParameter
from cleanroom.domain.types import BIGINT, BOOLEAN, DATE, DOUBLE, HUGEINT, TIMESTAMP, VARCHAR, DataType, Kind
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.policies import PolicyBook
from cleanroom.store.queries import Queries
from tests.store.world import DOCUMENTS, NOON, PUBLISHER, RETAIL_MEDIA, RUTH, happened, query

VALUES = {
    "text": Literal("north' --\n\u2028 {}", VARCHAR),
    "nothing": Literal("", VARCHAR),
    "flag": Literal(False, BOOLEAN),
    "whole": Literal(-(2**63), BIGINT),
    "huge": Literal(10**37, HUGEINT),
    "exact": Literal(Decimal("-12.50"), DataType(Kind.DECIMAL, 4, 2)),
    "double": Literal(1e-300, DOUBLE),
    "day": Literal(datetime.date(2026, 1, 31), DATE),
    "instant": Literal(datetime.datetime(2026, 1, 31, 12, 0, 0, 5), TIMESTAMP),
}
REACH = Template(
    name=TemplateName("reach"),
    collaboration=RETAIL_MEDIA,
    partner=PUBLISHER,
    sql="SELECT region, COUNT(*) AS n FROM retailer.customers WHERE region = :v GROUP BY region",
    parameters=(
        TemplateParameter("v", VARCHAR, "which", ("north", "south")),
        TemplateParameter("least", DataType(Kind.DECIMAL, 4, 2), minimum=Decimal("1.50"), maximum=Decimal(20)),
        TemplateParameter("since", DATE, minimum=datetime.date(2026, 1, 1)),
    ),
)


def test_values_come_back_as_they_were_sent_types_and_all(queries: Queries, log: Log) -> None:
    asked = query("q1", parameters=VALUES, template=TemplateName("reach"))
    queries.submit(asked, happened())
    found = queries.get(QueryId("q1"))
    assert found is not None
    assert found.parameters == VALUES
    assert {name: str(p.type) for name, p in found.parameters.items()} == {n: str(p.type) for n, p in VALUES.items()}
    assert found.request() == asked.request()


def test_no_other_type_is_read_back() -> None:
    assert parameters_of(spelled(VALUES)) == VALUES
    for wrong in ({"type": "BLOB", "value": "x"}, {"type": "INTEGER", "value": "1"}, {"type": "DATE", "value": "soon"}):
        with pytest.raises(ValueError, match=r"."):
            parameters_of({"v": wrong})


@pytest.fixture
def filled(database: Database, book: PolicyBook) -> PolicyBook:
    """The partners' documents and a template, its first version."""
    with database.begin() as transaction:
        for value in (*DOCUMENTS, REACH):
            book.write(transaction, value, author=None, at=NOON)
    return book


def test_a_template_comes_back_equal_and_unchanged_is_not_written_again(database: Database, filled: PolicyBook) -> None:
    policy = filled.policy(RETAIL_MEDIA)
    assert policy is not None
    assert policy.templates == {"reach": REACH}
    assert filled.folder().templates == (REACH,)
    with database.begin() as transaction:
        assert not filled.write(transaction, REACH, author=None, at=NOON)


def test_an_approval_is_a_version_and_an_event_and_earlier_versions_hold_for_whom_they_are_pinned(
    database: Database, filled: PolicyBook, log: Log
) -> None:
    before = filled.policy(RETAIL_MEDIA)
    approved = replace(REACH, approvals=frozenset({RUTH.partner}))
    with database.begin() as transaction:
        filled.put(transaction, approved, author=RUTH, at=NOON, kind=EventKind.TEMPLATE_APPROVED)
    now = filled.policy(RETAIL_MEDIA)
    assert before is not None
    assert now is not None
    assert now.versions[str(key_of(REACH))] == before.versions[str(key_of(REACH))] + 1
    assert now.templates["reach"].approvals == {RUTH.partner}  # type: ignore[index]
    assert filled.policy(RETAIL_MEDIA, before.versions) == before
    last = [entry.event for entry in log.events()][-1]
    assert (last.kind, last.partner, last.collaboration) == (EventKind.TEMPLATE_APPROVED, RUTH.partner, RETAIL_MEDIA)
    assert last.data["version"] == 2


def test_a_removed_template_is_asked_no_more(database: Database, filled: PolicyBook) -> None:
    with database.begin() as transaction:
        assert filled.remove(transaction, key_of(REACH), author=None, at=NOON)
    policy = filled.policy(RETAIL_MEDIA)
    assert policy is not None
    assert policy.templates == {}
