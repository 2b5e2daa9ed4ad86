"""Idempotency keys, quotas, turns between partners, and the executors that live."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "idempotency_key",
        sa.Column("principal", sa.String(length=191), nullable=False),
        sa.Column("collaboration", sa.String(length=63), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["query.id"], name="fk_idempotency_key_query"),
        sa.PrimaryKeyConstraint("principal", "collaboration", "key", name="pk_idempotency_key"),
    )
    op.create_index("ix_idempotency_key_created_at", "idempotency_key", ["created_at"], unique=False)
    op.create_table(
        "quota",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("most_unfinished", sa.Integer(), nullable=False),
        sa.Column("most_running", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name="pk_quota"),
    )
    op.create_table(
        "recent_request",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["log_entry.number"], name="fk_recent_request_number"),
        sa.PrimaryKeyConstraint("partner", "number", name="pk_recent_request"),
    )
    op.create_table(
        "turn",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partner", name="pk_turn"),
    )
    op.create_table(
        "executor",
        sa.Column("name", sa.String(length=191), nullable=False),
        sa.Column("started_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_executor"),
    )
    op.drop_index("ix_query_state_position", table_name="query")
    op.create_index("ix_query_state_partner_position", "query", ["state", "partner", "position"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_query_state_partner_position", table_name="query")
    op.create_index("ix_query_state_position", "query", ["state", "position"], unique=False)
    op.drop_table("executor")
    op.drop_table("turn")
    op.drop_table("recent_request")
    op.drop_table("quota")
    op.drop_index("ix_idempotency_key_created_at", table_name="idempotency_key")
    op.drop_table("idempotency_key")
