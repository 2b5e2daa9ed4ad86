"""Partners whose queries wait → whose turn it is: who runs least, then who was served longest ago."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import QueryState
from cleanroom.store.quotas import quota_of
from cleanroom.store.schema import queries, turn


def partners_in_turn(connection: Connection) -> tuple[PartnerName, ...]:
    """Those with a queued query that may run one more, whose turn it is first."""
    oldest = _of_each(connection, QueryState.QUEUED, func.min(queries.c.position))
    running = _of_each(connection, QueryState.RUNNING, func.count())
    served = {row.partner: row.number for row in connection.execute(select(turn))}
    free = [p for p in oldest if running.get(p, 0) < quota_of(connection, p).most_running]
    return tuple(sorted(free, key=lambda p: (running.get(p, 0), served.get(p, 0), oldest[p])))


def take_turn(connection: Connection, partner: PartnerName) -> None:
    """The partner was served last of all."""
    last: int | None = connection.execute(select(func.max(turn.c.number))).scalar_one()
    connection.execute(delete(turn).where(turn.c.partner == partner))
    connection.execute(insert(turn), {"partner": partner, "number": (last or 0) + 1})


def _of_each(connection: Connection, state: QueryState, figure: object) -> dict[PartnerName, int]:
    """The figure over each partner's queries in that state."""
    each = select(queries.c.partner, figure).where(queries.c.state == state.value).group_by(queries.c.partner)  # type: ignore[call-overload]
    return {partner: int(number) for partner, number in connection.execute(each)}
