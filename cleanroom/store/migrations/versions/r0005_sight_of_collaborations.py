"""Which collaboration an event is of, beside who sees it: for those whose role holds in that one alone."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ENTRY = sa.table("log_entry", sa.column("number", sa.BigInteger), sa.column("canonical", sa.LargeBinary))
_SIGHT = sa.table("log_sight", sa.column("number", sa.BigInteger), sa.column("collaboration", sa.String))
_PAGE = 1000


def upgrade() -> None:
    op.add_column("log_sight", sa.Column("collaboration", sa.String(length=63), nullable=True))
    last = -1
    while page := _page(last):
        last = page[-1].number
        for row in page:
            collaboration = json.loads(row.canonical)["collaboration"]
            if collaboration is not None:
                seen = sa.update(_SIGHT).where(_SIGHT.c.number == row.number)
                op.get_bind().execute(seen.values(collaboration=collaboration))


def downgrade() -> None:
    op.drop_column("log_sight", "collaboration")


def _page(after: int) -> list[Any]:
    rows = sa.select(_ENTRY.c.number, _ENTRY.c.canonical).where(_ENTRY.c.number > after)
    return list(op.get_bind().execute(rows.order_by(_ENTRY.c.number).limit(_PAGE)).all())
