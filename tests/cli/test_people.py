"""The operator decides who may act: partners, principals, tokens and the issuers that vouch for people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cleanroom.bootstrap import open_home
from cleanroom.domain.errors import NotAuthenticated
from tests.cli.commands import Terminal

NEW_TOKEN = ("token", "create", "--partner", "publisher", "--name", "insights", "--role", "analyst")
NEW_ISSUER = ("issuer", "add", "--partner", "publisher", "--audience", "clean", "--issuer")


def listed(terminal: Terminal, *words: str) -> list[dict[str, Any]]:
    ran = terminal(*words, "--output", "json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def refusal(terminal: Terminal, token: str) -> str | None:
    home = open_home(terminal.home)
    try:
        home.drawers.tokens.authenticate(token)
    except NotAuthenticated as error:
        return error.code
    finally:
        home.close()
    return None


def test_a_partner_is_suspended_and_takes_part_again(terminal: Terminal) -> None:
    terminal("init")
    assert terminal("partner", "add", "publisher", "--title", "The Publisher", "--contact", "it@p.example").code == 0
    token = terminal(*NEW_TOKEN).out.strip()
    assert [(p["name"], p["title"]) for p in listed(terminal, "partner", "list")][1:] == [
        ("publisher", "The Publisher")
    ]
    for word, found in (("suspend", "auth.partner_suspended"), ("resume", None)):
        assert terminal("partner", word, "publisher").code == 0
        assert refusal(terminal, token) == found
    assert "already" not in terminal("partner", "list").out


def test_a_principal_is_granted_more_and_disabled(terminal: Terminal) -> None:
    terminal("init")
    token = terminal(*NEW_TOKEN, "--collaboration", "retail-media").out.strip()
    assert terminal("principal", "grant", "publisher/insights", "--role", "auditor").code == 0
    assert terminal("principal", "revoke", "publisher/insights", "--role", "admin").code == 0
    (found,) = listed(terminal, "principal", "list", "--partner", "publisher")
    assert (found["id"], found["grants"]) == ("publisher/insights", "analyst@retail-media, auditor")
    for word, code in (("disable", "auth.principal_disabled"), ("enable", None)):
        assert terminal("principal", word, "publisher/insights").code == 0
        assert refusal(terminal, token) == code


def test_a_token_ends_after_ninety_days_unless_said(terminal: Terminal) -> None:
    terminal("init")
    for words in ((), ("--expires-days", "0"), ("--expires-days", "1")):
        terminal(*NEW_TOKEN, *words)
    ends = [t["expires_at"] for t in listed(terminal, "token", "list", "--partner", "publisher")]
    assert [end is not None for end in ends] == [True, False, True]
    assert ends[0] > ends[2]


def test_a_revoked_token_opens_nothing_and_its_secret_is_in_no_list(terminal: Terminal) -> None:
    terminal("init")
    token = terminal(*NEW_TOKEN).out.strip()
    (found,) = listed(terminal, "token", "list", "--partner", "publisher")
    assert found["scopes"] == "analyst"
    assert token[21:] not in terminal("token", "list").out
    assert terminal("token", "revoke", found["id"]).code == 0
    assert refusal(terminal, token) == "auth.token_unknown"
    assert terminal("token", "revoke", found["id"]).code == 0


def test_an_issuer_speaks_for_one_partner_until_it_is_removed(terminal: Terminal) -> None:
    terminal("init")
    url = "https://login.example/realms/publisher"
    words = ("--role-map", "asks=analyst@retail-media", "--role-map", "a=b=admin", "--roles-claim", "realm.roles")
    assert terminal(*NEW_ISSUER, url, *words).code == 0
    (found,) = listed(terminal, "issuer", "list")
    assert found == {
        "issuer": url,
        "partner": "publisher",
        "audience": "clean",
        "roles_claim": "realm.roles",
        "role_map": "asks=analyst@retail-media, a=b=admin",
    }
    again = terminal("issuer", "add", "--partner", "retailer", "--audience", "clean", "--issuer", url)
    assert (again.code, "issuer.exists" in again.err) == (4, True)
    home = open_home(terminal.home)
    assert [e.event.kind.value for e in home.drawers.log.events()][-2:] == ["partner.added", "issuer.added"]
    home.close()
    assert terminal("issuer", "remove", url).code == 0
    assert listed(terminal, "issuer", "list") == []


def test_somebody_of_an_issuer_is_disabled_before_it_ever_came(terminal: Terminal) -> None:
    terminal("init")
    assert terminal("principal", "disable", "publisher/oidc:auth0|a/b").code == 2
    terminal("partner", "add", "publisher")
    assert terminal("principal", "disable", "publisher/oidc:auth0|a/b").code == 0
    found = listed(terminal, "principal", "list", "--partner", "publisher")
    assert [(p["id"], p["grants"], p["disabled_at"] is not None) for p in found] == [
        ("publisher/oidc:auth0|a/b", "", True)
    ]


@pytest.mark.parametrize(
    "words",
    [
        ("partner", "add", "Publisher"),
        ("partner", "add", "p", "--title", "t" * 201),
        ("partner", "suspend", "nobody"),
        ("principal", "disable", "publisher"),
        ("principal", "disable", "publisher/Insights"),
        ("principal", "disable", "publisher/oidc:"),
        ("principal", "disable", "publisher/oidc:a\nb"),
        ("principal", "disable", "publisher/nobody"),
        ("principal", "grant", "publisher/nobody", "--role", "admin"),
        ("principal", "grant", "publisher/insights", "--role", "emperor"),
        ("principal", "grant", "publisher/insights"),
        ("token", "revoke", "nothing"),
        (*NEW_TOKEN, "--collaboration", "Retail Media"),
        (*NEW_TOKEN, "--expires-days", "-1"),
        (*NEW_ISSUER, "http://login.example"),
        (*NEW_ISSUER, "https://login.example?x"),
        (*NEW_ISSUER, "https://login.example", "--role-map", "asks"),
        (*NEW_ISSUER, "https://login.example", "--role-map", "asks=emperor"),
        (*NEW_ISSUER, "https://login.example", "--role-map", "asks=analyst@"),
        (*NEW_ISSUER, "https://login.example", "--role-map", "=analyst"),
        ("issuer", "remove", "https://login.example"),
    ],
    ids=str,
)
def test_wrong_words_are_wrong_usage_and_change_nothing(terminal: Terminal, words: tuple[str, ...]) -> None:
    terminal("init")
    ran = terminal(*words)
    assert ran.code == 2
    assert "Traceback" not in ran.everything
    home = open_home(terminal.home)
    events = home.drawers.log.size()
    home.close()
    assert events == 4  # of `init`: the log, a partner, a principal, a token
