"""The audit log for auditors and data owners: events that concern them, the signed checkpoint, proofs of inclusion."""

from __future__ import annotations

from typing import Any

from cleanroom.api.bodies import StrictBlueprint
from cleanroom.api.context import door, home, principal
from cleanroom.api.permissions import unknown
from cleanroom.api.schemas.audit import AuditPage, CheckpointSchema, ProofSchema
from cleanroom.api.schemas.paging import PageQuery
from cleanroom.api.views import instant
from cleanroom.domain.errors import InvalidInput, Problem
from cleanroom.domain.events import Event, EventKind, LoggedEvent
from cleanroom.domain.query import Role
from cleanroom.store.log import Sight

audit = StrictBlueprint("audit", __name__, url_prefix="/v1/audit", description="What was asked, answered and changed.")

_MOST_DIGITS = 15  # within the integers that canonical JSON holds (RFC 8785)


@audit.route("/events")
@audit.arguments(PageQuery, location="query")
@audit.response(200, AuditPage)
def events(page: dict[str, Any]) -> dict[str, Any]:
    """The events that concern the caller's partner, oldest first. That they were read is itself an event."""
    after = _number(page["cursor"]) if "cursor" in page else -1
    limit = page.get("limit", door().settings.page_size)
    home().drawers.log.record(_reading(after, limit))
    found = home().drawers.log.events(_sight(), after=after, limit=limit)
    more = len(found) == limit
    return {"events": [_event_view(e) for e in found], "next_cursor": str(found[-1].number) if more else None}


@audit.route("/checkpoint")
@audit.response(200, CheckpointSchema)
def checkpoint() -> dict[str, Any]:
    """The latest signed note over the whole log (C2SP tlog-checkpoint), and the key it verifies under."""
    return {"checkpoint": home().drawers.log.checkpoint().decode(), "key": str(home().keys.public)}


@audit.route("/events/<number>/proof")
@audit.response(200, ProofSchema)
def proof(number: str) -> dict[str, Any]:
    """That the event is in the tree of the checkpoint that comes with it (RFC 9162, 2.1.3). Hashes are hexadecimal."""
    index = _number(number)
    home().drawers.log.record(_reading(index - 1, 1))
    seen = home().drawers.log.event(index, _sight())
    found = home().drawers.log.inclusion(index) if seen else None
    if found is None:
        raise unknown("event")
    return {
        "number": index,
        "canonical": found.entry.canonical.decode(),
        "leaf": found.leaf.hex(),
        "hashes": [h.hex() for h in found.hashes],
        "checkpoint": found.checkpoint.decode(),
    }


def _sight() -> Sight:
    """What its partner did and what touched its data; an auditor also what the members of its collaborations agreed on.

    A role in some collaborations alone sees of both what is of those.
    """
    caller = principal()
    mine = [c.name for c in home().drawers.policies.collaborations(caller.partner)]
    reviewing = {Role.AUDITOR, Role.DATA_OWNER}
    return Sight(
        partner=caller.partner,
        collaborations=tuple(name for name in mine if Role.AUDITOR in caller.roles_in(name)),
        within=None if caller.roles_in(None) & reviewing else tuple(n for n in mine if caller.roles_in(n) & reviewing),
    )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise InvalidInput((Problem("input.invalid", "This is no place in the log.", field="cursor"),))
    return int(text)


def _reading(after: int, limit: int) -> Event:
    caller = principal()
    return Event(
        kind=EventKind.LOG_READ,
        at=home().clock.now(),
        partner=caller.partner,
        principal=caller.id,
        data={"after": after, "limit": limit},
    )


def _event_view(logged: LoggedEvent) -> dict[str, Any]:
    return {
        "number": logged.number,
        "kind": logged.event.kind,
        "at": instant(logged.event.at),
        "canonical": logged.canonical.decode(),
    }
