"""The compose file keeps what it promises, as far as that shows without an engine that runs it: its schema, its commands,
and who is given what."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cleanroom.api.__main__ import main as api
from cleanroom.cli.app import cleanroom
from cleanroom.executor.__main__ import main as executor

PROJECT = Path(__file__).resolve().parent.parent
FILE = PROJECT / "compose.yaml"
TEXT = FILE.read_text(encoding="utf-8")
OURS = ("api", "executor", "admin")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
    return document


def test_it_is_a_compose_file() -> None:
    """The schema of the compose specification comes with the checker: nothing is fetched."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": "", "HOME": "/nonexistent"}
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_key_would_not_pass(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(TEXT.replace("cap_drop:", "cap_dropped:"))
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(wrong)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_there_is_no_default_password() -> None:
    given = re.findall(r"\$\{(\w+)(:[-?])([^}]*)\}", TEXT)
    assert given
    for name, how, text in given:
        assert how == ":?" or (name, text) == ("CLEANROOM_METRICS_TOKEN", "")
    assert "PASSWORD" not in re.sub(r"\$\{[^}]*\}|^ *#.*$|POSTGRES_PASSWORD:", "", TEXT, flags=re.MULTILINE)


@pytest.mark.parametrize(("service", "command"), [("api", api), ("executor", executor), ("admin", cleanroom)])
def test_its_commands_are_commands(compose: dict[str, Any], service: str, command: Any) -> None:
    words = [str(word) for word in compose["services"][service]["command"]]
    if words == ["--help"]:
        return
    with command.make_context(service, words, ignore_unknown_options=False):
        pass


def test_only_executors_are_given_partners_secrets_and_data(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name, service in services.items() if "env_file" in service] == ["executor"]
    assert [name for name, service in services.items() if "'/data'" in str(service.get("volumes"))] == ["executor"]
    assert [name for name, service in services.items() if "METRICS" in str(service.get("environment"))] == ["api"]


def test_what_is_reached_from_outside_is_the_server_on_loopback(compose: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"api": ["127.0.0.1:8000:8000"]}
    assert compose["networks"]["store"]["internal"] is True
    for name in ("database", "executor", "admin"):
        assert compose["services"][name]["networks"] == ["store"]


@pytest.mark.parametrize("service", OURS)
def test_our_containers_can_do_little(compose: dict[str, Any], service: str) -> None:
    found = compose["services"][service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]


def test_every_service_has_a_word_on_its_health(compose: dict[str, Any]) -> None:
    assert all("healthcheck" in service for service in compose["services"].values())


def test_every_volume_and_network_is_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service["networks"]) <= set(compose["networks"])
        named = [v.partition(":")[0] for v in service["volumes"] if isinstance(v, str)]
        assert set(named) <= set(compose["volumes"])
