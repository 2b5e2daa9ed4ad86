"""Partner → the roots that the operator admitted for its connections."""

from __future__ import annotations

import datetime

from sqlalchemy import Connection, insert, select

from cleanroom.domain.events import Event, EventKind
from cleanroom.domain.identifiers import PartnerName
from cleanroom.store.database import Database
from cleanroom.store.log import Log
from cleanroom.store.schema import admitted_root


class AdmittedRoots:
    """What the operator allows each partner's connections to reach."""

    def __init__(self, database: Database, log: Log) -> None:
        self._database = database
        self._log = log

    def of(self, partner: PartnerName) -> tuple[str, ...]:
        """The partner's roots, absolute, in order."""
        roots = select(admitted_root.c.root).where(admitted_root.c.partner == partner)
        with self._database.read() as connection:
            return tuple(connection.execute(roots.order_by(admitted_root.c.root)).scalars())

    def admit(self, transaction: Connection, partner: PartnerName, root: str, *, at: datetime.datetime) -> bool:
        """The partner's connections may lie within `root` (absolute); an operator's act, logged without the path.

        False, and nothing written, where it was admitted already.
        """
        same = (admitted_root.c.partner == partner, admitted_root.c.root == root)
        if transaction.execute(select(admitted_root.c.root).where(*same)).first() is not None:
            return False
        transaction.execute(insert(admitted_root), {"partner": partner, "root": root, "admitted_at": at})
        self._log.append(transaction, Event(EventKind.ROOT_ADMITTED, at, data={"partner": partner}))
        return True
