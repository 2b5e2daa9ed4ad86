"""The permission table walked whole: every endpoint, by every role in every place, of the owner, the runner, a receiver
and a stranger."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cleanroom.api.permissions import ACCESS, PUBLIC
from cleanroom.domain.collaboration import ChangeState, Invite, Remove
from cleanroom.domain.identifiers import CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.query import Principal, Role, everywhere
from cleanroom.store.tokens import TokenRecord
from tests.api.conftest import APPROVED, COLLABORATION, Caller, House, connection, dataset, rule
from tests.api.permission_table import ELSEWHERE, PAGE, PARTNERS, PLACES, ROLES, ROWS, Cell, Row, cells, page

_NAME = re.compile(r"\{(\w+)\}")


def _query(house: House) -> str:
    """A query of press over shop's data that has succeeded; reader receives it too."""
    query: str = house.caller("press", Role.ANALYST).submit().json["id"]
    house.answer(query)
    return query


def _event(house: House) -> str:
    """The last event of such a query."""
    _query(house)
    return str(len(house.kinds()) - 1)


def _shopper(house: House) -> str:
    """A principal of shop that is an analyst in the collaboration: its name."""
    return _holder_of(house, Role.ANALYST).principal.partition("/")[2]


def _shopper_token(house: House) -> str:
    """The id of a token of such a principal."""
    return _holder_of(house, Role.ANALYST).id


def _holder_of(house: House, role: Role) -> TokenRecord:
    text = house.holder("shop", role, "media").token
    found = house.home.drawers.tokens.get(str(text).split("_")[1])
    assert found is not None
    return found


def _written(house: House, document: dict[str, Any]) -> str:
    """The document holds; its name, or what it is about."""
    house.write(document)
    return str(document.get("name") or document["dataset"])


def _template(house: House) -> str:
    """A template of shop's over its own data, approved: its first version."""
    body = {"sql": APPROVED}
    assert house.caller("shop", Role.DATA_OWNER).put("/v1/collaborations/media/templates/reach", body).status_code in (
        200,
        201,
    )
    return "reach"


GIVEN: Mapping[str, Callable[[House], str]] = {
    "query": _query,
    "event": _event,
    "shopper": _shopper,
    "template": _template,
    "folder": lambda house: str(house.data),
}
"""What {names} in a row stand for: made once for each row."""


def _admin(partner: str) -> Principal:
    return Principal(PrincipalId(f"{partner}/ada"), PartnerName(partner), everywhere(Role.ADMIN))


def _whole_media(house: House) -> str:
    """The collaboration with all its members, whoever left before."""
    house.write(COLLABORATION)
    return str(COLLABORATION["name"])


def _removal(house: House) -> str:
    """An open change of the whole collaboration: press wants reader out."""
    name, change = CollaborationName(_whole_media(house)), Remove(PartnerName("reader"))
    drawer = house.home.drawers.collaborations
    earlier = [r for r in drawer.changes(name, state=ChangeState.OPEN).requests if r.change == change]
    made = earlier or [drawer.propose(name, change, author=_admin("press"), at=house.home.clock.now())]
    return made[0].id


def _invitation(house: House) -> str:
    """Every member wants the stranger in."""
    drawer, at, change = (
        house.home.drawers.collaborations,
        house.home.clock.now(),
        Invite(PartnerName("stranger"), frozenset()),
    )
    shown, _ = drawer.invitations(change.partner)
    if shown:
        return shown[0].request.id
    made = drawer.propose(CollaborationName(_whole_media(house)), change, author=_admin("press"), at=at)
    for partner in ("shop", "reader"):
        drawer.vote(made.id, approves=True, author=_admin(partner), at=at)
    return made.id


def _secret(house: House) -> str:
    """A secret of shop's."""
    home = house.home
    with home.database.begin() as transaction:
        at = home.clock.now()
        home.drawers.secrets.write(transaction, PartnerName("shop"), "kept", "hunter2", author=None, at=at)
    return "kept"


EACH: Mapping[str, Callable[[House], str]] = {
    "kept": _query,
    "secret": _secret,
    "shopper_token": _shopper_token,
    "whole_media": _whole_media,
    "removal": _removal,
    "invitation": _invitation,
    "fresh": lambda _house: f"p{uuid.uuid4().hex}",
    "spare_connection": lambda house: _written(house, {**connection("shop", str(house.data)), "name": "shop-spare"}),
    "spare_dataset": lambda house: _written(house, dataset("shop.spare")),
    "spare_template": _template,
    "spare_rule": lambda house: _written(house, rule()),
}
"""As GIVEN, but made anew for each cell, for what a request that succeeds uses up."""


@pytest.fixture
def walked(house: House) -> House:
    """The house with a second collaboration of the same members."""
    house.write({**COLLABORATION, "name": ELSEWHERE})
    return house


def _callers(house: House) -> dict[tuple[str | None, str | None, str | None], Caller]:
    """One for each role in each place of each partner, and one without a token."""
    found: dict[tuple[str | None, str | None, str | None], Caller] = {(None, None, None): house.anonymous}
    for partner in PARTNERS:
        for letter, role in ROLES.items():
            for place in PLACES:
                found[partner, letter, place] = house.holder(partner, role, place)
    return found


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _NAME.sub(lambda found: given[found[1]], value)
        case dict():
            return {key: _filled(inner, given) for key, inner in value.items()}
        case list():
            return [_filled(inner, given) for inner in value]
        case _:
            return value


def _names(value: Any) -> set[str]:
    return set(_NAME.findall(str(value)))


def assert_problem_or(status: int, answer: Any) -> None:
    assert answer.status_code == status
    if status >= 400:
        assert answer.mimetype == "application/problem+json"
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.endpoint)
def test_each_caller_gets_what_the_table_says(walked: House, row: Row) -> None:
    named = _names(row.path) | _names(row.body)
    given = {name: GIVEN[name](walked) for name in named & set(GIVEN)}
    callers = _callers(walked)
    wrong = []
    for cell in cells(row):
        known = {**given, **{name: EACH[name](walked) for name in named & set(EACH)}}
        caller = callers[cell.partner, cell.role, cell.place]
        answer = caller.ask(row.method, _filled(row.path, known), _filled(row.body, known))
        if answer.status_code != cell.status:
            wrong.append((_told(cell), answer.status_code, answer.json and answer.json.get("code")))
        else:
            assert_problem_or(cell.status, answer)
    assert wrong == []


def _told(cell: Cell) -> str:
    return f"{cell.role} {PLACES[cell.place]} of {cell.partner}: not {cell.status}"


def test_every_endpoint_is_walked_here(house: House) -> None:
    missing = set(ACCESS) - {row.endpoint for row in ROWS}
    assert not missing, f"add a Row for {sorted(missing)} to tests/api/permission_table.py"
    assert {row.endpoint for row in ROWS} == set(ACCESS)
    assert {r.endpoint for r in house.app.url_map.iter_rules()} == set(ACCESS) | PUBLIC


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.endpoint)
def test_the_row_asks_the_endpoint_that_it_names(house: House, row: Row) -> None:
    address = house.app.url_map.bind("localhost")
    assert address.match(_NAME.sub("x", row.path), method=row.method)[0] == row.endpoint


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.api.permission_table`"


def test_an_endpoint_without_an_entry_is_closed(house: House) -> None:
    house = house.rebuilt()
    house.app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    assert_problem_or(403, house.caller("shop").get("/forgotten"))
    assert_problem_or(401, house.anonymous.get("/forgotten"))


def test_listings_show_what_is_where_the_role_holds(walked: House) -> None:
    query = _query(walked)
    for place, shown in ((None, True), ("media", True), (ELSEWHERE, False)):
        analyst, owner = walked.holder("press", Role.ANALYST, place), walked.holder("shop", Role.DATA_OWNER, place)
        names = [c["name"] for c in analyst.get("/v1/collaborations").json["collaborations"]]
        assert names == ([place] if place else sorted(["media", ELSEWHERE]))
        for caller in (analyst, owner):
            assert ([q["id"] for q in caller.get("/v1/queries").json["queries"]] == [query]) is shown


def test_the_log_shows_what_is_where_the_role_holds(walked: House) -> None:
    query = _query(walked)
    for role in (Role.DATA_OWNER, Role.AUDITOR):
        whole, here, there = (_log(walked.holder("shop", role, place)) for place in (None, "media", ELSEWHERE))
        assert query in whole
        assert query in here
        assert query not in there
        assert "connection.written" in whole
        assert "connection.written" not in here + there
        assert ('"kind":"collaboration.written"' in there) is (role is Role.AUDITOR)


def _log(caller: Caller) -> str:
    events = caller.get("/v1/audit/events?limit=200").json["events"]
    return "\n".join(event["canonical"] for event in events)


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
    caller: Caller = house.caller("press", Role.ANALYST)
    assert caller.get("/v1/queries").status_code == 200
    with house.home.database.begin() as transaction:
        for token in house.home.drawers.tokens.list():
            house.home.drawers.tokens.revoke(transaction, token.id, at=house.home.clock.now())
    assert_problem_or(401, caller.get("/v1/queries"))
