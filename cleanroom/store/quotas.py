"""Partner → how much it may ask for, and whether it has. Counted in the transaction that a request ends in, so exactly."""

from __future__ import annotations

import datetime
import math
from dataclasses import asdict

from sqlalchemy import Connection, delete, func, insert, or_, select

from cleanroom.domain.errors import QuotaExceeded
from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import QueryState
from cleanroom.domain.quota import Quota
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.schema import queries, quota, recent_request

EVERY_PARTNER = PartnerName("*")
_MINUTE = datetime.timedelta(minutes=1)
_UNFINISHED = (QueryState.QUEUED.value, QueryState.RUNNING.value)
_RETRY_UNFINISHED_S = 5


class Quotas:
    """What the operator set."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    def of(self, partner: PartnerName) -> Quota:
        """The partner's own quota, else every partner's, else the built-in one."""
        with self._database.read() as connection:
            return quota_of(connection, partner)

    def list(self) -> dict[PartnerName, Quota]:
        """All that were set, EVERY_PARTNER's first."""
        with self._database.read() as connection:
            rows = connection.execute(select(quota).order_by(quota.c.partner))
            return {row.partner: Quota(row.per_minute, row.most_unfinished, row.most_running) for row in rows}

    def set(self, partner: PartnerName, value: Quota | None, at: datetime.datetime) -> None:
        """From now on that is the quota of the partner (or EVERY_PARTNER); None: what holds without one. Logged: quota.set."""
        named = {} if partner == EVERY_PARTNER else {"partner": partner}
        data = {**named, "quota": None if value is None else dict(asdict(value))}
        with self._database.begin() as connection:
            connection.execute(delete(quota).where(quota.c.partner == partner))
            if value is not None:
                connection.execute(insert(quota), {"partner": partner, **asdict(value)})
            self._log.append(connection, Event(EventKind.QUOTA_SET, at, data=data))


def quota_of(connection: Connection, partner: PartnerName) -> Quota:
    """As `Quotas.of`, in a transaction."""
    rows = connection.execute(select(quota).where(quota.c.partner.in_((partner, EVERY_PARTNER))))
    found = {row.partner: Quota(row.per_minute, row.most_unfinished, row.most_running) for row in rows}
    return found.get(partner) or found.get(EVERY_PARTNER) or Quota()


def require_room(connection: Connection, partner: PartnerName, at: datetime.datetime, *, queued: bool) -> None:
    """The partner may ask now; and, where its query is to wait (`queued`), have one more unfinished. QuotaExceeded."""
    allowed = quota_of(connection, partner)
    first = _first_of_last(connection, partner, at, allowed.per_minute) if allowed.per_minute else at
    if first is not None:
        message = f"Your partner may ask {allowed.per_minute} times a minute, and has."
        raise QuotaExceeded(message, limit="per_minute", retry_after_s=_whole_seconds(first + _MINUTE - at))
    if queued and _unfinished(connection, partner) >= allowed.most_unfinished:
        message = f"Your partner may have {allowed.most_unfinished} unfinished queries at once, and has."
        raise QuotaExceeded(message, limit="most_unfinished", retry_after_s=_RETRY_UNFINISHED_S)


def count_request(connection: Connection, partner: PartnerName, number: int, at: datetime.datetime) -> None:
    """The request, whose event has that number, counts for a minute. What is older, or to come, counts no more."""
    past = or_(recent_request.c.at <= at - _MINUTE, recent_request.c.at >= at + _MINUTE)
    connection.execute(delete(recent_request).where(recent_request.c.partner == partner, past))
    connection.execute(insert(recent_request), {"partner": partner, "number": number, "at": at})


def _first_of_last(
    connection: Connection, partner: PartnerName, at: datetime.datetime, count: int
) -> datetime.datetime | None:
    """When the partner's last `count` requests of this minute began; None where there were fewer."""
    within = (recent_request.c.at > at - _MINUTE, recent_request.c.at < at + _MINUTE)
    mine = select(recent_request.c.at).where(recent_request.c.partner == partner, *within)
    return connection.execute(mine.order_by(recent_request.c.at.desc()).offset(count - 1).limit(1)).scalar()


def _unfinished(connection: Connection, partner: PartnerName) -> int:
    mine = (queries.c.partner == partner, queries.c.state.in_(_UNFINISHED))
    return connection.execute(select(func.count()).select_from(queries).where(*mine)).scalar_one()


def _whole_seconds(time: datetime.timedelta) -> int:
    return max(1, math.ceil(time.total_seconds()))
