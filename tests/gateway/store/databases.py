"""Databases for the tests of the log: a file of SQLite, and a real PostgreSQL where one can be started."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from dadeum.gateway.settings import Settings
from dadeum.gateway.store.entries import Entry

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def settings(database: str, **changes: Any) -> Settings:
    # Long kept: these rows have fixed dates.
    return Settings(database=database, **({"keep_days": 40_000} | changes))


def entry(number: int | str = 0, **changes: Any) -> Entry:
    """`number` minutes after START."""
    minutes = number if isinstance(number, int) else 0
    values: dict[str, Any] = {
        "request_id": f"req-{number:06}" if isinstance(number, int) else number, "route": "/v1/chat/completions",
        "time": START + timedelta(minutes=minutes), "key_id": "dk_abc", "user": "", "model": "counsel",
        "version": "counsel@aaaaaaaaaaaa", "task": "chat", "status": 200, "reason": "stop",
    }  # fmt: skip
    return Entry(**(values | changes))


@contextmanager
def empty_schema(server: str) -> Iterator[str]:
    """A part of the database of our own, dropped afterwards: much quicker than a database."""
    import psycopg

    name = f"t{uuid.uuid4().hex[:10]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    yield f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute(f"DROP SCHEMA {name} CASCADE")
