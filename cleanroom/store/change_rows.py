"""Change requests and their votes ↔ rows."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import ColumnElement, Connection, insert, select, update

from cleanroom.domain.collaboration import (
    Change,
    ChangeRequest,
    ChangeState,
    Describe,
    Invite,
    Remove,
    SetAbilities,
    Vote,
)
from cleanroom.domain.identifiers import ChangeId, CollaborationName, PartnerName, PrincipalId
from cleanroom.domain.policy import Ability
from cleanroom.domain.query import Principal
from cleanroom.store.queries import position_of
from cleanroom.store.schema import change_request, change_vote


@dataclass(frozen=True, slots=True)
class ChangePage:
    """`next_cursor` is None on the last page."""

    requests: tuple[ChangeRequest, ...]
    next_cursor: str | None


KINDS: dict[type[Change], str] = {
    Invite: "invite",
    SetAbilities: "set_abilities",
    Remove: "remove",
    Describe: "describe",
}


def insert_request(transaction: Connection, request: ChangeRequest, position: int) -> None:
    """The request is kept with its votes; `position` is the number of the event that announces it."""
    row = {
        "id": request.id,
        "position": position,
        "collaboration": request.collaboration,
        **_columns(request.change),
        "proposer": request.proposer.id,
        "proposing_partner": request.proposer.partner,
        "proposed_at": request.proposed_at,
        "founding": request.founding,
        "state": request.state.value,
        "invited_at": request.invited_at,
        "decided_at": request.decided_at,
    }
    transaction.execute(insert(change_request), row)
    for number, vote in enumerate(request.votes):
        insert_vote(transaction, request.id, number, vote)


def insert_vote(transaction: Connection, change: ChangeId, number: int, vote: Vote) -> None:
    """The vote is kept as the request's `number`-th, from 0."""
    row = {
        "change": change,
        "number": number,
        "partner": vote.partner,
        "principal": vote.principal,
        "approves": vote.approves,
        "at": vote.at,
        "lapsed_at": vote.lapsed_at,
    }
    transaction.execute(insert(change_vote), row)


def set_request(transaction: Connection, change: ChangeId, **values: object) -> None:
    """The request's columns are these."""
    transaction.execute(update(change_request).where(change_request.c.id == change).values(values))


def lapse_vote(transaction: Connection, change: ChangeId, partner: PartnerName, at: datetime.datetime) -> None:
    """What the partner said of the request so far counts no more."""
    counting = (change_vote.c.change == change, change_vote.c.partner == partner, change_vote.c.lapsed_at.is_(None))
    transaction.execute(update(change_vote).where(*counting).values(lapsed_at=at))


def open_requests(transaction: Connection, collaboration: CollaborationName) -> tuple[ChangeRequest, ...]:
    """What is proposed of the collaboration and not decided, the oldest first."""
    mine = (change_request.c.collaboration == collaboration, change_request.c.state == ChangeState.OPEN.value)
    rows = transaction.execute(select(change_request).where(*mine).order_by(change_request.c.position)).all()
    return _requests(transaction, rows)


def read_request(transaction: Connection, change: ChangeId) -> ChangeRequest:
    """The request, which there is."""
    row = transaction.execute(select(change_request).where(change_request.c.id == change)).one()
    return _requests(transaction, [row])[0]


def read_page(
    transaction: Connection, *conditions: ColumnElement[bool], cursor: str | None = None, limit: int
) -> ChangePage:
    """The requests of the conditions, the newest first. InvalidInput where the cursor is none of ours."""
    older = () if cursor is None else (change_request.c.position < position_of(cursor),)
    wanted = select(change_request).where(*conditions, *older).order_by(change_request.c.position.desc())
    rows = transaction.execute(wanted.limit(limit + 1)).all()
    shown = rows[:limit]
    return ChangePage(_requests(transaction, shown), str(shown[-1].position) if len(rows) > limit else None)


def _requests(transaction: Connection, rows: Sequence[Any]) -> tuple[ChangeRequest, ...]:
    votes = _votes(transaction, [row.id for row in rows])
    return tuple(_request(row, votes.get(row.id, ())) for row in rows)


def _votes(transaction: Connection, changes: Sequence[str]) -> dict[str, list[Vote]]:
    rows = select(change_vote).where(change_vote.c.change.in_(changes)).order_by(change_vote.c.number)
    found: dict[str, list[Vote]] = defaultdict(list)
    for row in transaction.execute(rows) if changes else ():
        found[row.change].append(
            Vote(PartnerName(row.partner), PrincipalId(row.principal), row.approves, row.at, row.lapsed_at)
        )
    return found


def _request(row: Any, votes: Iterable[Vote]) -> ChangeRequest:
    proposer = Principal(PrincipalId(row.proposer), PartnerName(row.proposing_partner), frozenset())
    return ChangeRequest(
        id=ChangeId(row.id),
        collaboration=CollaborationName(row.collaboration),
        change=_change(row),
        proposer=proposer,
        proposed_at=row.proposed_at,
        founding=row.founding,
        state=ChangeState(row.state),
        votes=tuple(votes),
        invited_at=row.invited_at,
        decided_at=row.decided_at,
    )


def _columns(change: Change) -> dict[str, object]:
    none: dict[str, object] = {"kind": KINDS[type(change)], "partner": None, "abilities": [], "description": None}
    match change:
        case Invite(partner=partner, abilities=abilities) | SetAbilities(partner=partner, abilities=abilities):
            return {**none, "partner": partner, "abilities": [a.value for a in Ability if a in abilities]}
        case Remove(partner=partner):
            return {**none, "partner": partner}
        case Describe(description=description):
            return {**none, "description": description}
        case _ as never:
            assert_never(never)


def _change(row: Any) -> Change:
    abilities = frozenset(Ability(a) for a in row.abilities)
    match row.kind:
        case "invite":
            return Invite(row.partner, abilities)
        case "set_abilities":
            return SetAbilities(row.partner, abilities)
        case "remove":
            return Remove(row.partner)
        case "describe":
            return Describe(row.description)
        case _:
            raise AssertionError(row.kind)
