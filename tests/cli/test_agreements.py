"""`policy effective` and `policy readiness`, of a folder and of a home."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.commands import POLICIES, Terminal

SAMPLES = str(POLICIES.parent.parent / "sample_partners")
MEDIA = ("--collaboration", "retail-media")


def one_sided(folder: Path) -> Path:
    """The sample policies, in which the publisher lists its pair no more."""
    shutil.copytree(POLICIES, folder)
    publisher = folder / "publisher.yaml"
    text = publisher.read_text()
    pair = "    - {dataset: retailer.customers, keys: {email_sha256: email_sha256}}\n"
    assert pair in text
    publisher.write_text(text.replace("  with:\n" + pair, ""))
    return folder


def test_the_effective_rule_is_readable(terminal: Terminal) -> None:
    ran = terminal("policy", "effective", POLICIES, *MEDIA, "--as", "publisher")
    assert ran.code == 0
    assert "publisher.impressions, retailer.customers ON email_sha256 = email_sha256" in ran.out
    assert "Nothing contradicts itself." in ran.out


def test_a_join_of_one_side_is_named_and_what_it_makes_impossible(terminal: Terminal, tmp_path: Path) -> None:
    folder = one_sided(tmp_path / "policies")
    ran = terminal("policy", "effective", folder, *MEDIA, "--output", "json")
    assert ran.code == 0
    codes = {c["code"] for c in json.loads(ran.out)["contradictions"]}
    assert codes == {"join.one_sided", "join.requirement_unmet"}
    ran = terminal("policy", "readiness", folder, *MEDIA, "--output", "json")
    assert ran.code == 3
    ready = {d["dataset"]: d["ready"] for d in json.loads(ran.out)["datasets"]}
    assert ready == {
        "publisher.creatives": True,
        "publisher.impressions": True,
        "retailer.customers": False,
        "retailer.orders": False,
    }


def test_without_a_folder_the_home_is_asked(made: Terminal) -> None:
    ran = made("policy", "readiness", *MEDIA)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("ready for publisher") == 4
    assert made("policy", "effective", *MEDIA).code == 0


def test_a_secret_that_is_referred_to_and_not_given_is_a_reason(
    made: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(POLICIES, folder)
    text = (folder / "retailer.yaml").read_text().replace("../../sample_partners", SAMPLES)
    text = text.replace("type: files\n", "type: files\nsecret: env:CLEANROOM_SECRET_RETAILER_LAKE\n", 1)
    (folder / "retailer.yaml").write_text(text)
    other = (folder / "publisher.yaml").read_text()
    (folder / "publisher.yaml").write_text(other.replace("../../sample_partners", SAMPLES))
    assert made("apply", folder).code == 0
    ran = made("policy", "readiness", *MEDIA)
    assert ran.code == 3
    assert "secret.missing" in ran.out
    monkeypatch.setenv("CLEANROOM_SECRET_RETAILER_LAKE", "given")
    assert made("policy", "readiness", *MEDIA).code == 0


@pytest.mark.parametrize("command", ["effective", "readiness"])
def test_a_collaboration_that_is_not_there_is_named_so(terminal: Terminal, command: str) -> None:
    ran = terminal("policy", command, POLICIES, "--collaboration", "nosuch")
    assert ran.code == 2
    assert "name.unknown" in ran.err


def test_a_runner_that_is_no_member_is_refused(terminal: Terminal) -> None:
    assert terminal("policy", "effective", POLICIES, *MEDIA, "--as", "stranger").code == 2


def test_readiness_of_a_home_that_is_not_there_is_an_error(terminal: Terminal) -> None:
    ran = terminal("policy", "readiness", *MEDIA)
    assert ran.code == 4
    assert "home.missing" in ran.err
