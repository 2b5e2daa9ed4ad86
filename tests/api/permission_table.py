"""Every endpoint, and what each caller gets of it. `python -m tests.api.permission_table` writes docs/permissions.md from it.

An endpoint is a line: Row(name in ACCESS, method, path, {roles: status of each of PARTNERS}, where the role must hold, body).
What a {name} in its path or body stands for is made in test_permissions.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from cleanroom.api.permissions import PUBLIC
from cleanroom.domain.query import Role
from tests.api.conftest import APPROVED, connection, dataset, rule

PAGE = Path(__file__).parent.parent.parent / "docs" / "permissions.md"

ROLES = {"A": Role.ANALYST, "O": Role.DATA_OWNER, "X": Role.ADMIN, "U": Role.AUDITOR}
PARTNERS = {
    "press": "a member that asks, and receives",
    "shop": "the member whose data it is",
    "reader": "a member that receives",
    "stranger": "no member",
}
MEDIA = "media"
ELSEWHERE = "elsewhere"  # another collaboration
PLACES = {None: "everywhere", MEDIA: "in this collaboration", ELSEWHERE: "in another"}


class Holds(Enum):
    """Where a role must hold, and so what somebody gets whose role holds in another collaboration alone."""

    ANYWHERE = "anywhere"  # a role in any collaboration is enough: what is listed is less
    THERE = "in the collaboration"  # 403 for a role of another one
    SEEN = "in its collaboration"  # 404: where the thing belongs nobody else learns
    PARTNER = "for the partner"  # 403 for a role in any collaboration alone


@dataclass(frozen=True)
class Row:
    """One endpoint. `gets`: for each role (letters of ROLES together where they get the same) the status that each of
    PARTNERS gets; a role that is not named gets 403. {names} in `path` and `body`: GIVEN, EACH in test_permissions.py.
    """

    endpoint: str
    method: str
    path: str
    gets: Mapping[str, tuple[int, int, int, int]]
    holds: Holds
    body: Any = None
    apart: tuple[int, int, int, int] | None = None  # for a role in another collaboration alone, where `holds` says less

    def status(self, partner: str, role: str, place: str | None) -> int:
        """What a caller of the partner gets whose one role holds there."""
        found = next((statuses for letters, statuses in self.gets.items() if role in letters), None)
        if found is None:
            return 403
        if place == ELSEWHERE and self.apart is not None:
            return self.apart[list(PARTNERS).index(partner)]
        status = found[list(PARTNERS).index(partner)]
        match self.holds, place:
            case (_, None) | (Holds.ANYWHERE, _) | (Holds.THERE | Holds.SEEN, "media"):
                return status
            case (Holds.SEEN, _):
                return 404
            case _:
                return 403


@dataclass(frozen=True)
class Cell:
    """One request: the row's, by whoever has this role in this place for this partner; `role` None: without a token."""

    row: Row
    partner: str | None
    role: str | None
    place: str | None
    status: int


ALL = (200, 200, 200, 200)
MEMBERS = (200, 200, 200, 404)
SHOP = (404, 200, 404, 404)
NONE = (404, 404, 404, 404)
IN_MEDIA = [{"role": "analyst", "collaboration": MEDIA}]
SQL = {"sql": APPROVED}
THE_MEDIA = f"/v1/collaborations/{MEDIA}"

ROWS = (
    Row("queries.submit", "POST", f"{THE_MEDIA}/queries", {"A": (202, 422, 422, 404)}, Holds.THERE, SQL),
    Row("queries.check", "POST", f"{THE_MEDIA}/queries:check", {"A": MEMBERS}, Holds.THERE, SQL),
    Row("queries.listing", "GET", "/v1/queries", {"AOU": ALL}, Holds.ANYWHERE),
    Row("queries.read", "GET", "/v1/queries/{query}", {"A": (200, 404, 200, 404), "O": (404, 200, 404, 404), "U": MEMBERS}, Holds.SEEN),
    Row("queries.result", "GET", "/v1/queries/{query}/result", {"A": (200, 404, 200, 404)}, Holds.SEEN),
    Row("queries.shred", "DELETE", "/v1/queries/{kept}/result", {"A": (204, 404, 403, 404), "O": (404, 204, 404, 404)}, Holds.SEEN),
    Row("queries.cancel", "POST", "/v1/queries/{query}:cancel", {"A": (409, 404, 403, 404)}, Holds.SEEN),
    Row("collaborations.listing", "GET", "/v1/collaborations", {"AOXU": ALL}, Holds.ANYWHERE),
    Row("collaborations.read", "GET", THE_MEDIA, {"AOXU": MEMBERS}, Holds.THERE),
    Row("collaborations.datasets", "GET", f"{THE_MEDIA}/datasets", {"AOXU": MEMBERS}, Holds.THERE),
    Row("changes.create", "POST", "/v1/collaborations", {"X": (201, 422, 422, 422)}, Holds.PARTNER, {"name": "{fresh}", "members": [{"partner": "press", "abilities": []}]}),
    Row("changes.leave", "POST", "/v1/collaborations/{whole_media}:leave", {"X": (204, 204, 204, 404)}, Holds.THERE),
    Row("changes.listing", "GET", f"{THE_MEDIA}/changes", {"OXU": MEMBERS}, Holds.THERE),
    Row("changes.propose", "POST", f"{THE_MEDIA}/changes", {"X": (201, 201, 201, 404)}, Holds.THERE, {"kind": "describe", "description": "{fresh}"}),
    Row("changes.read", "GET", f"{THE_MEDIA}/changes/{{removal}}", {"OXU": MEMBERS}, Holds.THERE),
    Row("changes.approve", "POST", f"{THE_MEDIA}/changes/{{removal}}:approve", {"X": (200, 200, 403, 404)}, Holds.THERE),
    Row("changes.reject", "POST", f"{THE_MEDIA}/changes/{{removal}}:reject", {"X": (200, 200, 403, 404)}, Holds.THERE),
    Row("changes.withdraw", "POST", f"{THE_MEDIA}/changes/{{removal}}:withdraw", {"X": (200, 403, 403, 404)}, Holds.THERE),
    Row("invitations.listing", "GET", "/v1/invitations", {"X": ALL}, Holds.ANYWHERE),
    Row("invitations.accept", "POST", "/v1/invitations/{invitation}:accept", {"X": (404, 404, 404, 409)}, Holds.PARTNER, {"terms": "others"}),
    Row("invitations.decline", "POST", "/v1/invitations/{invitation}:decline", {"X": (404, 404, 404, 204)}, Holds.PARTNER),
    Row("agreements.effective", "GET", f"{THE_MEDIA}/effective", {"AOXU": MEMBERS}, Holds.THERE),
    Row("agreements.readiness", "GET", f"{THE_MEDIA}/readiness", {"AOXU": MEMBERS}, Holds.THERE),
    Row("documents.put_connection", "PUT", "/v1/connections/shop-lake", {"O": (422, 200, 422, 422)}, Holds.PARTNER, connection("shop", "{folder}")),
    Row("documents.put_dataset", "PUT", "/v1/datasets/shop.customers", {"O": (404, 200, 404, 404)}, Holds.PARTNER, dataset()),
    Row("documents.put_rule", "PUT", f"{THE_MEDIA}/rules/shop.customers", {"O": (404, 200, 404, 404)}, Holds.THERE, rule()),
    Row("documents.delete_connection", "DELETE", "/v1/connections/{spare_connection}", {"O": (404, 204, 404, 404)}, Holds.PARTNER),
    Row("documents.delete_dataset", "DELETE", "/v1/datasets/{spare_dataset}", {"O": (404, 204, 404, 404)}, Holds.PARTNER),
    Row("documents.delete_rule", "DELETE", f"{THE_MEDIA}/rules/{{spare_rule}}", {"O": (404, 204, 404, 404)}, Holds.THERE),
    Row("versions.read_connection", "GET", "/v1/connections/shop-lake", {"OXU": SHOP}, Holds.PARTNER),
    Row("versions.read_dataset", "GET", "/v1/datasets/shop.customers", {"OXU": SHOP}, Holds.PARTNER),
    Row("versions.read_rule", "GET", f"{THE_MEDIA}/rules/shop.customers", {"OXU": SHOP}, Holds.THERE),
    Row("versions.list_connection", "GET", "/v1/connections/shop-lake/versions", {"OXU": SHOP}, Holds.PARTNER),
    Row("versions.list_dataset", "GET", "/v1/datasets/shop.customers/versions", {"OXU": SHOP}, Holds.PARTNER),
    Row("versions.list_rule", "GET", f"{THE_MEDIA}/rules/shop.customers/versions", {"OXU": SHOP}, Holds.THERE),
    Row("versions.rollback_connection", "POST", "/v1/connections/shop-lake:rollback", {"O": SHOP}, Holds.PARTNER, {"version": 1}),
    Row("versions.rollback_dataset", "POST", "/v1/datasets/shop.customers:rollback", {"O": SHOP}, Holds.PARTNER, {"version": 1}),
    Row("versions.rollback_rule", "POST", f"{THE_MEDIA}/rules/shop.customers:rollback", {"O": SHOP}, Holds.THERE, {"version": 1}),
    Row("what_if.rule", "POST", f"{THE_MEDIA}/rules/shop.customers:what-if", {"O": SHOP}, Holds.THERE, rule()),
    Row("me.read", "GET", "/v1/me", {"AOXU": ALL}, Holds.ANYWHERE),
    Row("people.listing", "GET", "/v1/principals", {"X": ALL}, Holds.ANYWHERE),
    Row("people.create", "POST", "/v1/principals", {"X": (201, 201, 201, 422)}, Holds.THERE, {"name": "{fresh}", "grants": IN_MEDIA}),
    Row("people.one", "GET", "/v1/principals/{shopper}", {"X": SHOP}, Holds.ANYWHERE),
    Row("people.change", "PATCH", "/v1/principals/{shopper}", {"X": SHOP}, Holds.THERE, {"grants": IN_MEDIA}, (404, 403, 404, 404)),
    Row("tokens.listing", "GET", "/v1/principals/{shopper}/tokens", {"X": SHOP}, Holds.ANYWHERE),
    Row("tokens.create", "POST", "/v1/principals/{shopper}/tokens", {"X": (404, 201, 404, 404)}, Holds.THERE, {"scopes": IN_MEDIA}, (404, 403, 404, 404)),
    Row("tokens.revoke", "DELETE", "/v1/tokens/{shopper_token}", {"X": (404, 204, 404, 404), "AOU": NONE}, Holds.SEEN),
    Row("secrets.listing", "GET", "/v1/secrets", {"O": ALL}, Holds.PARTNER),
    Row("secrets.put", "PUT", "/v1/secrets/lake", {"O": (204, 204, 204, 204)}, Holds.PARTNER, {"value": "hunter2"}),
    Row("secrets.remove", "DELETE", "/v1/secrets/{secret}", {"O": (404, 204, 404, 404)}, Holds.PARTNER),
    Row("templates.listing", "GET", f"{THE_MEDIA}/templates", {"AOXU": MEMBERS}, Holds.THERE),
    Row("templates.read", "GET", f"{THE_MEDIA}/templates/{{template}}", {"AOXU": MEMBERS}, Holds.THERE),
    Row("templates.put", "PUT", f"{THE_MEDIA}/templates/{{template}}", {"AOX": (409, 200, 409, 404)}, Holds.THERE, SQL),
    Row("templates.delete", "DELETE", f"{THE_MEDIA}/templates/{{spare_template}}", {"AOX": (403, 204, 403, 404)}, Holds.THERE),
    Row("templates.rollback", "POST", f"{THE_MEDIA}/templates/{{template}}:rollback", {"AOX": (403, 200, 403, 404)}, Holds.THERE, {"version": 1}),
    Row("templates.versions", "GET", f"{THE_MEDIA}/templates/{{template}}/versions", {"AOXU": MEMBERS}, Holds.THERE),
    Row("templates.approve", "POST", f"{THE_MEDIA}/templates/{{template}}:approve", {"OX": (403, 200, 403, 404)}, Holds.THERE, {"version": 1}),
    Row("templates.withdraw", "POST", f"{THE_MEDIA}/templates/{{template}}:withdraw-approval", {"OX": (403, 200, 403, 404)}, Holds.THERE),
    Row("audit.events", "GET", "/v1/audit/events", {"OU": ALL}, Holds.ANYWHERE),
    Row("audit.checkpoint", "GET", "/v1/audit/checkpoint", {"OU": ALL}, Holds.ANYWHERE),
    Row("audit.proof", "GET", "/v1/audit/events/{event}/proof", {"OU": (200, 200, 404, 404)}, Holds.SEEN),
)  # fmt: skip


def cells(row: Row) -> Iterator[Cell]:
    """Every request that is walked: each role of each partner in each place, and one without a token."""
    for partner in PARTNERS:
        for role in ROLES:
            for place in PLACES:
                yield Cell(row, partner, role, place, row.status(partner, role, place))
    yield Cell(row, None, None, None, 401)


def page() -> str:
    """The text of docs/permissions.md."""
    count = sum(1 for row in ROWS for _ in cells(row))
    lines = [
        "# Who may do what",
        "",
        "Written by `python -m tests.api.permission_table`; a test holds it to the table that every endpoint is walked by.",
        "The decision is one table too: [`cleanroom/api/permissions.py`](../cleanroom/api/permissions.py). An endpoint that is",
        "in the one and not in the other fails the build, and one that is in neither is closed.",
        "",
        f"{count} cells are walked: each of {len(ROWS)} endpoints by each of {len(ROLES)} roles of each of {len(PARTNERS)} partners, where the role",
        "holds everywhere, in this collaboration alone and in another one alone; and once without a token, which is 401.",
        "",
        "Statuses stand for " + ", ".join(f"`{name}` ({what})" for name, what in PARTNERS.items()) + ".",
        "A role that is not named gets 403 everywhere. 404 says neither whether it is there nor whose it is.",
        "",
        f"| endpoint | role | {' | '.join(PARTNERS)} | the role must hold |",
        f"|---|---|{'---|' * len(PARTNERS)}---|",
    ]
    return "\n".join([*lines, *(line for row in ROWS for line in _lines(row)), "", *_closing(), ""])


def _lines(row: Row) -> Iterator[str]:
    for letters, statuses in row.gets.items():
        roles = ", ".join(ROLES[letter].value for letter in letters)
        shown = " | ".join(map(str, statuses))
        yield f"| `{row.method} {row.path}` | {roles} | {shown} | {row.holds.value} |"


def _closing() -> list[str]:
    places = [
        f"- {Holds.ANYWHERE.value}: a role in any one collaboration is enough; what is shown is what that role may see.",
        f"- {Holds.THERE.value}: a role that holds in another collaboration alone is 403, whether the collaboration named exists or not.",
        f"- {Holds.SEEN.value}: 404 then, for where a query or an event belongs is nobody else's to learn.",
        f"- {Holds.PARTNER.value}: a role in a collaboration alone is 403.",
    ]
    return ["Where a role must hold:", "", *places, "", "No partner's token is asked for: " + _public() + "."]


def _public() -> str:
    return ", ".join(f"`{endpoint}`" for endpoint in sorted(PUBLIC))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
