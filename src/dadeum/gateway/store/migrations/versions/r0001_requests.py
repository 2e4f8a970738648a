"""Requests, what was said about them, and the row that `ready` writes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _requests()
    op.create_table(
        "dadeum_feedback",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("rating", "label", "correction", "comment")),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("correction_characters", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_dadeum_feedback"),
        sa.ForeignKeyConstraint(
            ["request_id"], ["dadeum_requests.request_id"], name="fk_dadeum_feedback_request_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_dadeum_feedback_request_id", "dadeum_feedback", ["request_id"])
    op.create_table(
        "dadeum_probe",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_dadeum_probe"),
    )


def _requests() -> None:
    named = ("request_id", "time", "route", "key_id", "user", "model", "version", "task", "status", "reason")
    numbers = ("prompt_tokens", "new_tokens", "cached_tokens")
    seconds = ("waited_s", "first_token_s", "total_s")
    kinds: dict[str, sa.types.TypeEngine[Any]] = {"time": sa.DateTime(timezone=True), "status": sa.Integer()}
    op.create_table(
        "dadeum_requests",
        *(sa.Column(name, kinds.get(name, sa.Text()), nullable=False) for name in named),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in numbers),
        *(sa.Column(name, sa.Double(), nullable=False) for name in seconds),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("experiment", "variant", "shadow_of", "label")),
        sa.Column("confidence", sa.Double(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("input_characters", "output_characters")),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("question", "answer")),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("request_id", name="pk_dadeum_requests"),
    )
    for columns in (["time", "request_id"], ["user"], ["shadow_of"]):
        op.create_index("ix_dadeum_requests_" + "_".join(columns), "dadeum_requests", columns)


def downgrade() -> None:
    for table in ("dadeum_probe", "dadeum_feedback", "dadeum_requests"):
        op.drop_table(table)
