"""Requests made from the OpenAPI document, right and wrong, by every role and by nobody: it describes each answer.

What is drawn is the same in every run, but for the campaign that is marked long.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cleanroom.api.app import create_app
from cleanroom.bootstrap import open_home
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, SETTINGS, House

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
CALM = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
QUICK = settings(max_examples=4, derandomize=True, phases=[Phase.generate], **CALM)
LONG = settings(max_examples=400, phases=[Phase.generate, Phase.shrink], **CALM)
METRICS = "the-operators-metrics-token"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, furnished: Path) -> Iterator[House]:
    """One home for all requests: what some leave behind, others find."""
    folder = tmp_path_factory.mktemp("drawn")
    shutil.copytree(furnished / "home", folder / "home")
    home = open_home(folder / "home")
    home.drawers.executors.stamp("drawn", home.clock.now())
    app = create_app(home, replace(SETTINGS, metrics_token=METRICS, wait_limit_s=1, heartbeat_limit_s=3600))
    yield House(home, app, furnished / "shop")
    home.close()


@pytest.fixture(scope="module")
def tokens(house: House) -> tuple[str | None, ...]:
    """Of each role of the owner, the runner and a stranger; of all roles at once; the operator's own; a wrong one; none."""
    made = [house.caller(partner, role).token for partner in ("shop", "press") for role in Role]
    whole = [house.caller(partner, *Role).token for partner in ("shop", "press", "stranger")]
    return (*made, *whole, METRICS, "wrong", None)


@pytest.fixture(scope="module")
def known(house: House) -> Mapping[str, tuple[str, ...]]:
    """What an address may name that is there, by the name of its part."""
    analyst = house.caller("press", Role.ANALYST)
    done = analyst.submit().json["id"]
    house.answer(done)
    refused = analyst.submit("SELECT notes FROM shop.customers").json["id"]
    return {
        "collaboration": ("media",),
        "dataset": ("shop.customers",),
        "connection": ("shop-lake",),
        "query": (done, refused),
        "number": ("0", "1"),
    }


SQL = st.sampled_from(
    (
        APPROVED,
        "SELECT notes FROM shop.customers",
        "SELECT",
        "SELECT COUNT(*) FROM shop.customers, shop.customers",
        "WITH a AS (SELECT 1) SELECT * FROM a",
        "\u0000",
        "x" * 40_000,
    )
)


def operations(app: Flask) -> Iterator[Any]:
    """Every operation of the document."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        yield found.ok()


def campaign(
    operation: Any, tokens: tuple[str | None, ...], known: Mapping[str, tuple[str, ...]], how: settings
) -> None:
    """Holds: every answer that the operation gave is described."""
    cases = operation.as_strategy(generation_mode=GenerationMode.POSITIVE) | operation.as_strategy(
        generation_mode=GenerationMode.NEGATIVE
    )

    @how
    @given(cases, st.data())
    def ask(case: Any, data: st.DataObject) -> None:
        _name_what_is_there(case, data, known)
        token = data.draw(st.sampled_from(tokens))
        case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() != "authorization"}
        if token is not None:
            case.headers["Authorization"] = f"Bearer {token}"
        case.call_and_validate(checks=CHECKS)

    ask()


def _name_what_is_there(case: Any, data: st.DataObject, known: Mapping[str, tuple[str, ...]]) -> None:
    """In two of three requests the address names what is there, and the text asked is SQL."""
    for name, values in known.items():
        if name in (case.path_parameters or {}) and data.draw(st.integers(0, 2)):
            case.path_parameters[name] = data.draw(st.sampled_from(values))
    if isinstance(case.body, dict) and isinstance(case.body.get("sql"), str) and data.draw(st.integers(0, 2)):
        case.body["sql"] = data.draw(SQL)
        case.body.pop("dialect", None)


def failures(house: House, tokens: tuple[str | None, ...], known: Mapping[str, tuple[str, ...]], how: settings) -> str:
    """What the document does not describe, by operation."""
    found = []
    for operation in operations(house.app):
        try:
            campaign(operation, tokens, known, how)
        except (Exception, BaseExceptionGroup) as error:
            found.append(f"{operation.label}: {error}")
    return "\n\n".join(found)


def test_every_answer_is_one_that_the_document_describes(
    house: House, tokens: tuple[str | None, ...], known: Mapping[str, tuple[str, ...]]
) -> None:
    assert failures(house, tokens, known, QUICK) == ""


@pytest.mark.long
def test_every_answer_of_a_long_campaign_is_one_that_the_document_describes(
    house: House, tokens: tuple[str | None, ...], known: Mapping[str, tuple[str, ...]]
) -> None:
    assert failures(house, tokens, known, LONG) == ""
