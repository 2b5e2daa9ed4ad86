"""The issuers whose tokens are taken, each for one partner."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "oidc_issuer",
        sa.Column("url", sa.String(length=512), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("audience", sa.String(length=255), nullable=False),
        sa.Column("roles_claim", sa.String(length=128), nullable=False),
        sa.Column("role_map", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["partner"], ["partner.name"], name="fk_oidc_issuer_partner"),
        sa.PrimaryKeyConstraint("url", name="pk_oidc_issuer"),
    )


def downgrade() -> None:
    op.drop_table("oidc_issuer")
