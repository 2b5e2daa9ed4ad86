"""Token text ↔ principals. The text is shown once; the store keeps its hash."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from cleanroom.domain.identifiers import PartnerName
from cleanroom.domain.query import Principal, Role
from cleanroom.store.database import Database
from cleanroom.store.log import Log


@dataclass(frozen=True, slots=True)
class TokenRecord:
    id: str
    principal: Principal
    created_at: datetime.datetime
    revoked_at: datetime.datetime | None


class Tokens:
    def __init__(self, database: Database, log: Log) -> None: ...

    def create(
        self,
        transaction: Connection,
        partner: PartnerName,
        roles: Iterable[Role],
        *,
        at: datetime.datetime,
        name: str | None = None,
        author: Principal | None = None,
        replace: bool = False,
    ) -> tuple[str, Principal]:
        """A new token ("crt_<id>_<secret>", its only copy) of principal "<partner>/<name>"; `name` defaults to its id.

        `replace` revokes the principal's earlier tokens. `author` None is the operator. Logged: token.created.
        """
        raise NotImplementedError

    def authenticate(self, text: str) -> Principal | None: ...

    def revoke(
        self, transaction: Connection, token_id: str, *, at: datetime.datetime, author: Principal | None = None
    ) -> bool:
        """The token opens nothing any more; False where it did not before. Logged: token.revoked."""
        raise NotImplementedError

    def list(self, partner: PartnerName | None = None) -> tuple[TokenRecord, ...]: ...
