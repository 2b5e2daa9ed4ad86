"""Queries, who sees them, and their results."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "query",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("collaboration", sa.String(length=63), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("principal", sa.String(length=191), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("sql", sa.Text(), nullable=False),
        sa.Column("dialect", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("submitted_at", sa.DateTime(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("datasets", sa.JSON(), nullable=False),
        sa.Column("receivers", sa.JSON(), nullable=False),
        sa.Column("versions", sa.JSON(), nullable=False),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.Column("lease_holder", sa.String(length=191), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("started_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["position"], ["log_entry.number"], name="fk_query_position"),
        sa.PrimaryKeyConstraint("id", name="pk_query"),
        sa.UniqueConstraint("position", name="uq_query_position"),
    )
    op.create_index("ix_query_state_position", "query", ["state", "position"], unique=False)
    op.create_table(
        "query_sight",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("relation", sa.String(length=8), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["query.id"], name="fk_query_sight_query"),
        sa.PrimaryKeyConstraint("partner", "query", "relation", name="pk_query_sight"),
    )
    op.create_table(
        "result",
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["query.id"], name="fk_result_query"),
        sa.PrimaryKeyConstraint("query", name="pk_result"),
    )


def downgrade() -> None:
    op.drop_table("result")
    op.drop_table("query_sight")
    op.drop_index("ix_query_state_position", table_name="query")
    op.drop_table("query")
