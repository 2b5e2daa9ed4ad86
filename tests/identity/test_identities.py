"""Tokens of a real issuer on this machine: what opens, for whom, and everything that does not."""

from __future__ import annotations

import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from cleanroom.bootstrap import SystemClock
from cleanroom.domain.errors import CleanroomError
from cleanroom.domain.identifiers import CollaborationName, PartnerName
from cleanroom.domain.people import Credential, Issuer
from cleanroom.domain.query import Grant, Role
from cleanroom.identity import Identities, issuer_problem
from cleanroom.identity.fetching import Unfetchable, fetch_json
from cleanroom.identity.keys import IssuerKeys
from cleanroom.identity.locations import fetchable
from tests.identity.issuer import AUDIENCE, DISCOVERY, RSA, RunningIssuer, by_hand, new_key, running

ROLE_MAP = (
    ("asks", Grant(Role.ANALYST)),
    ("asks", Grant(Role.AUDITOR, CollaborationName("media"))),
    ("runs", Grant(Role.ADMIN)),
)


class Monotonic:
    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def issuer() -> Iterator[RunningIssuer]:
    with running() as started:
        yield started


@pytest.fixture
def monotonic() -> Monotonic:
    return Monotonic()


@pytest.fixture
def identities(issuer: RunningIssuer, monotonic: Monotonic) -> Identities:
    trusted = {issuer.url: Issuer(issuer.url, PartnerName("press"), AUDIENCE, "roles", ROLE_MAP)}
    return Identities(trusted.get, SystemClock(), lambda url: IssuerKeys(url, now_s=monotonic))


def refusal(identities: Identities, token: str) -> str | None:
    try:
        identities.authenticate(token)
    except CleanroomError as error:
        return error.code
    return None


def opened(identities: Identities, token: str) -> Credential:
    return identities.authenticate(token)


def test_a_token_opens_for_its_subject_with_what_its_roles_are_mapped_to(
    issuer: RunningIssuer, identities: Identities
) -> None:
    found = opened(identities, issuer.token(roles=["asks", "dances"]))
    assert (found.principal.id, found.principal.partner) == ("press/oidc:ruth", "press")
    assert found.principal.grants == {ROLE_MAP[0][1], ROLE_MAP[1][1]}
    assert found.expires_at is not None
    assert found.token is None


@pytest.mark.parametrize(("kind", "alg"), [("EC", "ES256"), ("OKP", "Ed25519"), ("RSA", "PS256"), ("RSA", "RS384")])
def test_every_algorithm_of_the_list_opens(issuer: RunningIssuer, identities: Identities, kind: str, alg: str) -> None:
    key = new_key(kind)
    issuer.keys = [RSA, key]
    assert refusal(identities, issuer.token(key, alg)) is None


def test_the_older_name_of_ed25519_opens(issuer: RunningIssuer, identities: Identities) -> None:
    key = new_key("OKP")
    issuer.keys = [key]
    header, payload, _ = issuer.token(key, "Ed25519", {"alg": "Ed25519"}).split(".")
    with pytest.warns(match="EdDSA is deprecated"):
        old = jws.serialize_compact({"alg": "EdDSA", "kid": key.kid}, json.dumps(issuer.claims()), key, ["EdDSA"])
    assert refusal(identities, old) is None
    assert refusal(identities, f"{header}.{payload}.{old.split('.')[2]}") == "auth.token_unknown"


@pytest.mark.parametrize(
    ("claim", "told", "roles"),
    [
        ("roles", {"roles": "asks"}, {Role.ANALYST, Role.AUDITOR}),
        ("realm.roles", {"realm": {"roles": ["runs"]}}, {Role.ADMIN}),
        ("https://x.example/roles", {"https://x.example/roles": ["runs"]}, {Role.ADMIN}),
        ("realm.roles", {"realm": ["roles"]}, set()),
        ("roles", {"roles": None}, set()),
        ("roles", {"roles": ["asks", 1]}, set()),
        ("roles", {"roles": {"asks": True}}, set()),
        ("roles", {"roles": ["Asks", " asks", "admin", "analyst"]}, set()),
    ],
)
def test_only_names_of_the_map_in_the_named_claim_count(
    issuer: RunningIssuer, claim: str, told: dict[str, Any], roles: set[Role]
) -> None:
    configured = Issuer(issuer.url, PartnerName("press"), AUDIENCE, claim, ROLE_MAP)
    identities = Identities(lambda url: configured if url == issuer.url else None, SystemClock())
    assert opened(identities, issuer.token(**told)).principal.roles == roles


def test_what_a_token_says_of_partners_and_grants_counts_for_nothing(
    issuer: RunningIssuer, identities: Identities
) -> None:
    found = opened(identities, issuer.token(partner="shop", grants=[["admin", None]], principal="shop/root"))
    assert found.principal.id == "press/oidc:ruth"
    assert found.principal.roles == {Role.ANALYST, Role.AUDITOR}


FAR_OFF = 4_000_000_000  # seconds: the year 2096


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://another.example"},
        {"aud": ["https://another.example"]},
        {"aud": []},
        {"aud": None},
        {"aud": {"a": AUDIENCE}},
        {"iss": "https://another.example"},
        {"iss": None},
        {"iss": ["x"]},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"iat": None},
        {"iat": FAR_OFF},
        {"nbf": FAR_OFF},
        {"nbf": "now"},
        {"sub": None},
        {"sub": ""},
        {"sub": "a" * 129},
        {"sub": "a\nb"},
        {"sub": " ruth"},
        {"sub": "r\u00fcth"},
        {"sub": 7},
        {"sub": ["ruth"]},
    ],
    ids=str,
)
def test_a_token_that_says_something_else_opens_nothing(
    issuer: RunningIssuer, identities: Identities, claims: dict[str, Any]
) -> None:
    assert refusal(identities, issuer.token(**claims)) == "auth.token_unknown"


def test_times_are_held_to_within_a_minute(issuer: RunningIssuer, identities: Identities) -> None:
    now = int(time.time())
    assert refusal(identities, issuer.token(exp=now - 30, iat=now + 30, nbf=now + 30)) is None
    assert refusal(identities, issuer.token(exp=now - 90)) == "auth.token_expired"


def test_that_it_expired_is_told_only_to_who_has_a_signed_one(issuer: RunningIssuer, identities: Identities) -> None:
    token = issuer.token(exp=int(time.time()) - 900)
    assert refusal(identities, token) == "auth.token_expired"
    assert refusal(identities, token[:-8] + "AAAAAAAA") == "auth.token_unknown"


def test_a_list_of_audiences_that_names_us_opens(issuer: RunningIssuer, identities: Identities) -> None:
    assert refusal(identities, issuer.token(aud=["https://another.example", AUDIENCE])) is None


def test_a_token_without_a_signature_opens_nothing(issuer: RunningIssuer, identities: Identities) -> None:
    for alg in ("none", "None", "NONE", "", None, 1):
        for signature in (b"", b"x"):
            token = by_hand({"alg": alg, "kid": "rsa-1"}, issuer.claims(), signature)
            assert refusal(identities, token) == "auth.token_unknown"
    header, payload, _ = issuer.token().split(".")
    assert refusal(identities, f"{header}.{payload}.") == "auth.token_unknown"


@pytest.mark.parametrize("form", ["pem", "der", "json"])
def test_the_public_key_is_no_shared_secret(issuer: RunningIssuer, identities: Identities, form: str) -> None:
    public = {
        "pem": RSA.as_pem(private=False),
        "der": RSA.as_der(private=False),
        "json": json.dumps(RSA.as_dict(private=False)).encode(),
    }
    header, payload, _ = by_hand({"alg": "HS256", "kid": "rsa-1"}, issuer.claims()).split(".")
    signature = hmac.digest(public[form], f"{header}.{payload}".encode(), "sha256")
    forged = by_hand({"alg": "HS256", "kid": "rsa-1"}, issuer.claims(), signature)
    assert forged.startswith(header)
    assert refusal(identities, forged) == "auth.token_unknown"


def test_a_shared_secret_in_the_key_set_is_no_key(issuer: RunningIssuer, identities: Identities) -> None:
    secret = OctKey.generate_key(256, {"kid": "shared"})
    listed = json.dumps({"keys": [secret.as_dict(private=True), RSA.as_dict(private=False)]}).encode()
    issuer.answers["/keys"] = (200, {}, listed)
    forged = jws.serialize_compact({"alg": "HS256", "kid": "shared"}, json.dumps(issuer.claims()), secret, ["HS256"])
    assert refusal(identities, forged) == "auth.token_unknown"
    assert refusal(identities, issuer.token()) is None


def test_a_key_that_the_token_brings_is_not_looked_at(issuer: RunningIssuer, identities: Identities) -> None:
    mine = new_key(kid="rsa-1")
    for brought in (
        {"jwk": mine.as_dict(private=False)},
        {"jku": f"{issuer.url}/mine"},
        {"x5u": f"{issuer.url}/mine"},
        {"x5c": ["MIIB"]},
    ):
        assert refusal(identities, issuer.token(mine, header=brought)) == "auth.token_unknown"
        assert refusal(identities, by_hand({"alg": "RS256", **brought}, issuer.claims())) == "auth.token_unknown"
    assert set(issuer.asked) == {DISCOVERY, "/keys"}


@pytest.mark.parametrize(
    "kid", ["../../keys", "' OR 1=1", "rsa-1\x00", "http://127.0.0.1/keys", "", ["rsa-1"], {"a": 1}, 0]
)
def test_a_key_id_is_a_name_and_nothing_more(issuer: RunningIssuer, identities: Identities, kid: Any) -> None:
    good = issuer.token()
    assert refusal(identities, good) is None
    _, payload, signature = good.split(".")
    header = by_hand({"alg": "RS256", "kid": kid}, "{}").split(".")[0]
    assert refusal(identities, f"{header}.{payload}.{signature}") == "auth.token_unknown"
    assert set(issuer.asked) == {DISCOVERY, "/keys"}


@pytest.mark.parametrize(
    "header", [{"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"typ": 1}, {"crit": ["exp"]}, {"b64": False}, {"typ": None}]
)
def test_a_token_of_another_use_opens_nothing(
    issuer: RunningIssuer, identities: Identities, header: dict[str, Any]
) -> None:
    token = by_hand({"alg": "RS256", "kid": "rsa-1", **header}, issuer.claims())
    assert refusal(identities, token) == "auth.token_unknown"


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt"])
def test_access_tokens_and_plain_ones_open(issuer: RunningIssuer, identities: Identities, kind: str) -> None:
    assert refusal(identities, issuer.token(header={"typ": kind})) is None


def test_a_name_that_is_said_twice_opens_nothing(issuer: RunningIssuer, identities: Identities) -> None:
    told = json.dumps(issuer.claims())[1:]
    twice = f'{{"sub": "root", {told}'
    signed = jws.serialize_compact({"alg": "RS256", "kid": "rsa-1"}, twice, RSA)
    assert refusal(identities, signed) == "auth.token_unknown"
    header = '{"alg": "none", "alg": "RS256", "kid": "rsa-1"}'
    assert refusal(identities, by_hand(header, issuer.claims())) == "auth.token_unknown"


@pytest.mark.parametrize(
    "text",
    [
        "..",
        "a.b.c",
        "a.b",
        "a.b.c.d.e",
        "e30.e30.",
        by_hand("[]", "[]"),
        by_hand("{", "{}"),
        by_hand("[" * 3000, "{}"),
        by_hand({"alg": "RS256"}, '{"iss": NaN}'),
        by_hand({"alg": "RS256"}, {"iss": "x" * 9000}),
        "\u00e9.\u00e9.\u00e9",
    ],
    ids=range(11),
)
def test_what_is_not_a_token_opens_nothing_and_asks_nobody(
    issuer: RunningIssuer, identities: Identities, text: str
) -> None:
    assert refusal(identities, text) == "auth.token_unknown"
    assert issuer.asked == []


def test_a_huge_token_of_the_issuer_s_own_opens_nothing(issuer: RunningIssuer, identities: Identities) -> None:
    assert refusal(identities, issuer.token(extra="x" * 9000)) == "auth.token_unknown"


def test_an_issuer_that_is_not_configured_is_never_asked(issuer: RunningIssuer, identities: Identities) -> None:
    mine = new_key(kid="rsa-1")
    with running() as other:
        other.keys = [mine]
        assert refusal(identities, other.token(mine)) == "auth.token_unknown"
        assert refusal(identities, other.token(mine, iss=issuer.url)) == "auth.token_unknown"
        assert refusal(identities, other.token(RSA, iss=f"{issuer.url}/")) == "auth.token_unknown"
        assert other.asked == []


def test_each_issuer_speaks_for_its_own_partner_alone(issuer: RunningIssuer) -> None:
    with running() as other:
        speaks = {issuer.url: "press", other.url: "shop"}
        trusted = {url: Issuer(url, PartnerName(name), AUDIENCE, "roles", ROLE_MAP) for url, name in speaks.items()}
        identities = Identities(trusted.get, SystemClock())
        mine = new_key(kid="rsa-1")
        other.keys = [mine]
        assert opened(identities, other.token(mine, partner="press")).principal.id == "shop/oidc:ruth"
        assert opened(identities, issuer.token()).principal.id == "press/oidc:ruth"
        assert refusal(identities, other.token(mine, iss=issuer.url)) == "auth.token_unknown"


def test_a_new_key_is_fetched_when_it_is_first_named_and_the_old_one_goes(
    issuer: RunningIssuer, identities: Identities, monotonic: Monotonic
) -> None:
    assert refusal(identities, issuer.token()) is None
    second = new_key("EC", "ec-2")
    issuer.keys = [second]
    assert refusal(identities, issuer.token(second, "ES256")) == "auth.token_unknown"  # asked a moment ago
    monotonic.at_s += 11
    assert refusal(identities, issuer.token(second, "ES256")) is None
    assert refusal(identities, issuer.token()) == "auth.token_unknown"
    assert issuer.asked.count("/keys") == 2


def test_a_key_that_was_withdrawn_goes_within_the_hour(
    issuer: RunningIssuer, identities: Identities, monotonic: Monotonic
) -> None:
    issuer.keys = [RSA, new_key("EC")]
    assert refusal(identities, issuer.token()) is None
    issuer.keys = issuer.keys[1:]
    monotonic.at_s += 3601
    assert refusal(identities, issuer.token()) == "auth.token_unknown"


def test_strangers_cannot_make_the_server_ask_more_than_once_in_a_while(
    issuer: RunningIssuer, identities: Identities
) -> None:
    for n in range(20):
        token = by_hand({"alg": "RS256", "kid": f"k{n}"}, issuer.claims())
        assert refusal(identities, token) == "auth.token_unknown"
    assert issuer.asked.count("/keys") == 1


def test_an_issuer_that_is_down_is_told_and_known_keys_go_on_working_for_a_day(
    issuer: RunningIssuer, identities: Identities, monotonic: Monotonic
) -> None:
    down: tuple[int, dict[str, str], bytes] = (500, {}, b"")
    issuer.answers[DISCOVERY] = down
    assert refusal(identities, issuer.token()) == "auth.issuer_unavailable"
    issuer.answers.clear()
    assert refusal(identities, issuer.token()) == "auth.issuer_unavailable"  # asked a moment ago
    monotonic.at_s += 11
    assert refusal(identities, issuer.token()) is None
    issuer.answers[DISCOVERY] = down
    monotonic.at_s += 7200
    assert refusal(identities, issuer.token()) is None
    assert refusal(identities, by_hand({"alg": "RS256", "kid": "new"}, issuer.claims())) == "auth.issuer_unavailable"
    monotonic.at_s += 24 * 3600
    assert refusal(identities, issuer.token()) == "auth.issuer_unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        lambda i: (200, {}, i.about(issuer="https://another.example")),
        lambda i: (200, {}, i.about(issuer=f"{i.url}/")),
        lambda i: (200, {}, i.about(jwks_uri="http://keys.example/keys")),
        lambda i: (200, {}, i.about(jwks_uri="file:///etc/passwd")),
        lambda i: (200, {}, i.about(jwks_uri=7)),
        lambda i: (302, {"Location": f"{i.url}/moved"}, b""),
        lambda i: (200, {"Content-Encoding": "gzip"}, i.about()),
        lambda i: (200, {}, b"[]"),
        lambda i: (200, {}, b"{"),
        lambda i: (200, {}, b"\xff\xfe"),
        lambda i: (200, {}, b"[" * 100_000),
        lambda i: (200, {}, b'{"a": "' + b"x" * 300_000 + b'"}'),
        lambda i: (404, {}, b"{}"),
    ],
)
def test_an_issuer_that_says_something_else_is_not_believed(
    issuer: RunningIssuer, identities: Identities, answer: Any
) -> None:
    issuer.answers[DISCOVERY] = answer(issuer)
    issuer.answers["/moved"] = (200, {}, issuer.about())
    assert refusal(identities, issuer.token()) == "auth.issuer_unavailable"
    assert "/moved" not in issuer.asked


@pytest.mark.parametrize(
    "keys",
    [
        {"keys": "none"},
        {"keys": [7, None, [], {"kty": "RSA"}, {"kty": "RSA", "kid": "rsa-1", "n": "AQAB", "e": "AQAB"}]},
        {"keys": [{**RSA.as_dict(private=True)}]},
        {"keys": [{**RSA.as_dict(private=False), "use": "enc"}]},
        {"keys": []},
    ],
    ids=["text", "broken", "private", "encryption", "none"],
)
def test_keys_that_verify_no_signature_open_nothing(
    issuer: RunningIssuer, identities: Identities, keys: dict[str, Any]
) -> None:
    issuer.answers["/keys"] = (200, {}, json.dumps(keys).encode())
    assert refusal(identities, issuer.token()) in ("auth.token_unknown", "auth.issuer_unavailable")


def test_an_issuer_that_says_nothing_holds_nobody_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        with pytest.raises(Unfetchable):
            fetch_json(f"http://127.0.0.1:{silent.getsockname()[1]}/keys", limit_s=0.3)
        assert time.monotonic() - began_s < 4


def test_an_issuer_of_a_byte_a_moment_comes_to_an_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_drip, args=(server,))
        thread.start()
        began_s = time.monotonic()
        with pytest.raises(Unfetchable):
            fetch_json(f"http://127.0.0.1:{server.getsockname()[1]}/keys", limit_s=0.3)
        assert time.monotonic() - began_s < 4
        thread.join()


def _drip(server: socket.socket) -> None:
    accepted, _ = server.accept()
    with accepted:
        try:
            while True:
                accepted.sendall(b"X")
                time.sleep(0.05)
        except OSError:
            return


def test_nobody_listening_is_an_issuer_that_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unfetchable):
        fetch_json(f"http://127.0.0.1:{port}/keys")


@pytest.mark.parametrize(
    "url", ["https://login.example", "https://login.example/realms/a", "http://127.0.0.1:9", "http://[::1]:9"]
)
def test_these_may_be_issuers(url: str) -> None:
    assert issuer_problem(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://login.example",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "https://user:word@login.example",
        "https://login.example?a=b",
        "https://login.example#a",
        "https://login.example/a b",
        "https://login.example\\@evil.example",
        "ftp://login.example",
        "file:///etc/passwd",
        "https://",
        "https://login.example:port",
        "login.example",
        "",
        "https://l\u00f6gin.example",
        "https://login.example/" + "a" * 600,
    ],
)
def test_these_may_not(url: str) -> None:
    assert issuer_problem(url) is not None


def test_an_issuer_of_the_network_leads_to_nothing_on_this_machine_without_tls() -> None:
    assert fetchable("https://keys.example/k", "https://login.example")
    assert not fetchable("http://127.0.0.1/k", "https://login.example")
    assert not fetchable("http://keys.example/k", "http://127.0.0.1")
    assert fetchable("http://127.0.0.1:1/k", "http://127.0.0.1:2")
