"""Alembic runs this file for every command; the connection comes from `schema.py`, which holds the lock."""

from __future__ import annotations

from alembic import context

from dadeum.gateway.store.tables import VERSION_TABLE, metadata


def run() -> None:
    """All steps in the caller's transaction: a half-made database cannot be left behind."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        # SQLite changes a column only by copying its table.
        render_as_batch=True,
    )
    with context.begin_transaction():
        context.run_migrations()


# Alembic runs the file under a name of its own; imported as a module of the package it does nothing.
if __name__ != "dadeum.gateway.store.migrations.env":
    run()
