"""The salt of each document's digest. Versions that there were have none, and the digest that the log shows of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("document", sa.Column("salt", sa.String(32)))


def downgrade() -> None:
    op.drop_column("document", "salt")
