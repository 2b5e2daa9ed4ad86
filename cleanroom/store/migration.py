"""A database of any age → the schema of this version, and back."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def upgrade(connection: Connection, revision: str = "head") -> None:
    """The schema is that of `revision`, once the connection's transaction commits."""
    command.upgrade(_config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """The schema is that of the earlier `revision` ("base": empty), once the connection's transaction commits."""
    command.downgrade(_config(connection), revision)


def is_current(connection: Connection) -> bool:
    """Whether every migration has been run, and none of a later version."""
    current = MigrationContext.configure(connection).get_current_heads()
    return current == tuple(ScriptDirectory.from_config(_config(connection)).get_heads())


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
