"""Secrets over HTTP: written, listed by name, forgotten; no answer ever holds one."""

from __future__ import annotations

from typing import Any

import pytest

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Role
from cleanroom.store.opened_secrets import stored_secret
from tests.api.conftest import House


def _kept(house: House, partner: str = "shop", name: str = "lake") -> str | None:
    return stored_secret(house.home.database, house.home.drawers.master_keys, PartnerName(partner), name)


def test_a_secret_is_kept_listed_and_forgotten(house: House) -> None:
    owner = house.caller("shop", Role.DATA_OWNER)
    assert owner.put("/v1/secrets/lake", {"value": "hunter2"}).data == b""
    assert _kept(house) == "hunter2"
    assert owner.put("/v1/secrets/lake", {"value": "hunter3"}).status_code == 204
    assert _kept(house) == "hunter3"
    listed = owner.get("/v1/secrets")
    assert [set(secret) for secret in listed.json["secrets"]] == [{"name", "written_at", "author"}]
    assert listed.json["secrets"][0]["name"] == "lake"
    assert b"hunter" not in listed.data
    assert owner.ask("DELETE", "/v1/secrets/lake").status_code == 204
    assert owner.ask("DELETE", "/v1/secrets/lake").json["code"] == "name.unknown"
    assert house.kinds()[-3:] == ["secret.written", "secret.written", "secret.removed"]


def test_partners_do_not_meet(house: House) -> None:
    shop, press = house.caller("shop", Role.DATA_OWNER), house.caller("press", Role.DATA_OWNER)
    shop.put("/v1/secrets/lake", {"value": "hunter2"})
    assert press.get("/v1/secrets").json == {"secrets": []}
    assert press.ask("DELETE", "/v1/secrets/lake").status_code == 404
    press.put("/v1/secrets/lake", {"value": "theirs"})
    assert (_kept(house), _kept(house, "press")) == ("hunter2", "theirs")


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("lake", {}),
        ("lake", {"value": ""}),
        ("lake", {"value": "x" * 8193}),
        ("lake", {"value": None}),
        ("lake", {"value": 7}),
        ("lake", {"value": "hunter2\0"}),
        ("lake", {"value": "hunter2", "name": "lake"}),
        ("lake", ["hunter2"]),
        ("Lake", {"value": "hunter2"}),
        ("l" * 64, {"value": "hunter2"}),
        ("la.ke", {"value": "hunter2"}),
        ("%00", {"value": "hunter2"}),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(house: House, name: str, body: Any) -> None:
    answer = house.caller("shop", Role.DATA_OWNER).put(f"/v1/secrets/{name}", body)
    assert answer.status_code in (404, 422)
    assert b"hunter2" not in answer.data
    assert house.home.drawers.secrets.list() == ()
