"""The tables are brought to this version of dadeum at start, by one process at a time; newer ones are left alone."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from dadeum.core.errors import RunError
from dadeum.gateway.store.connect import shown, told, writing
from dadeum.gateway.store.tables import VERSION_TABLE, requests

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCK = 0x64616465756D
"""Of PostgreSQL, for whoever changes the tables."""


def upgrade(engine: sa.Engine) -> None:
    """From nothing or an older version to this one, whole or not at all. RunError for a newer database."""
    config = _config()
    with told(engine.url), writing(engine).begin() as connection:
        if engine.url.get_backend_name() != "sqlite":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        if _is_behind(connection, config, engine.url):
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def check(engine: sa.Engine) -> None:
    """For those who only read: RunError where the tables are missing, older or newer."""
    with told(engine.url), engine.connect() as connection:
        if _is_behind(connection, _config(), engine.url):
            known = sa.inspect(connection).has_table(requests.name)
            raise RunError("gateway.store.older" if known else "gateway.store.no_log", place=shown(engine.url))


def refuse(engine: sa.Engine) -> None:
    """RunError for tables that `upgrade` would leave alone; nothing is changed."""
    with told(engine.url), engine.connect() as connection:
        _is_behind(connection, _config(), engine.url)


def _is_behind(connection: sa.Connection, config: Config, url: sa.URL) -> bool:
    script = ScriptDirectory.from_config(config)
    known = {step.revision for step in script.walk_revisions()}
    found = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads()
    if newer := [step for step in found if step not in known]:
        raise RunError("gateway.store.newer", place=shown(url), found=", ".join(newer), known=_last(script.get_heads()))
    if not found and sa.inspect(connection).has_table(requests.name):
        raise RunError("gateway.store.foreign", place=shown(url), table=requests.name)
    return set(found) != set(script.get_heads())


def _last(heads: Sequence[str]) -> str:
    return ", ".join(heads)


def _config() -> Config:
    config = Config()
    # Alembic reads % as the beginning of a variable.
    folder = str(resources.files("dadeum.gateway.store.migrations")).replace("%", "%%")
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    return config
