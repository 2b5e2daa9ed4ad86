"""Bodies of requests: the same documents as in a folder, and only the sender's own."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.documents import check_connection, check_dataset, check_rule, read_document, read_folder
from cleanroom.domain.errors import InvalidInput
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import AnalysisRule, Connection, PolicyFolder, Use

GOOD = Path(__file__).parent / "cases" / "good.yaml"
RETAILER = PartnerName("retailer")


def bodies() -> list[dict[str, Any]]:
    return [json.loads(json.dumps(d)) for d in YAML(typ="safe", pure=True).load_all(GOOD)]


@pytest.fixture
def connection() -> dict[str, Any]:
    return bodies()[1] | {"options": {"root": "/srv/retailer"}}


@pytest.fixture
def dataset() -> dict[str, Any]:
    return bodies()[3]


@pytest.fixture
def rule() -> dict[str, Any]:
    return bodies()[5]


@pytest.fixture
def folder(tmp_path: Path) -> PolicyFolder:
    (tmp_path / "a.yaml").write_text(GOOD.read_text())
    return read_folder(tmp_path)


def codes(kind: str, body: dict[str, Any], **more: Any) -> list[tuple[str, str | None]]:
    with pytest.raises(InvalidInput) as error:
        read_document(kind, body, partner=more.pop("partner", RETAILER), **more)
    assert all(p.file is None and p.line is None for p in error.value.problems)
    return [(p.code, p.field) for p in error.value.problems]


def test_a_body_is_the_document_of_a_folder(
    dataset: dict[str, Any], rule: dict[str, Any], folder: PolicyFolder
) -> None:
    read = read_document("Dataset", dataset, partner=RETAILER)
    assert read == folder.datasets[0]
    assert read_document("AnalysisRule", rule, partner=RETAILER, dataset=folder.datasets[0]) == folder.rules[0]


def test_api_version_and_kind_may_be_left_out(dataset: dict[str, Any], folder: PolicyFolder) -> None:
    bare = {k: v for k, v in dataset.items() if k not in ("apiVersion", "kind", "name")}
    assert read_document("Dataset", bare, partner=RETAILER, address={"name": dataset["name"]}) == folder.datasets[0]


def test_a_rule_without_its_dataset_keeps_dates_as_written(rule: dict[str, Any]) -> None:
    read = read_document("AnalysisRule", rule, partner=RETAILER)
    assert isinstance(read, AnalysisRule)
    assert read.column("signup_date").filter == Use(Grain.INSTANT)


@pytest.mark.parametrize(
    ("key", "value"), [("apiVersion", "cleanroom/v2"), ("kind", "Connection"), ("kind", None), ("kind", ["Dataset"])]
)
def test_a_header_that_does_not_fit_is_refused(key: str, value: object, dataset: dict[str, Any]) -> None:
    assert codes("Dataset", dataset | {key: value}) == [("policy.contradiction", key)]


def test_a_name_other_than_the_address_is_refused(dataset: dict[str, Any]) -> None:
    assert codes("Dataset", dataset, address={"name": "retailer.orders"}) == [("policy.contradiction", "name")]


@pytest.mark.parametrize("kind", ["Collaboration", "PolicyTest", "nothing"])
def test_other_kinds_are_not_written_over_http(kind: str) -> None:
    body = next((b for b in bodies() if b["kind"] == kind), {})
    assert codes(kind, body)[0][1] == "kind"


def test_documents_of_another_partner_are_refused(
    connection: dict[str, Any], dataset: dict[str, Any], rule: dict[str, Any]
) -> None:
    other = PartnerName("publisher")
    assert codes("Connection", connection, partner=other) == [("policy.not_permitted", "partner")]
    assert codes("Dataset", dataset, partner=other) == [("policy.not_permitted", "name")]
    assert codes("AnalysisRule", rule, partner=other) == [("policy.not_permitted", "dataset")]


@pytest.mark.parametrize("root", ["data", "../data", "./data", "/srv/../etc", "~/data", "file:///srv"])
def test_a_root_that_is_not_absolute_is_refused(root: str, connection: dict[str, Any]) -> None:
    assert codes("Connection", connection | {"options": {"root": root}}) == [("policy.invalid_value", "options.root")]


@pytest.mark.parametrize("root", ["/srv/\u0000", "/srv/\ud800", "/srv/\n\u001b"])
def test_a_root_of_control_characters_is_refused(root: str, connection: dict[str, Any]) -> None:
    assert codes("Connection", connection | {"options": {"root": root}}) == [("policy.invalid_value", "options.root")]


def test_an_absolute_root_is_kept_in_one_spelling(connection: dict[str, Any]) -> None:
    read = read_document("Connection", connection | {"options": {"root": "/srv//retailer/./"}}, partner=RETAILER)
    assert isinstance(read, Connection)
    assert read.options == {"root": "/srv/retailer"}


def test_all_problems_come_at_once(rule: dict[str, Any]) -> None:
    wrong = rule | {
        "count_row": True,
        "analyses": "approved",
        "aggregation_threshold": {"minimum": 1},
        "query_runners": 1,
    }
    assert sorted(codes("AnalysisRule", wrong)) == [
        ("policy.contradiction", "aggregation_threshold.minimum"),
        ("policy.invalid_value", "analyses"),
        ("policy.invalid_value", "query_runners"),
        ("policy.unknown_key", "count_row"),
    ]


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, True, 1.5, [[]], {"a": {"b": []}}])
def test_any_value_in_any_place_is_read_or_refused(value: object) -> None:
    for body in bodies():
        for key in body:
            with contextlib.suppress(InvalidInput):
                read_document(body["kind"], body | {key: value}, partner=RETAILER)


@pytest.mark.parametrize("value", [list(range(20_000)), {str(i): [i] for i in range(10_000)}], ids=["list", "mapping"])
def test_a_body_of_very_many_values_is_refused_at_once(value: object, rule: dict[str, Any]) -> None:
    assert codes("AnalysisRule", rule | {"columns": value}) == [("policy.too_large", None)]


def test_of_very_many_unknown_keys_the_first_are_told(rule: dict[str, Any]) -> None:
    assert len(codes("AnalysisRule", rule | {f"key{i}": 1 for i in range(10_000)})) == 50


def test_a_rule_is_held_against_its_dataset_and_collaboration(rule: dict[str, Any], folder: PolicyFolder) -> None:
    wrong = rule | {"query_runners": ["retailer"], "columns": rule["columns"] | {"phone": {"group": True}}}
    read = read_document("AnalysisRule", wrong, partner=RETAILER)
    assert isinstance(read, AnalysisRule)
    found = check_rule(read, folder.datasets[0], folder.collaborations[0], folder.datasets)
    assert [(p.code, p.field) for p in found] == [
        ("policy.unknown_name", "columns.phone"),
        ("policy.not_permitted", "query_runners"),
    ]


def test_a_rule_alone_is_not_held_against_datasets_that_are_not_known(folder: PolicyFolder) -> None:
    assert check_rule(folder.rules[0], folder.datasets[0], folder.collaborations[0]) == ()


def test_a_dataset_needs_a_connection_of_its_own_partner(folder: PolicyFolder) -> None:
    own, others = folder.connections
    assert check_dataset(folder.datasets[0], own) == ()
    missing = check_dataset(folder.datasets[0], None)
    assert [(p.code, p.field) for p in missing] == [("policy.unknown_name", "connection")]
    assert check_dataset(folder.datasets[0], others) == missing


def test_the_secrets_of_partners_with_alike_names_stay_apart(folder: PolicyFolder) -> None:
    connection = folder.connections[0]
    assert check_connection(connection, [RETAILER, PartnerName("retail")]) == ()
    assert [p.code for p in check_connection(connection, [PartnerName("retailer-lake")])] == []
    longer = Connection(
        **{f: getattr(connection, f) for f in ("name", "partner", "type", "options")}, secret=f"{connection.secret}_1"
    )
    assert [p.code for p in check_connection(longer, [PartnerName("retailer-lake")])] == ["policy.secret"]
