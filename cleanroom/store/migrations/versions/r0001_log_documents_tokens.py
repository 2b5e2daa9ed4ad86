"""The log, policy documents and tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "admitted_root",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("root", sa.String(length=1024), nullable=False),
        sa.Column("admitted_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("partner", "root", name="pk_admitted_root"),
    )
    op.create_table(
        "document",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=True),
        sa.Column("collaboration", sa.String(length=63), nullable=True),
        sa.Column("dataset", sa.String(length=191), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=71), nullable=False),
        sa.Column("author", sa.String(length=191), nullable=True),
        sa.Column("written_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "name", "version", name="pk_document"),
    )
    op.create_table(
        "log_entry",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("canonical", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("collaboration", sa.String(length=63), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_log_entry"),
    )
    op.create_index("ix_log_entry_collaboration_number", "log_entry", ["collaboration", "number"], unique=False)
    op.create_table(
        "log_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_log_head"),
    )
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "index", name="pk_log_node"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("principal", sa.String(length=191), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_token"),
    )
    op.create_index("ix_token_principal", "token", ["principal"], unique=False)
    op.create_table(
        "document_current",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "name", "version"],
            ["document.kind", "document.name", "document.version"],
            name="fk_document_current_kind_name_version",
        ),
        sa.PrimaryKeyConstraint("kind", "name", name="pk_document_current"),
    )
    op.create_table(
        "log_sight",
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["log_entry.number"], name="fk_log_sight_number"),
        sa.PrimaryKeyConstraint("partner", "number", name="pk_log_sight"),
    )


def downgrade() -> None:
    op.drop_table("log_sight")
    op.drop_table("document_current")
    op.drop_index("ix_token_principal", table_name="token")
    op.drop_table("token")
    op.drop_table("log_node")
    op.drop_table("log_head")
    op.drop_index("ix_log_entry_collaboration_number", table_name="log_entry")
    op.drop_table("log_entry")
    op.drop_table("document")
    op.drop_table("admitted_root")
