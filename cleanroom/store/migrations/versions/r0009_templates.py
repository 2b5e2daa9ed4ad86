"""What each query was asked with: the values of its parameters, and the template that it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("query", sa.Column("parameters", sa.JSON(), nullable=False, server_default="{}"))
    op.add_column("query", sa.Column("template", sa.String(63)))


def downgrade() -> None:
    op.drop_column("query", "template")
    op.drop_column("query", "parameters")
