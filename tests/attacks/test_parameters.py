"""Values that try to be structure, names, quotes, comments, other types. A parameter is a literal, or nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from cleanroom.broker import judge_query
from cleanroom.documents import read_folder
from cleanroom.domain.errors import InvalidInput
from cleanroom.domain.expression import Literal, walk
from cleanroom.domain.finding import Verdict
from cleanroom.domain.identifiers import CollaborationName, PartnerName
from cleanroom.domain.plan import Limit, expressions, relations
from cleanroom.domain.policy import Analyses, Policy, Template, TemplateParameter
from cleanroom.domain.types import VARCHAR
from cleanroom.sql import DIALECTS
from cleanroom.sql.parameters import sent_parameters
from tests.fixtures import CORPUS, request

CUSTOMERS = "SELECT COUNT(*) AS n FROM retailer.customers WHERE {}"
IMPRESSIONS = "SELECT device, COUNT(*) AS n FROM publisher.impressions WHERE {} GROUP BY device"


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The strict rules of the corpus."""
    found = read_folder(CORPUS / "policies" / "strict").policy(CollaborationName("strict"))
    assert found is not None
    return found


def judged(policy: Policy, sql: str, dialect: str = "duckdb", **values: Any) -> Verdict:
    return judge_query(replace(request(sql, dialect=dialect), parameters=sent_parameters(values)), policy)


def codes(verdict: Verdict) -> list[str]:
    return sorted({finding.code for finding in verdict.findings})


def literals(verdict: Verdict) -> Counter[Any]:
    """Every literal of the plan, its type with it, and every LIMIT."""
    assert verdict.plan is not None
    found: Counter[Any] = Counter()
    for relation in relations(verdict.plan.root):
        for expression in expressions(relation):
            found.update((repr(n.value), str(n.type)) for n in walk(expression) if isinstance(n, Literal))
        if isinstance(relation, Limit):
            found[relation.count, relation.offset] += 1
    return found


HOSTILE = (
    "north' OR '1' = '1",
    "north'; DROP TABLE retailer.customers; --",
    "' UNION ALL SELECT user_id FROM retailer.customers --",
    "north'/*",
    "*/ north",
    "-- north",
    ":other",
    "$$north$$",
    '"region"',
    "`region`",
    "\\'",
    "\\",
    "{{ region }}",
    "%s",
    "north\r\nAND 1 = 1",
    "north\u2028OR TRUE",
    "nοrth",  # noqa: RUF001 - a Greek o
    "\u202enorth",
    "n\u200borth",
    "\U0001f9ee",
    "E'\\x27'",
    "''",
    "'",
    "",
    "NULL",
    "TRUE",
    "user_id",
    "x" * 30_000,
)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_text_is_that_text_whatever_stands_in_it(policy: Policy, dialect: str) -> None:
    for value in HOSTILE:
        verdict = judged(policy, CUSTOMERS.format("region = :v"), dialect, v=value)
        assert verdict.approved, (value[:20], verdict.findings)
        assert literals(verdict) == {(repr(value), "VARCHAR"): 1}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM :v",
        "SELECT COUNT(*) FROM retailer.:v",
        "SELECT COUNT(*) FROM :v.customers",
        "SELECT COUNT(*) AS :v FROM retailer.customers",
        "SELECT COUNT(*) FROM retailer.customers AS :v",
        "SELECT COUNT(:v.user_id) FROM retailer.customers AS customers",
        "SELECT COUNT(DISTINCT c.:v) FROM retailer.customers AS c",
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY :v",
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY (:v)",
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY region, :v",
        "SELECT region, COUNT(*) FROM retailer.customers GROUP BY ROLLUP (:v)",
        "SELECT region, COUNT(*) AS n FROM retailer.customers GROUP BY region ORDER BY :v",
        "SELECT region, COUNT(*) AS n FROM retailer.customers GROUP BY region ORDER BY :v DESC",
        "SELECT COUNT(*) FROM retailer.customers JOIN publisher.impressions USING (:v)",
        "SELECT :v(region), COUNT(*) FROM retailer.customers GROUP BY region",
        "SELECT CAST(COUNT(*) AS :v) FROM retailer.customers",
        "SELECT COUNT(*) FROM retailer.customers WHERE region IN :v",
        "SELECT COUNT(*) FROM retailer.customers WHERE region IS :v",
        "SELECT COUNT(*) FROM retailer.customers WHERE region = :v.region",
        "SELECT COUNT(*) FROM retailer.customers WHERE region = :v[1]",
        "SELECT COUNT(*) FROM retailer.customers WHERE region = : v",
        "SELECT COUNT(*) FROM retailer.customers WHERE region = :/**/v",
        'SELECT COUNT(*) FROM retailer.customers WHERE region = :"v"',
        "WITH :v AS (SELECT COUNT(*) AS n FROM retailer.customers) SELECT n FROM customers",
        "SELECT EXTRACT(:v FROM ts), COUNT(*) FROM publisher.impressions GROUP BY 1",
        "SELECT date_trunc(:v, ts), COUNT(*) FROM publisher.impressions GROUP BY 1",
        "SELECT COUNT(*) FROM publisher.impressions WHERE ts >= CURRENT_DATE - INTERVAL :v DAY",
        "SELECT COUNT(*) FROM publisher.impressions WHERE ts >= CURRENT_DATE - INTERVAL 1 :v",
        "SELECT device, SUM(COUNT(*)) OVER (ORDER BY device ROWS :v PRECEDING) FROM publisher.impressions GROUP BY device",
        "SELECT COUNT(*) FROM retailer.customers :v",
        ":v",
    ],
)
def test_where_no_literal_could_stand_no_value_is_approved(policy: Policy, sql: str) -> None:
    for dialect in DIALECTS:
        for value in ("region", 1):
            verdict = judged(policy, sql, dialect, v=value)
            assert not verdict.approved, (dialect, value)
            assert set(codes(verdict)) & {"sql.unsupported", "sql.syntax", "name.unknown", "parameter.unknown"}, dialect


@pytest.mark.parametrize(
    "sign", ["?", "@v", "$1", "$v", "@@v", "{{v}}", "${v}", "%s", "%(v)s", ":1", "#v", "v", ":v:v"]
)
def test_other_ways_to_write_a_parameter_are_refused(policy: Policy, sign: str) -> None:
    for dialect in DIALECTS:
        for values in ({}, {"v": "north"}):
            assert not judged(policy, CUSTOMERS.format(f"region = {sign}"), dialect, **values).approved, dialect


@pytest.mark.parametrize("value", ["5", -1, 2**31, 2**70, 1.5, True, "1; SELECT 1"], ids=repr)
def test_a_limit_is_a_whole_number(policy: Policy, value: Any) -> None:
    sql = "SELECT region, COUNT(*) AS n FROM retailer.customers GROUP BY region ORDER BY n {} :v"
    for clause in ("LIMIT", "LIMIT 5 OFFSET"):
        assert codes(judged(policy, sql.format(clause), v=value)) == ["sql.unsupported"]
        assert judged(policy, sql.format(clause), v=3).approved


SAME = [
    (CUSTOMERS, "region = {}", "north", "'north'"),
    (CUSTOMERS, "region IN ({}, 'south')", "north", "'north'"),
    (CUSTOMERS, "region LIKE {}", "n%", "'n%'"),
    (CUSTOMERS, "user_id = {}", 7, "7"),
    (CUSTOMERS, "notes = {}", "x", "'x'"),
    (CUSTOMERS, "email_sha256 = {}", "a", "'a'"),
    (CUSTOMERS, "lifetime_value > {}", 5, "5"),
    (CUSTOMERS, "region = {}", 5, "5"),
    (CUSTOMERS, "region = {}", 1.5, "1.5"),
    (CUSTOMERS, "{}", True, "TRUE"),
    (CUSTOMERS, "{}", "x", "'x'"),
    (CUSTOMERS, "CASE WHEN region = {} THEN TRUE ELSE FALSE END", "north", "'north'"),
    (IMPRESSIONS, "ts >= {}", "2026-01-01", "'2026-01-01'"),
    (IMPRESSIONS, "ts >= CAST({} AS DATE)", "2026-01-01", "'2026-01-01'"),
    (IMPRESSIONS, "ts >= CAST({} AS DATE)", "yesterday", "'yesterday'"),
    (IMPRESSIONS, "ts >= {}", "2026-01-01 10:30:00", "'2026-01-01 10:30:00'"),
    (IMPRESSIONS, "ts >= {}", "2026-01-01' --", "'2026-01-01'' --'"),
    (IMPRESSIONS, "ts >= {}", 20260101, "20260101"),
    (IMPRESSIONS, "date_trunc('day', ts) = {}", "2026-01-01", "'2026-01-01'"),
    (IMPRESSIONS, "campaign_id = {}", -5, "-5"),
    (IMPRESSIONS, "campaign_id = {}", 2**63, str(2**63)),
    (IMPRESSIONS, "campaign_id = {}", 1e300, "1e300"),
    (IMPRESSIONS, "campaign_id BETWEEN {} AND 9", 3, "3"),
]


@pytest.mark.parametrize(("frame", "condition", "value", "written"), SAME)
def test_the_verdict_is_that_of_the_literal(
    policy: Policy, frame: str, condition: str, value: Any, written: str
) -> None:
    sent = judged(policy, frame.format(condition.format(":v")), v=value)
    plain = judged(policy, frame.format(condition.format(written)))
    assert codes(sent) == codes(plain)
    assert literals(sent) == literals(plain)
    assert [f.column for f in sent.findings] == [f.column for f in plain.findings]


def test_one_name_in_two_places_is_one_value(policy: Policy) -> None:
    verdict = judged(policy, CUSTOMERS.format("region = :v OR age_band = :v"), v="north")
    assert verdict.approved
    assert literals(verdict) == {("'north'", "VARCHAR"): 2}


def test_names_differ_by_case(policy: Policy) -> None:
    sql = CUSTOMERS.format("region = :v OR region = :V")
    assert codes(judged(policy, sql, v="north")) == ["parameter.missing"]
    assert judged(policy, sql, v="north", V="south").approved


def test_a_row_filter_takes_no_value_of_the_asker(policy: Policy) -> None:
    rule = policy.rules[next(name for name in policy.rules if name == "retailer.customers")]
    filtered = replace(policy, rules={**policy.rules, rule.dataset: replace(rule, row_filter="region = :v")})
    for sql in (CUSTOMERS.format("TRUE"), CUSTOMERS.format("region = :v")):
        values = {"v": "north"} if ":v" in sql else {}
        assert codes(judged(filtered, sql, **values)) == ["rule.row_filter"]


@pytest.mark.parametrize(
    "values",
    [
        {"v": float("nan")},
        {"v": float("inf")},
        {"v": 10**38},
        {"v": "\0"},
        {"v": "\ud800"},
        {"v": b"north"},
        {"v": "x" * 40_000},
        {"v": "é" * 20_000},
        {f"v{i}": "x" for i in range(101)},
        {"v": "x" * 20_000, "w": "x" * 20_000},
        {"a b": 1},
        {"": 1},
        {"v" * 64: 1},
        {"vé": 1},
    ],
    ids=lambda values: repr(values)[:40],
)
def test_what_is_no_value_never_becomes_a_query(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        sent_parameters(values)
    assert {p.code for p in refused.value.problems} == {"parameter.invalid"}


@pytest.fixture(scope="module")
def agreed(policy: Policy) -> Policy:
    """The strict rules where only templates read customers, and one that its owner has approved."""
    template = Template(
        name="by-region",  # type: ignore[arg-type]
        collaboration=policy.collaboration.name,
        partner=PartnerName("publisher"),
        sql=CUSTOMERS.format("region = :v"),
        parameters=(TemplateParameter("v", VARCHAR),),
        approvals=frozenset({PartnerName("retailer")}),
    )
    rules = {n: replace(r, analyses=Analyses.TEMPLATES) for n, r in policy.rules.items()}
    return replace(policy, rules=rules, templates={template.name: template})


def test_the_text_of_a_template_query_is_never_the_senders(agreed: Policy) -> None:
    sent = replace(
        request("SELECT COUNT(*) FROM retailer.customers"),
        template="by-region",  # type: ignore[arg-type]
        parameters=sent_parameters({"v": "north"}),
    )
    verdict = judge_query(sent, agreed)
    assert verdict.approved
    assert literals(verdict) == {("'north'", "VARCHAR"): 1}


def test_an_approval_by_somebody_who_owns_nothing_in_it_is_none(agreed: Policy) -> None:
    (template,) = agreed.templates.values()
    other = replace(template, approvals=frozenset({PartnerName("publisher"), PartnerName("Retailer")}))
    asked = replace(request(""), template=template.name, parameters=sent_parameters({"v": "north"}))
    assert codes(judge_query(asked, replace(agreed, templates={template.name: other}))) == ["template.not_approved"]


def test_a_template_over_a_dataset_that_its_owner_took_along_reads_nothing(agreed: Policy) -> None:
    (template,) = agreed.templates.values()
    asked = replace(request(""), template=template.name, parameters=sent_parameters({"v": "north"}))
    left = replace(
        agreed,
        rules={n: r for n, r in agreed.rules.items() if not n.startswith("retailer.")},
        datasets={n: d for n, d in agreed.datasets.items() if not n.startswith("retailer.")},
    )
    assert "name.unknown" in codes(judge_query(asked, left))


def test_every_template_query_is_held_to_the_owners_other_rules(agreed: Policy) -> None:
    (template,) = agreed.templates.values()
    refused = replace(template, sql=CUSTOMERS.format("user_id = :v"))
    asked = replace(request(""), template=template.name, parameters=sent_parameters({"v": "7"}))
    found = judge_query(asked, replace(agreed, templates={template.name: refused}))
    assert codes(found) == ["column.not_filterable"]
