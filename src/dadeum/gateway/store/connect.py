"""A database by its URL, set up so that what was committed is on the disk, and its errors as sentences.

SQLite: WAL (readers never wait for the writer), FULL (a commit reaches the disk), BEGIN IMMEDIATE for whoever writes
(two writers queue instead of failing half-way). PostgreSQL: psycopg, with waiting that ends.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dadeum.core.errors import MissingExtra, RunError, first_line

WAIT_S = 10
"""For somebody else's lock, before it is told."""
_CONNECT_S = 5
_WRITES = "dadeum_writes"
_SAYINGS = {
    "gateway.store.full": ("disk is full", "no space left", "disk full"),
    "gateway.store.read_only": ("readonly", "read-only", "unable to open database", "permission denied"),
    "gateway.store.locked": ("database is locked", "lock timeout", "database table is locked"),
    "gateway.store.damaged": ("malformed", "not a database", "disk image"),
}
"""Sentence → what SQLite and PostgreSQL say."""


def url_of(database: str) -> sa.URL:
    """RunError for anything but a file of SQLite or a database of PostgreSQL."""
    try:
        url = sa.make_url(database)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise RunError("gateway.store.bad_url", detail=type(error).__name__) from error
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise RunError("gateway.store.unknown_database", kind=kind)
    if not url.database or url.database == ":memory:":
        raise RunError("gateway.store.in_memory")
    return url.set(drivername="sqlite+pysqlite")


def shown(url: sa.URL) -> str:
    """For people: without its password."""
    return str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)


def engine_for(url: sa.URL) -> sa.Engine:
    """Nothing is opened yet. MissingExtra without psycopg."""
    options: dict[str, Any] = {"pool_pre_ping": True, "json_serializer": _json}
    if url.get_backend_name() == "sqlite":
        made = sa.create_engine(url, connect_args={"timeout": WAIT_S}, **options)
        event.listen(made, "connect", _set_up_sqlite)
        event.listen(made, "begin", _begin_sqlite)
        return made
    try:
        made = sa.create_engine(url, connect_args={"connect_timeout": _CONNECT_S}, **options)
    except ModuleNotFoundError as error:
        raise MissingExtra("gateway.store.no_psycopg") from error
    event.listen(made, "begin", _begin_postgres)
    return made


def writing(engine: sa.Engine) -> sa.Engine:
    """The same database for transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def make_file(url: sa.URL) -> None:
    """SQLite's file, for its owner only: masked or not, people wrote what is in it. RunError where it cannot be."""
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, stat.S_IRUSR | stat.S_IWUSR))
    except OSError as error:
        raise RunError("gateway.store.read_only", place=path, detail=first_line(error)) from error


def refuse_place(path: Path) -> None:
    """RunError where `make_file` could not make it; nothing is made."""
    there = next(folder for folder in path.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        code = errno.EACCES if there.is_dir() else errno.ENOTDIR
        raise RunError("gateway.store.read_only", place=path, detail=os.strerror(code))


@contextmanager
def told(url: sa.URL) -> Iterator[None]:
    """What a database refuses, as a RunError that says what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise sentence(url, error) from error


def sentence(url: sa.URL, error: Exception) -> RunError:
    """Never with values in it: a statement's parameters are people's texts."""
    said = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    detail = first_line(said)
    lower = str(said).lower()
    key = next((key for key, sayings in _SAYINGS.items() if any(saying in lower for saying in sayings)), None)
    if key is None and isinstance(error, PoolTimeout):
        key = "gateway.store.locked"
    if key is None and url.get_backend_name() != "sqlite" and getattr(said, "sqlstate", None) is None:
        # PostgreSQL numbers what it refuses; what has no number did not reach it.
        return RunError("gateway.store.unreachable", place=shown(url), detail=detail)
    return RunError(key or "gateway.store.failed", place=shown(url), detail=detail)


def _json(value: Any) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin late and commit before DDL: ours are begun by `_begin_sqlite`.
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {WAIT_S * 1000}")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    # What is deleted is overwritten, not only forgotten.
    connection.execute("PRAGMA secure_delete = ON")
    if (mode := _write_ahead(connection)) != "wal":
        raise sqlite3.OperationalError(f"no write-ahead log here, journal_mode is {mode}")


def _write_ahead(connection: sqlite3.Connection) -> str:
    """The journal's mode afterwards. Two who set it at once do not wait for each other, whatever busy_timeout says."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
            return mode if mode == "wal" else str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
        time.sleep(0.05)


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get(_WRITES) else "BEGIN")


def _begin_postgres(connection: sa.Connection) -> None:
    if connection.get_execution_options().get(_WRITES):
        # A server that answers before its disk has a commit would lose answered requests with it.
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = '{WAIT_S}s'; "
            "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'"
        )
