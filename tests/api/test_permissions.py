"""The permission table walked whole: every endpoint, by every role, of the owner, the runner, a receiver and a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from cleanroom.api.permissions import ACCESS, PUBLIC
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, Caller, House, connection, dataset, rule

A, O, X, U = Role.ANALYST, Role.DATA_OWNER, Role.ADMIN, Role.AUDITOR  # noqa: E741
PARTNERS = ("press", "shop", "reader", "stranger")  # runs and receives | owns the data | receives | is no member


@dataclass(frozen=True)
class Walk:
    """One endpoint: what is asked, the roles that may, and the status for each of PARTNERS when a role may."""

    endpoint: str
    method: str
    path: str
    roles: frozenset[Role]
    statuses: tuple[int, int, int, int]
    body: Any = None


def roles(*names: Role) -> frozenset[Role]:
    return frozenset(names)


MEDIA = "/v1/collaborations/media"
SQL = {"sql": APPROVED}
WALKS = (
    Walk("queries.submit", "POST", f"{MEDIA}/queries", roles(A), (202, 422, 422, 404), SQL),
    Walk("queries.check", "POST", f"{MEDIA}/queries:check", roles(A), (200, 200, 200, 404), SQL),
    Walk("queries.listing", "GET", "/v1/queries", roles(A, O, U), (200, 200, 200, 200)),
    Walk("queries.result", "GET", "/v1/queries/{done}/result", roles(A), (200, 404, 200, 404)),
    Walk("queries.cancel", "POST", "/v1/queries/{done}:cancel", roles(A), (409, 404, 403, 404)),
    Walk("collaborations.listing", "GET", "/v1/collaborations", roles(A, O, X, U), (200, 200, 200, 200)),
    Walk("collaborations.read", "GET", MEDIA, roles(A, O, X, U), (200, 200, 200, 404)),
    Walk("collaborations.datasets", "GET", f"{MEDIA}/datasets", roles(A, O, X, U), (200, 200, 200, 404)),
    Walk("agreements.effective", "GET", f"{MEDIA}/effective", roles(A, O, X, U), (200, 200, 200, 404)),
    Walk("agreements.readiness", "GET", f"{MEDIA}/readiness", roles(A, O, X, U), (200, 200, 200, 404)),
    Walk("documents.put_dataset", "PUT", "/v1/datasets/shop.customers", roles(O), (404, 200, 404, 404), dataset()),
    Walk("documents.put_rule", "PUT", f"{MEDIA}/rules/shop.customers", roles(O), (404, 200, 404, 404), rule()),
    Walk("audit.events", "GET", "/v1/audit/events", roles(U, O), (200, 200, 200, 200)),
    Walk("audit.checkpoint", "GET", "/v1/audit/checkpoint", roles(U, O), (200, 200, 200, 200)),
)

READING = {  # GET /v1/queries/{done}: the status by role, for each of PARTNERS
    A: (200, 404, 200, 404),
    O: (404, 200, 404, 404),
    X: (403, 403, 403, 403),
    U: (200, 200, 200, 404),
}


@pytest.fixture
def done(house: House) -> str:
    query: str = house.caller("press", A).submit().json["id"]
    house.answer(query)
    return query


def assert_problem_or(status: int, answer: Any) -> None:
    assert answer.status_code == status
    if status >= 400:
        assert answer.mimetype == "application/problem+json"
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("walk", WALKS, ids=lambda w: w.endpoint)
def test_each_role_of_each_partner_gets_what_the_table_says(house: House, done: str, walk: Walk) -> None:
    path = walk.path.format(done=done)
    for partner, status in zip(PARTNERS, walk.statuses, strict=True):
        for role in Role:
            answer = house.caller(partner, role).ask(walk.method, path, walk.body)
            assert_problem_or(status if role in walk.roles else 403, answer)
    assert_problem_or(401, house.anonymous.ask(walk.method, path, walk.body))


def test_reading_a_query_depends_on_role_and_side(house: House, done: str) -> None:
    for role, statuses in READING.items():
        for partner, status in zip(PARTNERS, statuses, strict=True):
            assert_problem_or(status, house.caller(partner, role).get(f"/v1/queries/{done}"))
    assert_problem_or(401, house.anonymous.get(f"/v1/queries/{done}"))


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("partner", PARTNERS)
def test_a_connection_is_its_partners_data_owner_s_alone(house: House, partner: str, role: Role) -> None:
    answer = house.caller(partner, role).put("/v1/connections/shop-lake", connection("shop", str(house.data)))
    if role is not O:
        assert_problem_or(403, answer)
    elif partner == "shop":
        assert answer.json["change"] == "unchanged"
    else:
        assert_problem_or(422, answer)
        assert answer.json["problems"][0]["code"] == "policy.not_permitted"


@pytest.mark.parametrize("role", [A, X])
def test_proofs_are_not_for_analysts_and_admins(house: House, role: Role) -> None:
    assert_problem_or(403, house.caller("shop", role).get("/v1/audit/events/0/proof"))


def test_events_of_others_have_no_proof(house: House, done: str) -> None:
    last = len(house.kinds()) - 1
    for partner, status in zip(PARTNERS, (200, 200, 404, 404), strict=True):
        assert_problem_or(status, house.caller(partner, U).get(f"/v1/audit/events/{last}/proof"))
    for partner, status in zip(PARTNERS, (200, 200, 404, 404), strict=True):
        assert_problem_or(status, house.caller(partner, O).get(f"/v1/audit/events/{last}/proof"))


def test_every_endpoint_is_walked_here(house: House) -> None:
    walked = {w.endpoint for w in WALKS} | {"queries.read", "documents.put_connection", "audit.proof"}
    assert walked == set(ACCESS)
    assert {r.endpoint for r in house.app.url_map.iter_rules()} == walked | PUBLIC


def test_an_endpoint_without_an_entry_is_closed(house: House) -> None:
    house = house.rebuilt()
    house.app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert_problem_or(403, house.caller("shop").get("/forgotten"))
    assert_problem_or(401, house.anonymous.get("/forgotten"))


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/openapi.json", "/static/docs.js"])
def test_public_pages_ask_for_no_token(house: House, path: str) -> None:
    assert house.anonymous.get(path).status_code == 200


WRONG = ["", "Bearer", "Bearer ", "Basic abc", "Bearer crt_x_y", "bearer crt_a", "Token x", "Bearer é", "Bearer a b"]


@pytest.mark.parametrize("header", [*WRONG, "Bearer " + "a" * 5000])
def test_a_wrong_token_is_401_with_the_scheme(house: House, header: str) -> None:
    client = house.app.test_client()
    for path in ("/v1/queries", "/v1/collaborations/media", "/v1/audit/checkpoint"):
        answer = client.get(path, headers={"Authorization": header.encode().decode("latin-1")})
        assert_problem_or(401, answer)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_opens_nothing(house: House) -> None:
    caller: Caller = house.caller("press", A)
    assert caller.get("/v1/queries").status_code == 200
    with house.home.database.begin() as transaction:
        for token in house.home.drawers.tokens.list():
            house.home.drawers.tokens.revoke(transaction, token.id, at=house.home.clock.now())
    assert_problem_or(401, caller.get("/v1/queries"))
