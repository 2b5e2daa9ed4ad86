"""Partners and principals in tables of their own; tokens with scopes, an end and a last use."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_TOKEN = sa.table(
    "token",
    sa.column("id", sa.String),
    sa.column("principal", sa.String),
    sa.column("partner", sa.String),
    sa.column("roles", sa.JSON),
    sa.column("scopes", sa.JSON),
    sa.column("created_at", sa.DateTime),
    sa.column("expires_at", sa.DateTime),
    sa.column("revoked_at", sa.DateTime),
)
_PARTNER = sa.table(
    "partner",
    sa.column("name", sa.String),
    sa.column("title", sa.String),
    sa.column("contact", sa.String),
    sa.column("created_at", sa.DateTime),
    sa.column("suspended_at", sa.DateTime),
)
_PRINCIPAL = sa.table(
    "principal",
    sa.column("id", sa.String),
    sa.column("partner", sa.String),
    sa.column("title", sa.String),
    sa.column("created_at", sa.DateTime),
    sa.column("disabled_at", sa.DateTime),
)
_GRANT = sa.table(
    "principal_grant",
    sa.column("principal", sa.String),
    sa.column("role", sa.String),
    sa.column("collaboration", sa.String),
)


def upgrade() -> None:
    _create_tables()
    tokens = op.get_bind().execute(
        sa.select(*_columns("id", "principal", "partner", "roles", "created_at", "revoked_at"))
    )
    _keep_people(tokens.all())
    with op.batch_alter_table("token") as table:
        table.add_column(sa.Column("scopes", sa.JSON(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("expires_at", sa.DateTime(), nullable=True))
        table.add_column(sa.Column("last_used_at", sa.DateTime(), nullable=True))
        table.create_foreign_key("fk_token_principal", "principal", ["principal"], ["id"])
    for row in op.get_bind().execute(sa.select(*_columns("id", "roles"))).all():
        scopes = [[role, None] for role in row.roles]
        op.get_bind().execute(sa.update(_TOKEN).where(_TOKEN.c.id == row.id).values(scopes=scopes))
    with op.batch_alter_table("token") as table:
        table.alter_column("scopes", server_default=None, existing_type=sa.JSON(), existing_nullable=False)
        table.drop_column("roles")
        table.drop_column("partner")


def downgrade() -> None:
    with op.batch_alter_table("token") as table:
        table.add_column(sa.Column("partner", sa.String(length=63), nullable=False, server_default=""))
        table.add_column(sa.Column("roles", sa.JSON(), nullable=False, server_default="[]"))
    for row in _carried():
        op.get_bind().execute(sa.update(_TOKEN).where(_TOKEN.c.id == row["id"]).values(row))
    with op.batch_alter_table("token") as table:
        table.alter_column("partner", server_default=None, existing_type=sa.String(length=63), existing_nullable=False)
        table.alter_column("roles", server_default=None, existing_type=sa.JSON(), existing_nullable=False)
        table.drop_constraint("fk_token_principal", type_="foreignkey")
        table.drop_column("last_used_at")
        table.drop_column("expires_at")
        table.drop_column("scopes")
    op.drop_table("principal_grant")
    op.drop_index("ix_principal_partner", table_name="principal")
    op.drop_table("principal")
    op.drop_table("partner")


def _columns(*names: str) -> list[sa.ColumnClause[Any]]:
    return [_TOKEN.c[name] for name in names]


def _create_tables() -> None:
    op.create_table(
        "partner",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("contact", sa.String(length=320), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("suspended_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_partner"),
    )
    op.create_table(
        "principal",
        sa.Column("id", sa.String(length=191), nullable=False),
        sa.Column("partner", sa.String(length=63), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(["partner"], ["partner.name"], name="fk_principal_partner"),
        sa.PrimaryKeyConstraint("id", name="pk_principal"),
    )
    op.create_index("ix_principal_partner", "principal", ["partner"], unique=False)
    op.create_table(
        "principal_grant",
        sa.Column("principal", sa.String(length=191), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("collaboration", sa.String(length=63), nullable=False),
        sa.ForeignKeyConstraint(["principal"], ["principal.id"], name="fk_principal_grant_principal"),
        sa.PrimaryKeyConstraint("principal", "role", "collaboration", name="pk_principal_grant"),
    )


def _keep_people(tokens: Any) -> None:
    """Each token's holder is a principal of its partner. It may do what its live tokens may: a revoked one gives nothing back."""
    partners: dict[str, Any] = {}
    principals: dict[str, dict[str, Any]] = {}
    grants: dict[str, set[str]] = defaultdict(set)
    for row in sorted(tokens, key=lambda row: row.created_at):
        about = {"title": "", "created_at": row.created_at}
        partners.setdefault(row.partner, {"name": row.partner, "contact": "", **about})
        principals.setdefault(row.principal, {"id": row.principal, "partner": row.partner, **about})
        if row.revoked_at is None:
            grants[row.principal].update(row.roles)
    given = [{"principal": p, "role": r, "collaboration": ""} for p, roles in grants.items() for r in sorted(roles)]
    for table, rows in ((_PARTNER, partners.values()), (_PRINCIPAL, principals.values()), (_GRANT, given)):
        if rows:
            op.get_bind().execute(sa.insert(table), list(rows))


def _carried() -> list[dict[str, Any]]:
    """Each token as the earlier version can honour it: roles that it carries everywhere.

    One that has an end, and one of somebody who may not act, is revoked: that version would honour it for ever.
    """
    held = {(row.principal, row.role) for row in op.get_bind().execute(sa.select(_GRANT)) if row.collaboration == ""}
    of = _PRINCIPAL.c.id == _TOKEN.c.principal
    people = sa.select(
        *_columns("id", "principal", "scopes", "expires_at", "revoked_at"),
        _PRINCIPAL.c.partner,
        _PRINCIPAL.c.disabled_at,
        _PARTNER.c.suspended_at,
    )
    joined = people.join(_PRINCIPAL, of).join(_PARTNER, _PARTNER.c.name == _PRINCIPAL.c.partner)
    return [
        {
            "id": row.id,
            "partner": row.partner,
            "roles": sorted(role for role, place in row.scopes if place is None and (row.principal, role) in held),
            "revoked_at": row.revoked_at or row.disabled_at or row.suspended_at or row.expires_at,
        }
        for row in op.get_bind().execute(joined).all()
    ]
