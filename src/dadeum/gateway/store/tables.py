"""The tables of the request log, and rows ↔ the shapes of `entries.py`; the same in SQLite and PostgreSQL.

What is written here is what `migrations/` must have led to: a test compares both.
"""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from dadeum.gateway.store.entries import Entry, Feedback, Rating

VERSION_TABLE = "dadeum_version"
_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
"""Constraints have names of ours: one without cannot be changed by a later migration."""


class UtcTime(sa.types.TypeDecorator[datetime]):
    """A moment. SQLite knows no time zones: there it is written as UTC without one, which also sorts right."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        utc = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(naming_convention=_NAMES)

requests = sa.Table(
    "dadeum_requests",
    metadata,
    sa.Column("request_id", sa.Text, primary_key=True),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("task", sa.Text, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("prompt_tokens", sa.Integer, nullable=False),
    sa.Column("new_tokens", sa.Integer, nullable=False),
    sa.Column("cached_tokens", sa.Integer, nullable=False),
    sa.Column("waited_s", sa.Double, nullable=False),
    sa.Column("first_token_s", sa.Double),
    sa.Column("total_s", sa.Double, nullable=False),
    sa.Column("experiment", sa.Text, nullable=False),
    sa.Column("variant", sa.Text, nullable=False),
    sa.Column("shadow_of", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("confidence", sa.Double),
    sa.Column("input_characters", sa.Integer, nullable=False),
    sa.Column("output_characters", sa.Integer, nullable=False),
    sa.Column("question", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("facts", sa.JSON, nullable=False),
    # Read and deleted in the order of time; ids settle what came in the same microsecond.
    sa.Index(None, "time", "request_id"),
    sa.Index(None, "user"),
    sa.Index(None, "shadow_of"),
)

feedback = sa.Table(
    "dadeum_feedback",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("request_id", sa.Text, sa.ForeignKey(requests.c.request_id, ondelete="CASCADE"), nullable=False),
    sa.Column("time", UtcTime, nullable=False),
    sa.Column("rating", sa.Text),
    sa.Column("label", sa.Text),
    sa.Column("correction", sa.Text),
    sa.Column("comment", sa.Text),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("correction_characters", sa.Integer, nullable=False),
    sa.Index(None, "request_id"),
)

probe = sa.Table(
    "dadeum_probe",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("time", UtcTime, nullable=False),
)
"""One row that `ready` writes: only a write tells that one can be written."""

_ENTRY_FIELDS = tuple(field.name for field in dataclasses.fields(Entry))
_FEEDBACK_FIELDS = tuple(field.name for field in dataclasses.fields(Feedback))


def storable(text: str) -> str:
    """PostgreSQL holds no NUL, and neither database half a surrogate; what stood there is still to be seen."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\N{SYMBOL FOR NULL}").encode("utf-8", "replace").decode("utf-8")


def row_of(record: Entry | Feedback) -> dict[str, Any]:
    """The columns of a record."""
    row: dict[str, Any] = {}
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, str):
            value = storable(value)
        elif isinstance(value, float) and not math.isfinite(value):
            value = None if field.name in ("confidence", "first_token_s") else 0.0
        elif isinstance(value, dict):
            value = {storable(str(name)): _fact(found) for name, found in value.items()}
        row[field.name] = value
    return row


def _fact(value: str | float) -> str | float:
    if isinstance(value, str):
        return storable(value)
    # JSON has no NaN; as a word it is still seen.
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def entry_of(row: RowMapping) -> Entry:
    return Entry(**{name: row[name] for name in _ENTRY_FIELDS})


def feedback_of(row: RowMapping) -> Feedback:
    values = {name: row[name] for name in _FEEDBACK_FIELDS}
    return Feedback(**{**values, "rating": cast("Rating | None", values["rating"])})
