"""Answers without a first token have no time of it: it was 0 until here, which every mean would count."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None

_TABLE, _COLUMN, _BESIDE = "dadeum_requests", "first_token_s", "first_token_s_beside"


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column(_TABLE, _COLUMN, nullable=True)
        op.execute(f"UPDATE {_TABLE} SET {_COLUMN} = NULL WHERE {_COLUMN} = 0")
        return
    # SQLite would have to make the table anew, and dropping the old one would delete all feedback with it.
    _replaced(sa.Column(_BESIDE, sa.Double(), nullable=True), f"NULLIF({_COLUMN}, 0)")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute(f"UPDATE {_TABLE} SET {_COLUMN} = 0 WHERE {_COLUMN} IS NULL")
        op.alter_column(_TABLE, _COLUMN, nullable=False)
        return
    _replaced(sa.Column(_BESIDE, sa.Double(), nullable=False, server_default="0"), f"COALESCE({_COLUMN}, 0)")


def _replaced(column: sa.Column[float], value: str) -> None:
    op.add_column(_TABLE, column)
    op.execute(f"UPDATE {_TABLE} SET {_BESIDE} = {value}")
    op.execute(f"ALTER TABLE {_TABLE} DROP COLUMN {_COLUMN}")
    op.execute(f"ALTER TABLE {_TABLE} RENAME COLUMN {_BESIDE} TO {_COLUMN}")
