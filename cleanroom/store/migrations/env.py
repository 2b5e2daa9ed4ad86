"""Alembic's entry point → the migrations run in the caller's own transaction."""

from __future__ import annotations

from alembic import context

from cleanroom.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
