"""Results are sealed, secrets are kept, and one row says which master key wraps.

Results of earlier versions lie there in the clear and are not kept: their queries expire when the executor next looks.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.drop_table("result")
    op.add_column("query", sa.Column("expires_at", sa.DateTime(), nullable=True))
    op.create_table(
        "master_key",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_master_key"),
    )
    op.create_table(
        "result",
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("chunk_count", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["query.id"], name="fk_result_query"),
        sa.PrimaryKeyConstraint("query", name="pk_result"),
    )
    op.create_table(
        "result_chunk",
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["result.query"], name="fk_result_chunk_query"),
        sa.PrimaryKeyConstraint("query", "place", name="pk_result_chunk"),
    )
    op.create_table(
        "secret",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("key_id", sa.String(length=16), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", sa.DateTime(), nullable=False),
        sa.Column("author", sa.String(length=191), nullable=True),
        sa.PrimaryKeyConstraint("partner", "name", name="pk_secret"),
    )


def downgrade() -> None:
    op.drop_table("secret")
    op.drop_table("result_chunk")
    op.drop_table("result")
    op.drop_table("master_key")
    op.drop_column("query", "expires_at")
    op.create_table(
        "result",
        sa.Column("query", sa.String(length=64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.ForeignKeyConstraint(["query"], ["query.id"], name="fk_result_query"),
        sa.PrimaryKeyConstraint("query", name="pk_result"),
    )
