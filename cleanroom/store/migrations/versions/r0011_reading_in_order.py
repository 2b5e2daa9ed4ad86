"""What is read often is read by an index: due results, a collaboration's queries, those that a partner sees, its last minute."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXES = (
    ("query", ("state", "expires_at")),
    ("query", ("collaboration", "position")),
    ("query_sight", ("partner", "position")),
    ("recent_request", ("partner", "at")),
)


def upgrade() -> None:
    op.add_column("query_sight", sa.Column("position", sa.BigInteger(), nullable=True))
    op.execute("UPDATE query_sight SET position = (SELECT position FROM query WHERE query.id = query_sight.query)")
    with op.batch_alter_table("query_sight") as sight:
        sight.alter_column("position", existing_type=sa.BigInteger(), nullable=False)
    for table, columns in _INDEXES:
        op.create_index(_name(table, columns), table, list(columns), unique=False)


def downgrade() -> None:
    for table, columns in _INDEXES:
        op.drop_index(_name(table, columns), table_name=table)
    op.drop_column("query_sight", "position")


def _name(table: str, columns: tuple[str, ...]) -> str:
    return f"ix_{table}_{'_'.join(columns)}"
