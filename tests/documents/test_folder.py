"""Policy folders: what is right is read whole, what is wrong is told all at once, each problem at its line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from cleanroom.documents import check_folder, read_folder
from cleanroom.documents.yaml_tree import MOST_NODES, read_yaml
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.finding import Finding
from cleanroom.domain.grain import Grain
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.policy import Dataset, JoinRequirement, PolicyFolder, Use

CASES = Path(__file__).parent / "cases"
GOOD = (CASES / "good.yaml").read_text(encoding="utf-8")


def cases(file: str) -> list[Any]:
    return [pytest.param(c, id=c["name"]) for c in YAML(typ="safe", pure=True).load(CASES / file)]


def folder_of(tmp_path: Path, files: Mapping[str, str | bytes]) -> Path:
    folder = tmp_path / "policies"
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def problems_of(folder: Path) -> tuple[Problem, ...]:
    try:
        return check_folder(read_folder(folder))
    except InvalidInput as error:
        return error.problems


@pytest.fixture
def good(tmp_path: Path) -> PolicyFolder:
    return read_folder(folder_of(tmp_path, {"retail.yaml": GOOD}))


def test_a_right_folder_has_no_problems(good: PolicyFolder) -> None:
    assert check_folder(good) == ()


@pytest.mark.parametrize("case", cases("changes.yaml"))
def test_a_changed_document_is_refused_at_the_line_of_the_change(case: dict[str, Any], tmp_path: Path) -> None:
    assert GOOD.count(case["was"]) >= 1, "the case no longer changes anything"
    text = GOOD.replace(case["was"], case["now"], 1)
    found = problems_of(folder_of(tmp_path, {"retail.yaml": text}))
    lines = text.splitlines()
    assert sorted(p.code for p in found) == sorted(p["code"] for p in case["problems"]), found
    for expected in case["problems"]:
        assert any(
            p.code == expected["code"]
            and p.file == "retail.yaml"
            and p.line is not None
            and expected["at"] in lines[p.line - 1]
            and expected.get("hint", "") in (p.hint or "")
            for p in found
        ), (expected, found)
    for problem in found:
        assert problem.message[0] in "`abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize("case", cases("yaml.yaml"))
def test_text_that_is_no_document_is_refused_at_its_line(case: dict[str, Any], tmp_path: Path) -> None:
    found = problems_of(folder_of(tmp_path, {"a.yaml": case["text"]}))
    assert [(p.line, p.code) for p in found] == [(p["line"], p["code"]) for p in case["problems"]], found
    assert all(p.file == "a.yaml" for p in found)
    for expected in case["problems"]:
        assert any(
            expected.get("message", "") in p.message and expected.get("hint", "") in (p.hint or "") for p in found
        )


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i + 1}: &a{i + 1} [{', '.join([f'*a{i}'] * 10)}]\n" for i in range(12)
)

RAW = {
    "UTF-16": ("a: 1\n".encode("utf-16"), "policy.syntax", 1),
    "Latin 1": ("a: 1\nb: é\n".encode("latin-1"), "policy.syntax", 2),
    "a NUL": (b"a: 1\nb: \x00\n", "policy.syntax", 2),
    "an escape sequence of terminals": (b"a: \x1b[31m\n", "policy.syntax", 1),
    "more than 1 MiB": (b"a: " + b"x" * (1 << 20), "policy.too_large", 1),
    "a billion laughs": (BOMB.encode(), "policy.too_large", 5),
    "many values": (b"a: [" + b"1," * MOST_NODES + b"1]", "policy.too_large", 1),
    "many small bombs": (
        b"".join(b"---\nx: &x [" + b"1," * 99 + b"1]\ny: [" + b"*x," * 98 + b"1]\n" for _ in range(12)),
        None,
        None,
    ),
    "deep lists": (b"[" * 5_000 + b"]" * 5_000, "policy.syntax", 1),
    "deep mappings": (b"".join(b" " * i + b"a:\n" for i in range(400)), "policy.syntax", 24),
    "deep aliases": (b"a: &a [[[[[[[[[[1]]]]]]]]]]\nb: [[[[[[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]]]]]", "policy.syntax", 2),
    "many keys": (b"".join(b"k%d: 1\n" % i for i in range(MOST_NODES)), "policy.too_large", MOST_NODES // 2),
    "many documents": (b"--- a\n" * 5_000, "policy.too_large", 1_000),
    "a long key": (b"k" * 300 + b": 1", "policy.syntax", 1),
}


@pytest.mark.parametrize("name", RAW)
def test_hostile_bytes_are_refused_with_a_place(name: str, tmp_path: Path) -> None:
    data, code, line = RAW[name]
    found = problems_of(folder_of(tmp_path, {"a.yaml": data}))
    assert found
    if code is not None:
        assert (code, line) in [(p.code, p.line) for p in found], found


def test_many_documents_share_one_bound_on_expansion() -> None:
    data = b"".join(b"---\nx: &x [" + b"1," * 99 + b"1]\ny: [" + b"*x," * 98 + b"1]\n" for _ in range(12))
    documents, problems = read_yaml(data)
    assert len(documents) == 9
    assert [p.code for p in problems] == ["policy.too_large"]


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"%@`#?, \n\t\\~<0.é\x00"), max_size=60))
def test_any_text_is_read_or_refused_and_never_fails(text: str) -> None:
    documents, problems = read_yaml(text.encode())
    assert documents or problems
    assert all(p.line is not None and 1 <= p.line <= text.count("\n") + 2 for p in problems)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_and_never_fail(data: bytes) -> None:
    documents, problems = read_yaml(data)
    assert documents or problems


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(good: PolicyFolder, tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert read_folder(folder_of(tmp_path / "other", {"retail.yaml": text})).rules == good.rules


def test_documents_may_lie_in_any_file_and_any_order(good: PolicyFolder, tmp_path: Path) -> None:
    parts = GOOD.split("---\n")
    files = {f"{'z' * i}/{9 - i}.{'yml' if i % 2 else 'yaml'}": part for i, part in enumerate(parts) if part}
    files = {name.lstrip("/"): part for name, part in files.items()}
    read = read_folder(folder_of(tmp_path / "other", files))
    assert check_folder(read) == ()
    assert sorted(read.datasets, key=lambda d: d.name) == sorted(good.datasets, key=lambda d: d.name)
    assert sorted(read.rules, key=lambda r: r.dataset) == sorted(good.rules, key=lambda r: r.dataset)


def test_anchors_and_aliases_are_read(tmp_path: Path) -> None:
    text = GOOD.replace("group: true, filter: true}", "group: &g {grain: day}, filter: *g}").replace(
        "region: {type: VARCHAR, values: [north, south, east, west]}", "region: {type: DATE}"
    )
    read = read_folder(folder_of(tmp_path, {"a.yaml": text}))
    assert read.rules[0].column("region").filter == Use(Grain.DAY)


def test_values_are_those_that_were_written(good: PolicyFolder) -> None:
    rule = good.rules[0]
    assert rule.minimum_units == 50
    assert rule.column("last_visit").group == Use(Grain.INSTANT)
    assert rule.column("last_visit").filter is None
    assert rule.column("notes").aggregate == frozenset()
    assert rule.joins.required is JoinRequirement.ANY
    assert good.datasets[0].unique == (("user_id",), ("region", "email_sha256"))
    assert good.datasets[1].privacy_units == ("email_sha256",)


def test_a_date_that_may_be_grouped_may_be_grouped_by_day(good: PolicyFolder) -> None:
    assert good.rules[0].column("signup_date").filter == Use(Grain.DAY)
    assert good.rules[0].column("signup_date").group == Use(Grain.MONTH)


def test_what_a_rule_leaves_out_is_not_allowed(good: PolicyFolder) -> None:
    rule = good.rules[1]
    assert not rule.count_rows
    assert not rule.query_runners
    assert not rule.result_receivers
    assert rule.joins.required is JoinRequirement.NONE
    assert rule.joins.kinds == {"inner"}


def test_a_root_is_resolved_against_the_file_that_names_it(tmp_path: Path) -> None:
    read = read_folder(folder_of(tmp_path, {"partners/retail.yaml": GOOD}))
    roots = {c.name: c.options["root"] for c in read.connections}
    assert roots == {
        "retailer-lake": str((tmp_path / "policies" / "data" / "retailer").resolve()),
        "publisher-logs": "/srv/publisher",
    }


def test_a_root_whose_links_go_round_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.yaml": GOOD})
    (tmp_path / "data").symlink_to(tmp_path / "data")
    assert [(p.code, p.field) for p in problems_of(folder)] == [("policy.invalid_value", "options.root")]


def test_cases_of_tests_know_their_file_and_line(good: PolicyFolder) -> None:
    test = good.tests[0]
    lines = GOOD.splitlines()
    assert test.file == "retail.yaml"
    assert [c.expect for c in test.cases] == [("join.required",), None]
    assert all(case.name in lines[case.line - 1] for case in test.cases)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert [p.code for p in problems_of(tmp_path / "nowhere")] == ["policy.no_folder"]


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(GOOD)
    assert [p.code for p in problems_of(file)] == ["policy.no_folder"]


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    assert [p.code for p in problems_of(folder_of(tmp_path, {"README.md": "# policies"}))] == ["policy.empty"]


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.yaml": GOOD})
    (tmp_path / "secret.yaml").write_text(GOOD)
    (folder / "b.yaml").symlink_to(tmp_path / "secret.yaml")
    assert [(p.code, p.file) for p in problems_of(folder)] == [("policy.outside_folder", "b.yaml")]


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.yaml": GOOD})
    (folder / "more").symlink_to(tmp_path)
    assert [(p.code, p.file) for p in problems_of(folder)] == [("policy.outside_folder", "more")]


def test_a_link_within_the_folder_is_followed(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {".hidden/v1.yaml": GOOD})
    (folder / "a.yaml").symlink_to(folder / ".hidden" / "v1.yaml")
    assert problems_of(folder) == ()


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, {"a.yaml": GOOD})
    os.mkfifo(folder / "b.yaml")
    (folder / "c.yaml").symlink_to(folder / "gone.yaml")
    assert [(p.code, p.file) for p in problems_of(folder)] == [
        ("policy.unreadable", "b.yaml"),
        ("policy.unreadable", "c.yaml"),
    ]


def test_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    files = {"a.yaml": "a: [1", "b.yaml": GOOD.replace("domain: event", "domain: x"), "c/d.yml": "- 1"}
    found = problems_of(folder_of(tmp_path, files))
    assert [(p.file, p.code) for p in found] == [
        ("a.yaml", "policy.syntax"),
        ("b.yaml", "policy.invalid_value"),
        ("c/d.yml", "policy.syntax"),
    ]


def test_a_document_that_cannot_be_understood_makes_no_other_wrong(tmp_path: Path) -> None:
    text = GOOD.replace("domain: audience", "domain: people").replace(
        "region: {group: true,", "region: {group: {grain: day},"
    )
    found = problems_of(folder_of(tmp_path, {"a.yaml": text}))
    assert [p.code for p in found] == ["policy.invalid_value"]
    text = GOOD.replace("domain: event", "domain: people").replace(
        "region: {group: true,", "region: {group: {grain: day},"
    )
    found = problems_of(folder_of(tmp_path, {"a.yaml": text}))
    assert [p.code for p in found] == ["policy.invalid_value", "policy.contradiction"]


def test_no_message_repeats_a_value_that_was_written(tmp_path: Path) -> None:
    text = GOOD.replace("env:CLEANROOM_SECRET_RETAILER_LAKE", "s3cr3t").replace("domain: event", "domain: s3cr3t")
    found = problems_of(folder_of(tmp_path, {"a.yaml": text.replace("minimum: 50", "minimum: s3cr3t")}))
    assert len(found) == 3
    assert "s3cr3t" not in str(found)


def test_a_secret_that_two_partners_could_claim_is_refused(tmp_path: Path) -> None:
    rival = "---\napiVersion: cleanroom/v1\nkind: Collaboration\nname: other\n"
    rival += "members:\n  - {partner: retailer-lake, abilities: []}\n"
    text = GOOD.replace("CLEANROOM_SECRET_RETAILER_LAKE", "CLEANROOM_SECRET_RETAILER_LAKE_KEY") + rival
    assert [(p.code, p.field) for p in problems_of(folder_of(tmp_path, {"a.yaml": text}))] == [
        ("policy.secret", "secret")
    ]


def test_an_owners_condition_is_held_against_its_dataset(good: PolicyFolder) -> None:
    asked: list[tuple[str, str]] = []

    def check(dataset: Dataset, text: str) -> tuple[Finding, ...]:
        asked.append((dataset.name, text))
        return (Finding("sql.syntax", "the condition cannot be read", hint="write a condition"),)

    found = check_folder(good, check)
    assert asked == [("retailer.customers", "consent = TRUE")]
    assert [(p.code, p.field, p.hint) for p in found] == [("sql.syntax", "row_filter", "write a condition")]
    assert found[0].line is not None
    assert GOOD.splitlines()[found[0].line - 1].startswith("row_filter:")


def test_a_folder_of_values_without_files_is_checked_without_places(good: PolicyFolder) -> None:
    bare = PolicyFolder(rules=good.rules)
    assert {(p.code, p.file, p.line) for p in check_folder(bare)} == {("policy.unknown_name", None, None)}


def test_only_partners_with_a_part_in_the_folder_are_known(good: PolicyFolder) -> None:
    from cleanroom.documents import partners_of

    assert partners_of(good) == {PartnerName("retailer"), PartnerName("publisher")}
