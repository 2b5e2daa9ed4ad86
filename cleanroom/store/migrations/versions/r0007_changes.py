"""What members of a collaboration propose, and how they vote."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "change_request",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("collaboration", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=True),
        sa.Column("abilities", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("proposer", sa.String(length=191), nullable=False),
        sa.Column("proposing_partner", sa.String(length=63), nullable=False),
        sa.Column("proposed_at", sa.DateTime(), nullable=False),
        sa.Column("founding", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("invited_at", sa.DateTime(), nullable=True),
        sa.Column("decided_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["position"], ["log_entry.number"], name="fk_change_request_position"),
        sa.PrimaryKeyConstraint("id", name="pk_change_request"),
        sa.UniqueConstraint("position", name="uq_change_request_position"),
    )
    op.create_index("ix_change_request_collaboration_position", "change_request", ["collaboration", "position"])
    op.create_index("ix_change_request_partner_state", "change_request", ["partner", "state"])
    op.create_table(
        "change_vote",
        sa.Column("change", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("principal", sa.String(length=191), nullable=False),
        sa.Column("approves", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("lapsed_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["change"], ["change_request.id"], name="fk_change_vote_change"),
        sa.PrimaryKeyConstraint("change", "number", name="pk_change_vote"),
    )


def downgrade() -> None:
    op.drop_table("change_vote")
    op.drop_index("ix_change_request_partner_state", table_name="change_request")
    op.drop_index("ix_change_request_collaboration_position", table_name="change_request")
    op.drop_table("change_request")
